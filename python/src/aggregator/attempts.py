"""Step: attempts (SPEC E4-E6, P1). One invocation's requests: side by side, repeated, in time.

Knows no S3: a request is a function that makes one attempt. Holds what is queued.
"""

import random
import threading
import time
from collections.abc import Callable
from concurrent.futures import (
    FIRST_COMPLETED,
    CancelledError,
    Executor,
    Future,
    InvalidStateError,
    wait,
)
from contextlib import nullcontext, suppress
from typing import Any, Literal

from aggregator.errors import AggregationError, BadSourceError
from aggregator.journal import Journal, Phase

Operation = Literal["list", "get", "put", "copy", "delete"]

_ATTEMPTS = 5
_FIRST_DELAY_S = 0.1


class AttemptError(Exception):
    """One attempt failed; ``again`` tells whether another one may succeed."""

    def __init__(self, cause: str, *, again: bool) -> None:
        super().__init__(cause)
        self.again = again


class OutOfTimeError(Exception):
    """The invocation's time is used up; the handler knows how far the run has come."""


class Attempts:
    """One invocation's requests.

    ``pool`` has as many threads as requests may be in flight and outlives the invocation, so that
    a request which a failed run left behind keeps its place until it ends (P1).
    """

    def __init__(self, pool: Executor, remaining_s: float, journal: Journal) -> None:
        reserve = min(remaining_s * 0.1, 30)
        self._moment: float | None = time.monotonic() + remaining_s - reserve
        self._journal = journal
        self._stopped = threading.Event()
        self._failed: Future[None] = Future()  # by the first request that ends the run
        self._pool = pool

    def start[T](
        self, operation: Operation, key: str, attempt: Callable[[], T], phase: Phase | None = None
    ) -> Future[T]:
        """Queue a request: ``attempt`` makes one attempt at it, ``phase`` gets its time."""
        request = self._pool.submit(self._persist, operation, key, attempt, phase)
        request.add_done_callback(self._note_failure)
        return request

    def run[T](self, operation: Operation, key: str, attempt: Callable[[], T]) -> T:
        """Queue a request and wait for it."""
        return self.wait(self.start(operation, key, attempt))

    def wait[T](self, future: Future[T]) -> T:
        """Give the answer or raise its fault; the run's end, if that comes first, is raised, too.

        The end is any request's failure (E4), or the moment: ``OutOfTimeError``.
        """
        self.check_time()
        timeout = None if self._moment is None else self._moment - time.monotonic()
        first: tuple[Future[Any], ...] = (future, self._failed)
        done, _ = wait(first, timeout, FIRST_COMPLETED)
        if not done:
            raise OutOfTimeError
        if self._failed in done:
            self._failed.result()
        return future.result()

    def check_time(self) -> None:
        """Raise ``OutOfTimeError`` once the moment has passed (E6)."""
        if self._moment is not None and time.monotonic() >= self._moment:
            raise OutOfTimeError

    def finish_whatever_the_time(self) -> None:
        """From the first copy on a run is better completed than stopped (E6)."""
        self.check_time()
        self._moment = None

    def close(self) -> None:
        """Drop what is queued; a request on its way ends with its attempt, and nobody waits."""
        self._stopped.set()

    def _note_failure(self, request: Future[Any]) -> None:
        error = request.exception()
        if error is not None and not isinstance(error, BadSourceError):
            with suppress(InvalidStateError):  # only the first counts
                self._failed.set_exception(error)

    def _persist[T](
        self, operation: Operation, key: str, attempt: Callable[[], T], phase: Phase | None
    ) -> T:
        if self._stopped.is_set():
            raise CancelledError
        with self._journal.timed(phase) if phase else nullcontext():
            number = 0
            while True:
                number += 1
                try:
                    return attempt()
                except AttemptError as failure:
                    delay = _FIRST_DELAY_S * 2 ** (number - 1) * random.uniform(0.5, 1)
                    if number == _ATTEMPTS or not failure.again or self._stopped.wait(delay):
                        raise AggregationError("S3_ERROR", f"{operation} {key}") from failure
                    fields = {"operation": operation, "key": key, "attempt": number}
                    self._journal.log("WARN", "retry", **fields, cause=str(failure))
