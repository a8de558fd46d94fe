"""A pool of threads, one for each request that may be in flight."""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import SimpleQueue


class Answer[T]:
    """The future value of a call. It waits on a plain lock: a Future costs as much as a GET."""

    __slots__ = ("_call", "_done", "_error", "_value")

    def __init__(self, call: Callable[[], T]) -> None:
        self._call = call
        self._done = threading.Lock()
        self._done.acquire()
        self._error: BaseException | None = None

    def run(self) -> None:
        try:
            self._value = self._call()
        except BaseException as error:
            self._error = error
        self._done.release()

    def wait(self) -> T:
        """The call's value or its exception. It may be called once."""
        self._done.acquire()
        if self._error is not None:
            raise self._error
        return self._value


class Pool:
    """Runs calls in the order of their start. The threads end with the process."""

    def __init__(self, count: int) -> None:
        self._calls: SimpleQueue[Answer[object]] = SimpleQueue()
        for _ in range(count):
            threading.Thread(target=self._work, daemon=True).start()

    def start[T](self, call: Callable[[], T]) -> Answer[T]:
        answer = Answer(call)
        self._calls.put(answer)
        return answer

    def _work(self) -> None:
        while True:
            self._calls.get().run()
