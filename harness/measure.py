"""The order of invocations: first everything is verified, then what matched is measured.

Samples go round the languages, so that a machine that slows down slows all of them.
Every measured invocation finds an empty destination.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Protocol

from harness.model import (
    HarnessError,
    Invocation,
    NotReady,
    Sample,
    SampleKind,
    Verdict,
    VerdictKind,
)
from harness.verify import same_json

Progress = Callable[[str], None]


class RunningSandbox(Protocol):
    """One execution environment: its first invocation is the cold one."""

    def invoke(self, event: object) -> Invocation: ...


class Target(Protocol):
    """Where one implementation runs."""

    @property
    def language(self) -> str: ...

    def start(self) -> AbstractContextManager[RunningSandbox]:
        """A fresh sandbox; leaving the context ends its processes."""
        ...


class Destination(Protocol):
    """The bucket that a run writes to."""

    def clear(self) -> None: ...

    def judge(self, invocation: Invocation) -> str | None:
        """What is wrong with the result and the objects there; ``None`` for a match."""
        ...


@dataclass(frozen=True, slots=True)
class Plan:
    """How often each language is invoked, by what event."""

    event: Mapping[str, object]
    cold: int = 3
    warm: int = 5


@dataclass(slots=True)
class Outcome:
    """What a plan found out about one language; no samples unless the verdict is a match."""

    verdict: Verdict
    output: Mapping[str, object] | None = None
    phases: Mapping[str, object] | None = None
    samples: list[Sample] = field(default_factory=list)

    @property
    def matched(self) -> bool:
        return self.verdict.kind is VerdictKind.MATCH


def run_plan(
    plan: Plan, targets: Sequence[Target], destination: Destination, progress: Progress
) -> dict[str, Outcome]:
    """Verify every target, then measure those that matched; one outcome per language."""
    outcomes: dict[str, Outcome] = {}
    for target in targets:
        progress(f"verifying {target.language}")
        outcomes[target.language] = _verify(plan, target, destination)
    measurement = _Measurement(plan, destination, outcomes)
    for number in range(1, plan.cold + 1):
        for target in measurement.still_matching(targets):
            progress(f"measuring {target.language}: cold {number} of {plan.cold}")
            measurement.cold(target)
    if plan.warm:
        measurement.warm_rounds(targets, progress)
    return outcomes


def _verify(plan: Plan, target: Target, destination: Destination) -> Outcome:
    destination.clear()
    try:
        with target.start() as sandbox:
            invocation = sandbox.invoke(plan.event)
    except NotReady as error:
        return Outcome(Verdict(VerdictKind.SKIPPED, str(error)))
    except HarnessError as error:
        return Outcome(Verdict(VerdictKind.FAILED, str(error)))
    if invocation.error is not None:
        return Outcome(Verdict(VerdictKind.FAILED, invocation.error))
    output = invocation.result if isinstance(invocation.result, dict) else None
    reason = destination.judge(invocation)
    kind = VerdictKind.MATCH if reason is None else VerdictKind.MISMATCH
    return Outcome(Verdict(kind, reason), output, _phases(invocation))


class _Measurement:
    """Takes samples into the outcomes; a language that fails once is asked no more."""

    def __init__(
        self, plan: Plan, destination: Destination, outcomes: Mapping[str, Outcome]
    ) -> None:
        self._plan = plan
        self._destination = destination
        self._outcomes = outcomes

    def still_matching(self, targets: Sequence[Target]) -> Iterator[Target]:
        return (target for target in targets if self._outcomes[target.language].matched)

    def cold(self, target: Target) -> None:
        with self._failing(target), target.start() as sandbox:
            self._sample(target, sandbox, SampleKind.COLD)

    def warm_rounds(self, targets: Sequence[Target], progress: Progress) -> None:
        """One sandbox for each language, alive through all rounds: idle ones cost memory only."""
        with ExitStack() as sandboxes:
            running: dict[str, RunningSandbox] = {}
            for target in self.still_matching(targets):
                progress(f"warming up {target.language}")
                with self._failing(target):
                    running[target.language] = sandboxes.enter_context(target.start())
                    self._invoke(target, running[target.language])
            for number in range(1, self._plan.warm + 1):
                for target in self.still_matching(targets):
                    progress(f"measuring {target.language}: warm {number} of {self._plan.warm}")
                    with self._failing(target):
                        self._sample(target, running[target.language], SampleKind.WARM)

    def _sample(self, target: Target, sandbox: RunningSandbox, kind: SampleKind) -> None:
        invocation = self._invoke(target, sandbox)
        if invocation.cold != (kind is SampleKind.COLD):
            raise HarnessError(
                f"a {kind} invocation was expected: the sandbox was not as it should"
            )
        outcome = self._outcomes[target.language]
        outcome.phases = _phases(invocation) or outcome.phases
        outcome.samples.append(
            Sample(
                kind,
                invocation.init_ms,
                invocation.duration_ms,
                invocation.cpu_ms,
                invocation.peak_rss_bytes,
            )
        )

    def _invoke(self, target: Target, sandbox: RunningSandbox) -> Invocation:
        self._destination.clear()
        invocation = sandbox.invoke(self._plan.event)
        if invocation.error is not None:
            raise HarnessError(f"while it was measured: {invocation.error}")
        if not same_json(invocation.result, self._outcomes[target.language].output):
            raise HarnessError(f"another result while it was measured: {invocation.result}")
        return invocation

    @contextmanager
    def _failing(self, target: Target) -> Iterator[None]:
        try:
            yield
        except HarnessError as error:
            outcome = self._outcomes[target.language]
            outcome.verdict = Verdict(VerdictKind.FAILED, str(error))
            outcome.samples.clear()


def _phases(invocation: Invocation) -> Mapping[str, object] | None:
    """O3, from the ``end`` line of the function's own log."""
    for line in reversed(invocation.log):
        if line.get("event") == "end":
            phases = line.get("phases")
            return phases if isinstance(phases, dict) else None
    return None
