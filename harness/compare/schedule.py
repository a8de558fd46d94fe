"""The order of invocations: all candidates are verified, then the matching ones are measured.

Each round takes one sample of every candidate, in an order that is shuffled anew. So a slower
machine slows all candidates. Every measured invocation except a re-run finds an empty destination.
Every output is verified before the next invocation begins. The verifying pass also fills the page
cache; warming up is separate. A sandbox is frozen while others run, as on Lambda. For a day that
takes minutes, a plan may have one sample of each candidate: the verifying pass.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from random import Random
from typing import Protocol

from harness.model import (
    Enforcement,
    Failure,
    FailureKind,
    HarnessError,
    Invocation,
    NotReady,
    Role,
    Sample,
    SampleKind,
    Verdict,
    VerdictKind,
)
from harness.targets.interface import Sandbox
from harness.terminal import Progress

Clock = Callable[[], float]

COLD, WARM, RERUN = 5, 8, 3
#: Invocations of a warm sandbox that are not measured.
WARM_UPS = 2
#: The kinds of sample that a plan counts. A sample of the half day follows each warm one.
COUNTED = (SampleKind.COLD, SampleKind.WARM, SampleKind.RERUN)


class Candidate(Protocol):
    """One implementation in one variant; its ``name`` is unique in a plan."""

    @property
    def name(self) -> str: ...

    @property
    def role(self) -> Role:
        """The purpose of its row, which decides how it is judged."""
        ...

    def start(self) -> AbstractContextManager[Sandbox]:
        """A fresh sandbox; leaving the context ends its processes."""
        ...


class Destination(Protocol):
    """The bucket that a run writes to, and its S3 server."""

    def clear(self) -> None: ...

    def judge(
        self, invocation: Invocation, *, half: bool = False, role: Role = Role.LANGUAGE
    ) -> Verdict:
        """The verdict on the result of an invocation and on the objects in the bucket.

        With ``half`` the invocation was of the day with half of the sources. ``role`` is the
        candidate's.
        """
        ...

    def stored_bytes(self) -> int:
        """The size of all chunks as they are stored."""
        ...

    def server_cpu_ms(self) -> float | None:
        """The server's CPU time since its start."""
        ...


@dataclass(frozen=True, slots=True)
class Plan:
    """The number of invocations of each candidate, and their events.

    ``seconds`` is the time for all rounds. It decides the number of rounds, up to ``cold`` and
    ``warm``. ``seed`` decides the order. With ``again`` the fastest candidate is measured twice,
    which shows the noise. The candidates in ``halved`` are also invoked by ``half_event`` after
    each warm sample, because two sizes give a slope. With ``once`` the verifying invocation of
    each candidate is its only sample. ``repeats`` is how often a sample may be repeated because its
    sandbox was not the expected one. The candidates in ``warm_only`` have no cold samples and no
    re-runs. A warm sandbox rests for ``rest`` seconds at least before each of its samples,
    but for a re-run.
    """

    event: Mapping[str, object]
    cold: int | None = None
    warm: int | None = None
    rerun: int | None = None
    seconds: float | None = None
    seed: int = 1
    again: bool = True
    half_event: Mapping[str, object] | None = None
    halved: frozenset[str] = frozenset()
    once: bool = False
    repeats: int = 0
    warm_only: frozenset[str] = frozenset()
    rest: float = 0.0

    def event_of(self, kind: SampleKind) -> Mapping[str, object]:
        if kind is not SampleKind.HALF:
            return self.event
        assert self.half_event is not None
        return self.half_event

    def most(self, kind: SampleKind) -> float:
        """The largest number of samples of a kind."""
        if self.once:
            return int(kind is SampleKind.COLD)
        default = {SampleKind.COLD: COLD, SampleKind.RERUN: RERUN}.get(kind, WARM)
        given = {SampleKind.COLD: self.cold, SampleKind.RERUN: self.rerun}.get(kind, self.warm)
        if given is not None:
            return given
        return float("inf") if self.seconds and kind is not SampleKind.RERUN else default


@dataclass(slots=True)
class Outcome:
    """The outcome of a plan for one candidate. It has samples only if the verdict is a match.

    ``discarded`` counts the invocations of another sandbox than the expected one.
    """

    verdict: Verdict
    output: Mapping[str, object] | None = None
    output_zip_bytes: int | None = None
    enforcement: Enforcement | None = None
    samples: list[Sample] = field(default_factory=list)
    discarded: int = 0

    @property
    def matched(self) -> bool:
        return self.verdict.accepts


