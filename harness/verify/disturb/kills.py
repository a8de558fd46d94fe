"""SIGKILL at any moment of a run with many chunks, and then a repeat."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from random import Random

from harness.model import Artefact, HarnessError, Invocation
from harness.verify.disturb.bench import Bench
from harness.verify.disturb.small_day import (
    CLAIM,
    FOLDER,
    FORCED,
    SmallDay,
    small_day,
    visible,
)
from harness.verify.disturb.trials import Outcome, Trial
from harness.verify.scripted_s3.scene import Request, Stored
from harness.verify.scripted_s3.server import at_once

_PATIENCE_S = 60.0
_MOST_LATE_S = 0.004  # about the time between two requests of a run
_CHUNK_BYTES = 100  # four records


def _day(names: str) -> SmallDay:
    records = {
        f"{FOLDER}{name}.json": [f'{{"source":"{name}","n":{n}}}'.encode() for n in range(100, 120)]
        for name in names
    }
    return small_day(records, _CHUNK_BYTES)


#: What was published before the run that is killed, and what that run finds.
_DAYS: Mapping[str, tuple[SmallDay | None, SmallDay]] = {
    "first": (None, _day("abcdefgh")),
    "equal": (_day("abcdefgh"), _day("abcdefgh")),
    "grown": (_day("bceg"), _day("abcdefgh")),
    "shrunk": (_day("abcdefgh"), _day("bceg")),
}


@contextmanager
def kills(artefact: Artefact) -> Iterator[Trial]:
    settings = {"CHUNK_BYTES": str(_CHUNK_BYTES), "CONCURRENCY": "4"}
    with Bench(artefact, settings) as bench, ThreadPoolExecutor(1) as thread:
        yield _Killer(bench, thread).trial


class _Killer:
    def __init__(self, bench: Bench, thread: ThreadPoolExecutor) -> None:
        self._bench = bench
        self._thread = thread
        self._requests: dict[str, int] = {}  # of a run that nobody disturbs

    def trial(self, seed: int) -> Outcome:
        rng = Random(f"kill {seed}")
        name = rng.choice(sorted(_DAYS))
        before, now = _DAYS[name]
        if name not in self._requests:
            self._requests[name] = self._count(before, now)
        at = rng.randint(1, self._requests[name] - 1)
        outcome = Outcome(seed, note=f"{name}, request {at} of {self._requests[name]}")
        self._begin(before, now)
        self._kill(at, rng.uniform(0, _MOST_LATE_S))
        left = self._bench.destination()
        outcome.counts = CLAIM in left  # the run puts it first and deletes it last
        outcome.problems += self._problems_before_repeat(before, now, left)
        outcome.problems += self._bench.repeat_problems(FORCED, now.expected)
        return outcome

    def _begin(self, before: SmallDay | None, now: SmallDay) -> None:
        self._bench.begin(now.sources, before.published() if before else {})

    def _count(self, before: SmallDay | None, now: SmallDay) -> int:
        self._bench.invoke([])  # no trigger: it only starts the runtime
        self._begin(before, now)
        whole = self._bench.invoke(FORCED)
        if whole.error is not None:
            raise HarnessError(f"a run that nobody disturbs fails: {whole.error}")
        return len(self._bench.s3.take_requests()[0])

    def _kill(self, at: int, late_s: float) -> None:
        """Kill the runtime ``late_s`` after its request number ``at``, and wait for the end."""
        seen = _Counter(at)
        self._bench.s3.hold = seen.hold
        victims = self._bench.sandbox.runtime_pids()
        run: Future[Invocation] = self._thread.submit(self._bench.invoke, FORCED)
        run.add_done_callback(lambda _: seen.reached.set())
        if not seen.reached.wait(_PATIENCE_S):
            raise HarnessError(f"a run does not come to its request {at}")
        time.sleep(late_s)
        for pid in victims:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        run.exception(_PATIENCE_S)
        self._bench.s3.hold = at_once
        self._bench.wait_for_rest()
        self._bench.renew()

    def _problems_before_repeat(
        self, before: SmallDay | None, now: SmallDay, left: Mapping[str, Stored]
    ) -> Iterator[str]:
        if before is not None and before.sources.keys() <= now.sources.keys():  # W4's promise
            known = visible(before.published()).keys() & visible(now.published()).keys()
            try:
                if missing := known - visible(left).keys():
                    yield f"{len(missing)} records gone after the kill, such as {min(missing)!r}"
            except ValueError as error:
                yield str(error)
        if CLAIM in left:
            early = self._bench.invoke(FORCED)
            if early.error != f"BUSY: {CLAIM}":
                yield f"the claim still holds, and a repeat gives {early.error}"
            if self._bench.destination() != left:
                yield "the repeat that found the claim has changed an object"


class _Counter:
    """Counts a run's requests; ``reached`` is set when the number ``at`` has come."""

    def __init__(self, at: int) -> None:
        self.reached = threading.Event()
        self._left = at
        self._lock = threading.Lock()

    @contextmanager
    def hold(self, _access_key: str, _request: Request) -> Iterator[None]:
        with self._lock:
            self._left -= 1
            if self._left == 0:
                self.reached.set()
        yield
