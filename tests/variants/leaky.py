"""The Python function that lets go of nothing it made of a source: the memory column shows it."""

from collections.abc import Callable

from aggregator import handler

_LEAK_BYTES = 256 << 10
_inflate: Callable[[bytes, int, Callable[[], None]], bytes] = handler.inflate
_kept: list[bytearray] = []


def _inflate_and_keep(body: bytes, limit: int, check: Callable[[], None]) -> bytes:
    _kept.append(bytearray(b"x") * _LEAK_BYTES)
    return _inflate(body, limit, check)


handler.inflate = _inflate_and_keep
handle = handler.handle