@dataclass(slots=True)
class Measured:
    """The outcome of each candidate. ``again`` names the one that was measured twice, and has its
    second samples.
    """

    outcomes: dict[str, Outcome] = field(default_factory=dict)
    again: tuple[str, Outcome] | None = None
    interrupted: bool = False


@dataclass(frozen=True, slots=True)
class EarlierSamples:
    """The samples of an earlier run of the same plan, in the form of ``Measured``."""

    samples: Mapping[str, Sequence[Sample]]
    again: tuple[str, Sequence[Sample]] | None


def run_plan(
    plan: Plan,
    candidates: Sequence[Candidate],
    destination: Destination,
    progress: Progress,
    clock: Clock,
    earlier_samples: EarlierSamples | None = None,
    keep: Callable[[Measured], None] = lambda _: None,
    wait: Callable[[float], None] = time.sleep,
) -> Measured:
    """Verify every candidate, then measure the matching ones. ``earlier_samples`` are not taken
    again.

    After each round ``keep`` gets all samples so far, marked as interrupted. Ctrl-C during the
    measurement ends it and keeps its samples. ``clock`` counts the seconds that ``wait`` lets pass.
    """
    measured = Measured()

    def kept() -> None:
        keep(replace(measured, interrupted=True))

    try:
        for candidate in candidates:
            progress(f"verifying {candidate.name}")
            outcome = measured.outcomes[candidate.name] = _verify(plan, candidate, destination)
            if outcome.samples:
                kept()
            elif earlier_samples is not None and outcome.matched:
                outcome.samples += earlier_samples.samples.get(candidate.name, ())
        again = None if earlier_samples is None else earlier_samples.again
        _Measurement(plan, candidates, destination, measured, progress, clock, wait).run(
            again, kept
        )
    except KeyboardInterrupt:
        verified = len(measured.outcomes) == len(candidates)
        if not verified and not (plan.once and measured.outcomes):
            raise  # an export now could replace one with more samples
        measured.interrupted = True
    return measured


def _verify(plan: Plan, candidate: Candidate, destination: Destination) -> Outcome:
    destination.clear()
    try:
        with candidate.start() as sandbox:
            before = destination.server_cpu_ms()
            invocation = sandbox.invoke(plan.event)
            server_cpu_ms = _since(before, destination)
            enforcement = sandbox.enforcement
    except NotReady as error:
        return Outcome(Verdict(VerdictKind.SKIPPED, str(error)))
    except HarnessError as error:
        return Outcome(Verdict(VerdictKind.FAILED, str(error)))
    if invocation.error is not None:
        verdict = _verdict_of(invocation.error, invocation.failure)
        return Outcome(verdict, enforcement=enforcement)
    output = invocation.result if isinstance(invocation.result, dict) else None
    verdict = destination.judge(invocation, role=candidate.role)
    outcome = Outcome(verdict, output, destination.stored_bytes(), enforcement)
    if plan.once and outcome.matched:
        outcome.samples.append(_sample_of(invocation, SampleKind.COLD, 1, server_cpu_ms))
    return outcome


def _verdict_of(error: str, failure: Failure | None) -> Verdict:
    kinds = {
        FailureKind.TIMED_OUT: VerdictKind.TIMED_OUT,
        FailureKind.OUT_OF_MEMORY: VerdictKind.OUT_OF_MEMORY,
    }
    if failure is None or failure.kind not in kinds:
        return Verdict(VerdictKind.FAILED, error)
    return Verdict(kinds[failure.kind], failure.reason)


class _VerdictError(HarnessError):
    """The verdict on a candidate that was verified, but failed during the measurement."""

    def __init__(self, verdict: Verdict) -> None:
        super().__init__(verdict.reason)
        self.verdict = verdict


@dataclass(slots=True)
class _Warm:
    """A warm sandbox, and the outcome that takes its samples. It was last used at ``used``."""

    candidate: Candidate
    sandbox: Sandbox
    outcome: Outcome
    used: float | None = None


