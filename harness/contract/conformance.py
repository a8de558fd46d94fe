"""Which vectors an implementation passes, told clause by clause."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from harness.contract.judge import judge
from harness.contract.pool import SandboxPool
from harness.contract.scripted_s3 import ScriptedS3
from harness.contract.vectors import Case
from harness.model import Artefact, NotReady

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Conformance:
    """One implementation's vectors: how many were judged, and what was wrong with which.

    ``not_ready`` says why none was judged, else it is ``None``.
    """

    language: str
    judged: int
    failed: tuple[tuple[Case, tuple[str, ...]], ...]
    not_ready: str | None = None


def conformance(
    built: Mapping[str, Artefact | NotReady], cases: Sequence[Case], progress: Progress
) -> Iterator[Conformance]:
    """Judge every case against every artefact, one implementation after the other."""
    with ScriptedS3() as s3:
        for language, artefact in built.items():
            if isinstance(artefact, NotReady):
                yield Conformance(language, 0, (), str(artefact))
                continue
            failed = []
            with SandboxPool(artefact) as functions:
                for number, case in enumerate(cases, 1):
                    progress(f"{language}: {case.id} ({number} of {len(cases)})")
                    problems = judge(case, s3, functions)
                    if problems:
                        functions.stop()  # the next case shall not suffer from this one
                        failed.append((case, tuple(problems)))
            yield Conformance(language, len(cases), tuple(failed))


def describe(conformance: Conformance) -> Iterator[str]:
    """The lines that a person reads: a count, then the failed vectors under their clauses."""
    if conformance.not_ready is not None:
        yield f"{conformance.language}: not judged: {conformance.not_ready}"
        return
    passed = conformance.judged - len(conformance.failed)
    yield f"{conformance.language}: {passed} of {conformance.judged} vectors pass"
    by_clause: dict[str, list[tuple[Case, tuple[str, ...]]]] = {}
    for case, problems in conformance.failed:
        by_clause.setdefault(case.clauses[0], []).append((case, problems))
    for clause in sorted(by_clause, key=lambda name: (name[0], int(name[1:]))):
        yield f"  {clause}"
        for case, problems in by_clause[clause]:
            yield f"    {case.id}: {case.title}"
            yield from (f"      {problem}" for problem in problems)
