"""The Python function with work of no use for every source: the gate has to name it."""

import time
from collections.abc import Callable

from aggregator import handler

_BUSY_S = 0.02
_inflate: Callable[[bytes, int, Callable[[], None]], bytes] = handler.inflate


def _inflate_slowly(body: bytes, limit: int, check: Callable[[], None]) -> bytes:
    end = time.thread_time() + _BUSY_S
    while time.thread_time() < end:
        pass
    return _inflate(body, limit, check)


handler.inflate = _inflate_slowly
handle = handler.handle