class _Measurement:
    """Adds samples to the outcomes. A candidate that fails once is not invoked again."""

    def __init__(
        self,
        plan: Plan,
        candidates: Sequence[Candidate],
        destination: Destination,
        measured: Measured,
        progress: Progress,
        clock: Clock,
        wait: Callable[[float], None],
    ) -> None:
        self._plan = plan
        self._candidates = candidates
        self._destination = destination
        self._measured = measured
        self._progress = progress
        self._clock = clock
        self._wait = wait
        self._random = Random()
        self._round = 0
        self._done = 0  # rounds in which samples were taken
        self._left = ""

    def run(self, had_again: tuple[str, Sequence[Sample]] | None, kept: Callable[[], None]) -> None:
        with ExitStack() as sandboxes:
            most_warm = self._plan.most(SampleKind.WARM)
            warm = self._warm_up(sandboxes, had_again) if most_warm else []
            begin, longest = self._clock(), 0.0
            while self._goes_on(begin, longest):
                self._round += 1
                # seeded by round, so that a resumed run keeps the order
                self._random = Random(f"{self._plan.seed}/{self._round}")
                before, taken = self._clock(), self._samples()
                self._one_round(warm)
                if self._samples() > taken:
                    self._done += 1
                    kept()
                longest = max(longest, self._clock() - before)

    def _samples(self) -> int:
        return sum(len(outcome.samples) for outcome in self._measured.outcomes.values())

    def _goes_on(self, begin: float, longest: float) -> bool:
        spent, seconds = self._clock() - begin, self._plan.seconds
        rounds = max(self._plan.most(SampleKind.COLD), self._plan.most(SampleKind.WARM))
        if self._round >= rounds or not any(o.matched for o in self._measured.outcomes.values()):
            return False
        if seconds is not None:
            left: float | None = seconds - spent
            go_on = self._done == 0 or spent + longest <= seconds
        else:
            left = spent / self._done * (rounds - self._round) if self._done else None
            go_on = True
        self._left = "" if left is None else f", about {max(left, 0):.0f} s left"
        return go_on

    def _one_round(self, warm: Sequence[_Warm]) -> None:
        if self._round <= self._plan.most(SampleKind.COLD):
            for candidate in self._shuffled(self._candidates):
                if candidate.name in self._plan.warm_only:
                    continue
                outcome = self._measured.outcomes[candidate.name]
                if outcome.matched and not self._has(outcome, SampleKind.COLD):
                    self._tell(candidate, SampleKind.COLD)
                    with _failing(outcome):
                        self._cold_sample(candidate, outcome)
        if self._round > self._plan.most(SampleKind.WARM):
            return
        for each in self._shuffled(warm):
            if not each.outcome.matched:
                continue
            is_again = self._measured.again is not None and each.outcome is self._measured.again[1]
            with _failing(each.outcome):
                for kind in self._warm_kinds(each, is_again=is_again):
                    self._tell(each.candidate, kind, " again" if is_again else "")
                    self._warm_sample(each, kind)

    def _cold_sample(self, candidate: Candidate, outcome: Outcome) -> None:
        for _ in range(1 + self._plan.repeats):
            with candidate.start() as sandbox:
                if self._sample(_Warm(candidate, sandbox, outcome), SampleKind.COLD):
                    return

    def _warm_sample(self, each: _Warm, kind: SampleKind) -> None:
        for _ in range(1 + self._plan.repeats):
            if self._sample(each, kind):
                return
            for _ in range(WARM_UPS - 1):  # the discarded invocation was the first one
                self._invoke_thawed(each, kind)

    def _warm_kinds(self, each: _Warm, *, is_again: bool) -> list[SampleKind]:
        """The kinds of invocation of a warm sandbox in this round, in this order."""
        kinds = [SampleKind.WARM]
        is_rerun = each.candidate.name not in self._plan.warm_only and not is_again
        if is_rerun and self._round <= self._plan.most(SampleKind.RERUN):
            kinds.append(SampleKind.RERUN)
        if not is_again and each.candidate.name in self._plan.halved:
            kinds.append(SampleKind.HALF)
        return [] if self._has(each.outcome, SampleKind.WARM) else kinds

    def _has(self, outcome: Outcome, kind: SampleKind) -> bool:
        return any(each.kind is kind and each.round == self._round for each in outcome.samples)

    def _shuffled[T](self, each: Sequence[T]) -> list[T]:
        return self._random.sample(each, len(each))

    def _tell(self, candidate: Candidate, kind: SampleKind, again: str = "") -> None:
        self._progress(f"round {self._round}: {kind} {candidate.name}{again}{self._left}")

    def _warm_up(
        self, sandboxes: ExitStack, had_again: tuple[str, Sequence[Sample]] | None
    ) -> list[_Warm]:
        warm, times = [], {}
        for candidate in self._candidates:
            outcome = self._measured.outcomes[candidate.name]
            if not outcome.matched:
                continue
            with _failing(outcome):
                each, time_ms = self._warmed(candidate, outcome, sandboxes)
                warm.append(each)
                if candidate.role is Role.LANGUAGE:
                    times[candidate.name] = time_ms
        if self._plan.again and times:
            name, samples = had_again or (min(times, key=lambda name: times[name]), ())
            fastest = next((each for each in warm if each.candidate.name == name), None)
            if fastest is None:
                return warm  # the candidate of the earlier run failed this time
            second = Outcome(fastest.outcome.verdict, fastest.outcome.output)
            second.samples += samples
            with _failing(second):
                warm.append(self._warmed(fastest.candidate, second, sandboxes)[0])
                self._measured.again = (fastest.candidate.name, second)
        return warm

    def _warmed(
        self, candidate: Candidate, outcome: Outcome, sandboxes: ExitStack
    ) -> tuple[_Warm, float]:
        self._progress(f"warming up {candidate.name}")
        sandbox = sandboxes.enter_context(candidate.start())
        each = _Warm(candidate, sandbox, outcome)
        for _ in range(WARM_UPS):  # the cold one, and one more for a compiler at run time
            self._destination.clear()
            invocation = self._invoke(each, SampleKind.WARM)
        sandbox.freeze()
        each.used = self._clock()
        return each, invocation.duration_ms or 0.0

    def _sample(self, each: _Warm, kind: SampleKind) -> bool:
        """Take a sample. ``False`` if it was discarded, because its sandbox was not the expected
        one. Lambda may replace a sandbox, or start one ahead, at any time.
        """
        if kind is not SampleKind.RERUN:
            self._destination.clear()
        before = self._destination.server_cpu_ms()
        invocation = self._invoke_thawed(each, kind)
        server_cpu_ms = _since(before, self._destination)
        is_expected = invocation.cold == (kind is SampleKind.COLD)
        if not is_expected and not self._plan.repeats:
            raise HarnessError(
                f"a {kind} invocation was expected, but the sandbox was "
                f"{'cold' if invocation.cold else 'warm'}"
            )
        verdict = self._destination.judge(
            invocation, half=kind is SampleKind.HALF, role=each.candidate.role
        )
        if not verdict.accepts:
            raise _VerdictError(verdict)
        if is_expected:
            each.outcome.samples.append(_sample_of(invocation, kind, self._round, server_cpu_ms))
        else:
            each.outcome.discarded += 1
        return is_expected

    def _invoke_thawed(self, each: _Warm, kind: SampleKind) -> Invocation:
        if each.used is not None and kind is not SampleKind.RERUN:
            left = each.used + self._plan.rest - self._clock()
            if left > 0:
                self._wait(left)
        each.sandbox.thaw()
        invocation = self._invoke(each, kind)
        each.sandbox.freeze()
        each.used = self._clock()
        return invocation

    def _invoke(self, each: _Warm, kind: SampleKind) -> Invocation:
        invocation = each.sandbox.invoke(self._plan.event_of(kind))
        if invocation.error is not None:
            verdict = _verdict_of(invocation.error, invocation.failure)
            raise _VerdictError(Verdict(verdict.kind, f"during the measurement: {verdict.reason}"))
        return invocation


