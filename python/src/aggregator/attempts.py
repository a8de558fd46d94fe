"""Step: attempts (SPEC E4-E6, P1). One invocation's requests: side by side, repeated, in time.

Knows no S3: a request is a function that makes one attempt. Holds what is queued.
"""

import random
import threading
import time
from collections.abc import Callable
from concurrent.futures import CancelledError, ThreadPoolExecutor
from functools import partial
from queue import Empty, SimpleQueue
from typing import Any, Literal

from aggregator.errors import AggregationError, BadSourceError
from aggregator.journal import Journal, Phase

Operation = Literal["list", "get", "put", "copy", "delete"]

#: Makes one attempt; raises ``AttemptError`` when it fails.
type Attempt[T] = Callable[[], T]
#: Makes one attempt without a thread, and hands on a function that gives its outcome, as an
#: ``Attempt`` does; or says that it can't, and has done nothing.
type Begin[T] = Callable[[Callable[[Attempt[T]], None]], bool]

_ATTEMPTS = 5
_FIRST_DELAY_S = 0.1


class AttemptError(Exception):
    """One attempt failed; ``again`` tells whether another one may succeed."""

    def __init__(self, cause: str, *, again: bool) -> None:
        super().__init__(cause)
        self.again = again


class OutOfTimeError(Exception):
    """The invocation's time is used up; the handler knows how far the run has come."""


class Lanes:
    """Room for as many requests as may be in flight, and threads for those that block.

    It outlives the invocation, so that a request which a failed run left behind keeps its place
    until it ends (P1).
    """

    def __init__(self, count: int) -> None:
        self.places = threading.Semaphore(count)
        self.pool = ThreadPoolExecutor(count)


class Request[T]:
    """A request on its way. What a Future would cost beyond this is a fifth of a GET."""

    __slots__ = ("answer", "attempt", "ended", "error", "key", "operation", "phase", "started")

    def __init__(
        self, operation: Operation, key: str, attempt: Attempt[T], phase: Phase | None
    ) -> None:
        self.operation = operation
        self.key = key
        self.attempt = attempt
        self.phase = phase
        self.started: float | None = None
        self.ended = False
        self.error: Exception | None = None
        self.answer: T | None = None


class Attempts:
    """One invocation's requests; they are started and waited for by one thread."""

    def __init__(self, lanes: Lanes, remaining_s: float, journal: Journal) -> None:
        reserve = min(remaining_s * 0.1, 30)
        self._moment: float | None = time.monotonic() + remaining_s - reserve
        self._journal = journal
        self._stopped = threading.Event()
        self._failure: Exception | None = None  # of the first request that ends the run
        self._lanes = lanes
        self._awaited: Request[Any] | None = None
        self._bell: SimpleQueue[None] = SimpleQueue()  # rung when there is something to look at

    def start[T](
        self,
        operation: Operation,
        key: str,
        attempt: Attempt[T],
        phase: Phase | None = None,
        begin: Begin[T] | None = None,
    ) -> Request[T]:
        """Queue a request; ``phase`` gets its time.

        With ``begin`` the first attempt is made so where that can be done now. All others are
        ``attempt``, in a thread.
        """
        request = Request(operation, key, attempt, phase)
        if begin is None or not self._begins(request, begin):
            self._lanes.pool.submit(self._work, request)
        return request

    def run[T](self, operation: Operation, key: str, attempt: Attempt[T]) -> T:
        """Queue a request and wait for it."""
        return self.wait(self.start(operation, key, attempt))

    def wait[T](self, request: Request[T]) -> T:
        """Give the answer or raise its fault; the run's end, if that comes first, is raised, too.

        The end is any request's failure (E4), or the moment: ``OutOfTimeError``.
        """
        self.check_time()
        self._awaited = request
        while not request.ended and self._failure is None:
            timeout = None if self._moment is None else max(self._moment - time.monotonic(), 0)
            try:
                self._bell.get(timeout=timeout)
            except Empty:
                raise OutOfTimeError from None
        if error := self._failure or request.error:
            raise error
        return request.answer  # type: ignore[return-value]  # without an error it is there

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

    def _begins[T](self, request: Request[T], begin: Begin[T]) -> bool:
        if not self._lanes.places.acquire(blocking=False):
            return False
        request.started = time.monotonic()
        begun = False
        try:
            begun = begin(partial(self._arrive, request))
        finally:
            if not begun:
                self._lanes.places.release()
        return begun

    def _arrive[T](self, request: Request[T], outcome: Attempt[T]) -> None:
        self._lanes.places.release()
        try:
            request.answer = outcome()
        except AttemptError as failure:
            self._lanes.pool.submit(self._work, request, failure)
        except Exception as error:
            self._end(request, error)
        else:
            self._end(request)

    def _work[T](self, request: Request[T], failure: AttemptError | None = None) -> None:
        with self._lanes.places:
            try:
                request.answer = self._persist(request, failure)
            except Exception as error:
                self._end(request, error)
            else:
                self._end(request)

    def _persist[T](self, request: Request[T], failure: AttemptError | None) -> T:
        """Make attempts until one succeeds; ``failure`` is the first one's, if it was made."""
        if self._stopped.is_set():
            raise CancelledError
        request.started = request.started or time.monotonic()
        operation, key = request.operation, request.key
        number = 0 if failure is None else 1
        while True:
            if failure is not None:
                delay = _FIRST_DELAY_S * 2 ** (number - 1) * random.uniform(0.5, 1)
                if number == _ATTEMPTS or not failure.again or self._stopped.wait(delay):
                    raise AggregationError("S3_ERROR", f"{operation} {key}") from failure
                fields = {"operation": operation, "key": key, "attempt": number}
                self._journal.log("WARN", "retry", **fields, cause=str(failure))
            number += 1
            try:
                return request.attempt()
            except AttemptError as error:
                failure = error

    def _end(self, request: Request[Any], error: Exception | None = None) -> None:
        if request.phase and request.started is not None:
            self._journal.add(request.phase, time.monotonic() - request.started)
        request.error = error
        request.ended = True
        if error is not None and not isinstance(error, BadSourceError):
            self._failure = self._failure or error
            self._bell.put(None)
        elif self._awaited is request:
            self._bell.put(None)
