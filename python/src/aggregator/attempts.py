"""Step: attempts (SPEC E4-E6, P1). The requests of one invocation: bounded, repeated, in time.

This step knows no S3: an attempt is a function that makes one. Holds the requests that wait.
"""

import asyncio
import random
import time
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


class OutOfTimeError(Exception):
    """The time of the invocation is used up; the handler knows how many sources were read."""


@asynccontextmanager
async def open_attempts(
    concurrency: int, remaining_s: float, journal: Journal
) -> AsyncIterator["Attempts"]:
    """Attempts that end with the block: whatever ends the block cancels all other requests.

    The first failure of any request ends the block (E4), and so does the deadline (E6), with
    ``OutOfTimeError``.
    """
    # A task begins when it is made, not when the consumer waits next: requests leave sooner.
    asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)
    reserve_s = min(remaining_s * 0.1, 30)
    try:
        async with (
            asyncio.timeout(remaining_s - reserve_s) as deadline,
            asyncio.TaskGroup() as tasks,
        ):
            yield Attempts(asyncio.Semaphore(concurrency), deadline, tasks, journal)
    except TimeoutError:
        raise OutOfTimeError from None
    except ExceptionGroup as failures:
        first = failures.exceptions[0]
        raise first from first.__cause__  # without the group around it


class Attempts:
    """Starts requests; each has at most five attempts."""

    def __init__(
        self,
        places: asyncio.Semaphore,
        deadline: asyncio.Timeout,
        tasks: asyncio.TaskGroup,
        journal: Journal,
    ) -> None:
        self._places = places
        self._deadline = deadline
        self._tasks = tasks
        self._journal = journal

    def start[T](self, request: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Let a request go on beside the consumer, who awaits the task for its answer."""
        return self._tasks.create_task(request)

    async def run[T](
        self, operation: Operation, key: str, attempt: Attempt[T], phase: Phase | None = None
    ) -> T:
        """Make one request; ``phase`` gets its time, which begins with the first attempt (O3)."""
        started = None
        number = 1
        try:
            while True:
                try:
                    async with self._places:
                        started = started or time.monotonic()
                        return await attempt()
                except AttemptError as failure:
                    if number == _ATTEMPTS or not failure.again:
                        raise AggregationError("S3_ERROR", f"{operation} {key}") from failure
                    fields = {"operation": operation, "key": key, "attempt": number}
                    self._journal.log("WARN", "retry", **fields, cause=str(failure))
                await asyncio.sleep(_FIRST_DELAY_S * 2 ** (number - 1) * random.uniform(0.5, 1))
                number += 1
        finally:
            if phase and started:
                self._journal.add(phase, time.monotonic() - started)

    def check_time(self) -> None:
        """Raise ``OutOfTimeError`` after the deadline; asyncio sees it only at an ``await``."""
        moment = self._deadline.when()
        if moment is not None and asyncio.get_running_loop().time() >= moment:
            raise OutOfTimeError

    def finish_whatever_the_time(self) -> None:
        """From the first copy on, to finish is better than to stop (E6)."""
        self.check_time()
        self._deadline.reschedule(None)