@contextmanager
def _failing(outcome: Outcome) -> Iterator[None]:
    try:
        yield
    except HarnessError as error:
        failed = Verdict(VerdictKind.FAILED, str(error))
        outcome.verdict = error.verdict if isinstance(error, _VerdictError) else failed
        outcome.samples.clear()


def _since(before: float | None, destination: Destination) -> float | None:
    """The server's CPU time since its count was ``before``."""
    after = destination.server_cpu_ms()
    return None if before is None or after is None else after - before


def _sample_of(
    invocation: Invocation, kind: SampleKind, number: int, server_cpu_ms: float | None
) -> Sample:
    end = _end_line(invocation)
    phases, wait = end.get("phases"), end.get("wait_ms")
    return Sample(
        kind,
        number,
        invocation.init_ms,
        invocation.duration_ms,
        invocation.cpu_ms,
        server_cpu_ms,
        invocation.peak_rss_bytes,
        float(wait) if isinstance(wait, int | float) else None,
        phases if isinstance(phases, dict) else None,
        invocation.peak_since,
        invocation.throttled_ms,
        invocation.emulator,
        invocation.restore_ms,
        invocation.billed_ms,
        invocation.publish_ms,
        invocation.after_restore_ms,
        invocation.process_ms,
    )


def _end_line(invocation: Invocation) -> Mapping[str, object]:
    """The line ``end`` (O2) of the function's log; empty if the function wrote none."""
    return next((line for line in reversed(invocation.log) if line.get("event") == "end"), {})
