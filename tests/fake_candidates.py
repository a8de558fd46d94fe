"""Candidates in simulated time: each invocation moves a clock forward, without waiting."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from harness.model import (
    Enforcement,
    Failure,
    HarnessError,
    Invocation,
    Role,
    Verdict,
    VerdictKind,
)

HALF: Mapping[str, object] = {"day": 7}
RESULT: Mapping[str, object] = {"day": "2024-02-08", "records": 7}


@dataclass
class Stage:
    """The list of all events, in order, and the destination of all candidates."""

    done: list[str] = field(default_factory=list)
    now_ms: float = 0
    server_ms: float = 0
    written: bool = False
    running: str = ""
    asked: object = None
    #: the numbers of the judgements that find a difference, by target
    wrong: Mapping[str, set[int]] = field(default_factory=dict)
    judged: dict[str, int] = field(default_factory=dict)

    def clear(self) -> None:
        self.written = False

    def judge(
        self, invocation: Invocation, *, half: bool = False, role: Role = Role.LANGUAGE
    ) -> Verdict:
        assert half == (self.asked == HALF), "judged by another day than was asked for"
        assert self.written, "nothing to judge"
        self.done.append(f"judge {self.running}")
        self.judged[self.running] = number = self.judged.get(self.running, 0) + 1
        if number in self.wrong.get(self.running, ()):
            return Verdict(VerdictKind.MISMATCH, "line 3 differs")
        return Verdict(VerdictKind.MATCH)

    def stored_bytes(self) -> int:
        return 77

    def server_cpu_ms(self) -> float:
        return self.server_ms

    def clock(self) -> float:
        return self.now_ms / 1000


@dataclass
class FakeCandidate:
    """``answers`` are errors or results by the number of the invocation, from 1; ``time_ms`` gives
    a warm duration by the same number. The invocations in ``surprises`` are warm where a cold one
    is expected, and cold where a warm one is.
    """

    stage: Stage
    name: str
    answers: Mapping[int, object] = field(default_factory=dict)
    time_ms: Callable[[int], float] = lambda _: 100
    start_error: HarnessError | None = None
    role: Role = Role.LANGUAGE
    always_cold: bool = False
    surprises: frozenset[int] = frozenset()
    interrupt_at: int = 0
    starts: int = 0
    invocations: int = 0

    @contextmanager
    def start(self) -> Iterator[FakeRun]:
        if self.start_error is not None:
            raise self.start_error
        self.starts += 1
        self.stage.done.append(f"start {self.name}")
        try:
            yield FakeRun(self)
        finally:
            self.stage.done.append(f"stop {self.name}")


class FakeRun:
    def __init__(self, candidate: FakeCandidate) -> None:
        self._candidate = candidate
        self._cold = True
        self.frozen = False
        self.enforcement = Enforcement(1769, 1.0, "abacus", None)

    def freeze(self) -> None:
        self.frozen = True

    def thaw(self) -> None:
        self.frozen = False

    def invoke(self, event: object) -> Invocation:
        candidate, stage = self._candidate, self._candidate.stage
        assert not self.frozen, "it was asked while it was frozen"
        cold, self._cold = self._cold or candidate.always_cold, False
        candidate.invocations += 1
        cold ^= candidate.invocations in candidate.surprises
        kind = " cold" if cold else " rerun" if stage.written else ""
        if candidate.invocations == candidate.interrupt_at:
            raise KeyboardInterrupt
        stage.written, stage.running, stage.asked = True, candidate.name, event
        duration = 400.0 if cold else candidate.time_ms(candidate.invocations)
        if event == HALF:
            kind, duration = " half", duration / 2
        stage.now_ms += duration + (100 if cold else 0)
        stage.server_ms += 30
        stage.done.append(f"invoke {candidate.name}{kind}")
        answer = candidate.answers.get(candidate.invocations, RESULT)
        failure = answer if isinstance(answer, Failure) else None
        error = failure.reason if failure else answer if isinstance(answer, str) else None
        phases = {"get": {"count": 3, "sum_ms": candidate.invocations}}
        end = {"event": "end", "phases": phases, "wait_ms": 12.5}
        init, result = (100.0 if cold else None), (None if error else answer)
        log = ({"event": "start"}, end)
        return Invocation(result, error, cold, init, duration, 5, 9, log, failure)
