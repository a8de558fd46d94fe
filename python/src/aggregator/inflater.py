"""Step: inflater (SPEC R2-R5, P3). A body as stored becomes its source's text, gzip or plain.

Holds one text twice while its pieces are joined: the consumer inflates one body at a time.
"""

import zlib
from collections.abc import Callable, Iterator

from isal import isal_zlib

from aggregator.errors import BadSourceError

_MAGIC = b"\x1f\x8b"
_FIRST_SLICE = 16 << 10
_FILE_NAME = 0x08
_WBITS = 31  # zlib's sign for a gzip member


def inflate(body: bytes, limit: int, check: Callable[[], None]) -> bytes:
    """The text of a source; raise ``TOO_LARGE`` above ``limit`` bytes, or ``BAD_GZIP``.

    ``check`` raises when the time is up (E6), here as in the other steps.
    """
    if not body.startswith(_MAGIC):
        if len(body) > limit:
            raise BadSourceError("TOO_LARGE")
        return body
    try:
        return b"".join(_inflated(body, limit, check))
    except (isal_zlib.error, zlib.error) as error:  # type: ignore[misc]  # isal's stub is wrong
        raise BadSourceError("BAD_GZIP") from error


def _inflated(body: bytes, limit: int, check: Callable[[], None]) -> Iterator[bytes]:
    view = memoryview(body)
    room = limit + 1  # the byte too many shows that there is more
    at = 0
    while at < len(body):
        header = body[at : at + 4]
        if len(header) < 4 or not header.startswith(_MAGIC):
            raise BadSourceError("BAD_GZIP")
        # isal is twice as fast, but takes reserved flags and errs on a header CRC cut by a slice.
        codec = isal_zlib if header[3] in (0, _FILE_NAME) else zlib
        member = codec.decompressobj(_WBITS)
        # `unused_data` is a copy of what follows the member in its slice: small first slices keep a
        # body of many small members from being copied again and again.
        size = _FIRST_SLICE
        while not member.eof:
            check()
            data = view[at : at + size]
            if not data:
                raise BadSourceError("BAD_GZIP")
            piece = member.decompress(data, room)
            room -= len(piece)
            if room == 0:
                raise BadSourceError("TOO_LARGE")
            yield piece
            at += len(data)
            size *= 2
        at -= len(member.unused_data)
