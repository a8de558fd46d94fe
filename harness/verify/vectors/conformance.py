"""Runs the vectors on the implementations, and reports failures by clause."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from harness.model import Artefact, NotReady
from harness.terminal import Progress
from harness.verify.scripted_s3.server import ScriptedS3
from harness.verify.vectors.cases import Case
from harness.verify.vectors.judge import judge
from harness.verify.vectors.sandbox_pool import SandboxPool

_START_S = 60
# the emulator writes the two fields in either order
_DIED = re.compile(r"\(rapid\) Invoke failed .*?\berror=(.*?)(?: InvokeID=\S+)?$", re.MULTILINE)
_INIT_FAILED = re.compile(r"\(rapid\) INIT RTDONE\(status: error")
_EMULATORS_LINE = re.compile(r"\(rapid\) |^(?:START|END|REPORT) RequestId: |^\s*$")


@dataclass(frozen=True, slots=True)
class Conformance:
    """One implementation with one client: the number of judged vectors, and the failed ones.

    ``not_ready`` says why none was judged, else it is ``None``. ``families`` counts the judged
    ones by the letter of their first clause.
    """

    name: str
    judged: int
    failed: tuple[tuple[Case, tuple[str, ...]], ...]
    not_ready: str | None = None
    families: Mapping[str, int] = field(default_factory=dict)


def conformance(
    built: Mapping[str, Artefact | NotReady], cases: Sequence[Case], progress: Progress
) -> Iterator[Conformance]:
    """Judge every case against every artefact, one implementation after the other."""
    families = Counter(_family(case) for case in cases)
    with ScriptedS3() as s3:
        for name, artefact in built.items():
            if isinstance(artefact, NotReady):
                yield Conformance(name, 0, (), str(artefact))
                continue
            failed = []
            with SandboxPool(artefact) as functions:
                if (fault := _start_fault(functions, s3)) is not None:
                    yield Conformance(name, 0, (), fault)
                    continue
                for number, case in enumerate(cases, 1):
                    progress(f"{name}: {case.id} ({number} of {len(cases)})")
                    problems = judge(case, s3, functions)
                    if problems:
                        functions.stop()  # so that a failed case does not disturb the next one
                        failed.append((case, tuple(problems)))
            yield Conformance(name, len(cases), tuple(failed), families=families)


def _start_fault(functions: SandboxPool, s3: ScriptedS3) -> str | None:
    """The reason why the function can't start, or ``None``.

    It is checked once before the vectors; otherwise each of them would report the same fault. A
    function that starts may give any answer here, because its settings are missing (S14).
    """
    sandbox = functions(s3.env(), _START_S)
    invocation = sandbox.invoke(b"{}")
    output = sandbox.output_tail()
    functions.stop()
    died = _DIED.search(output)
    slow = (invocation.error or "").startswith("Task timed out")
    if not (died or slow or _INIT_FAILED.search(output)):
        return None
    printed = (line for line in output.splitlines() if not _EMULATORS_LINE.search(line))
    reason = died[1] if died else invocation.error
    return "\n  ".join((f"it does not start: {reason}", *printed))


def _family(case: Case) -> str:
    return case.clauses[0][0]


def describe(conformance: Conformance) -> Iterator[str]:
    """The report: a count, the failed vectors by clause, and counts by family of clauses."""
    if conformance.not_ready is not None:
        yield f"{conformance.name}: not judged: {conformance.not_ready}"
        return
    passed = conformance.judged - len(conformance.failed)
    yield f"{conformance.name}: {passed} of {conformance.judged} vectors pass"
    by_clause: dict[str, list[tuple[Case, tuple[str, ...]]]] = {}
    for case, problems in conformance.failed:
        by_clause.setdefault(case.clauses[0], []).append((case, problems))
    for clause in sorted(by_clause, key=lambda name: (name[0], int(name[1:]))):
        yield f"  {clause}"
        for case, problems in by_clause[clause]:
            yield f"    {case.id}: {case.title}"
            yield from (f"      {problem}" for problem in problems)
    if conformance.failed and conformance.families:
        failed = Counter(_family(case) for case, _ in conformance.failed)
        passed_by = (
            f"{family} {count - failed[family]} of {count}"
            for family, count in sorted(conformance.families.items())
        )
        yield f"  {conformance.name} passes: {', '.join(passed_by)}"
