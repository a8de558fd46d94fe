"""Step: attempts (SPEC E4, E5, E8, P1). The requests of one invocation: bounded, repeated, in time.

This step knows nothing of S3: an attempt is any async function. Holds the requests that wait.
"""

import asyncio
import random
import time
from asyncio import TaskGroup, Timeout
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, Literal

from aggregator.errors import AggregationError
from aggregator.journal import Journal, Phase
from aggregator.store import AttemptError

Operation = Literal["list", "get", "put", "copy", "delete"]
type Attempt[T] = Callable[[], Awaitable[T]]

_ATTEMPTS = 5
_FIRST_DELAY_S = 0.1
_SLOW_S = (1.0, 2.0, 4.0)  # and 4 from then on
_PUBLISHING_S = 0.25  # of a chunk
_ENDING_S = 1  # for the claim and the line `end`


class OutOfTimeError(Exception):
    """The time of the invocation is used up; the handler knows how many sources were read."""


@asynccontextmanager
async def open_attempts(
    concurrency: int, remaining_s: float, journal: Journal
) -> AsyncIterator["Attempts"]:
    """Attempts that end with the block: whatever ends the block cancels all other requests.

    The first failed request ends the block (E4), and so does the deadline, by ``OutOfTimeError``.
    """
    # A task begins when it is made, not when the consumer waits next: requests leave sooner.
    asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)
    reserve_s = min(remaining_s * 0.1, 30)
    try:
        async with asyncio.timeout(remaining_s - reserve_s) as deadline, TaskGroup() as tasks:
            yield Attempts(concurrency, deadline, reserve_s, tasks, journal)
    except TimeoutError:
        raise OutOfTimeError from None
    except ExceptionGroup as failures:
        first = failures.exceptions[0]
        raise first from first.__cause__  # without the group around it


class _Places:
    """Each request in flight has one, others wait for their turn (P1)."""

    def __init__(self, most: int) -> None:
        self._most = self._limit = most
        self._taken = 0
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def __aenter__(self) -> None:
        while self._taken >= self._limit:
            turn = asyncio.get_running_loop().create_future()
            self._waiting.append(turn)
            await turn
        self._taken += 1

    async def __aexit__(self, _: object, error: BaseException | None, *__: object) -> None:
        self._taken -= 1
        if error is None:
            self._limit = min(self._limit + 1, self._most)
        elif isinstance(error, AttemptError) and error.is_slow_down:
            self._limit = max(self._limit // 2, 1)  # E8
        for _ in range(min(self._limit - self._taken, len(self._waiting))):
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)


class Attempts:
    """Starts requests; each has at most five attempts, and more if S3 asks it to slow down."""

    def __init__(
        self, most: int, deadline: Timeout, reserve_s: float, tasks: TaskGroup, journal: Journal
    ) -> None:
        self._places = _Places(most)
        self._deadline = deadline
        self._stops_at = deadline.when() or 0
        self._ends_at = self._stops_at + reserve_s
        self._fails_at: float | None = None  # a request without an answer, from W4 on (E5)
        self._tasks, self._journal = tasks, journal

    def start[T](self, request: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Let a request go on beside the consumer, who awaits the task for its answer."""
        return self._tasks.create_task(request)

    async def run[T](
        self, operation: Operation, key: str, attempt: Attempt[T], phase: Phase | None = None
    ) -> T:
        """Make one request; ``phase`` gets its time, which begins with the first attempt (O3)."""
        started = None
        failed = slowed = 0
        try:
            async with asyncio.timeout_at(self._fails_at):
                while True:
                    try:
                        async with self._places:
                            started = started or time.monotonic()
                            return await attempt()
                    except AttemptError as failure:
                        slow = failure.is_slow_down
                        delay_s = _SLOW_S[min(slowed, 2)] if slow else _FIRST_DELAY_S * 2**failed
                        slowed, failed = slowed + slow, failed + (not slow)
                        delay_s *= random.SystemRandom().uniform(0.5, 1)  # not a snapshot's state
                        late = self._fails_at and time.monotonic() + delay_s >= self._fails_at
                        if failed == _ATTEMPTS or not failure.again or late:
                            what = f"{operation} {key} ({failure.code})".removesuffix(" ()")
                            raise AggregationError("S3_ERROR", what) from failure
                        fields = {"operation": operation, "key": key, "attempt": failed + slowed}
                        self._journal.log("WARN", "retry", **fields, cause=str(failure))
                    await asyncio.sleep(delay_s)
        except TimeoutError as error:
            raise AggregationError("S3_ERROR", f"{operation} {key}") from error
        finally:
            if phase and started:
                self._journal.add(phase, time.monotonic() - started)

    def check_time(self) -> None:
        """Raise ``OutOfTimeError`` after the deadline; asyncio sees it only at an ``await``."""
        if time.monotonic() >= self._stops_at:  # the clock of asyncio
            raise OutOfTimeError

    def reserve_time(self, chunks: int) -> None:
        """Move the deadline, so that there is time to publish so many chunks (E6)."""
        if self._deadline.when() is not None:
            self._stops_at = min(self._stops_at, self._ends_at - chunks * _PUBLISHING_S)
            self._deadline.reschedule(self._stops_at)

    def finish_whatever_the_time(self) -> None:
        """From W4 on, to finish is better than to stop, but the run's end needs time (E5)."""
        self._stops_at = min(self._stops_at, self._ends_at - _ENDING_S)
        self.check_time()
        self._stops_at = float("inf")
        self._deadline.reschedule(None)
        self._fails_at = self._ends_at - _ENDING_S

    def fail_after(self, seconds: float) -> None:
        """Let requests that begin from now on fail when they have no answer by then."""
        self._fails_at = time.monotonic() + seconds
