"""Inflates a stored body to its text (R2 to R5)."""

from __future__ import annotations

import zlib

from isal import isal_zlib

_MAGIC = b"\x1f\x8b"
_FILE_NAME = 0x08
_HEADER_BYTES = 4  # up to the flags


def inflate(body: bytes, limit: int) -> bytes | None:
    """The text, or ``None`` if the body is damaged or its text is larger than ``limit`` bytes."""
    if not body.startswith(_MAGIC):
        return body if len(body) <= limit else None
    texts = []
    room = limit
    while body:
        if len(body) < _HEADER_BYTES or not body.startswith(_MAGIC):
            return None
        # isal accepts reserved flags and does not check a header's CRC
        codec = isal_zlib if body[3] in (0, _FILE_NAME) else zlib
        member = codec.decompressobj(31)
        try:
            text = member.decompress(body, room + 1)
        except (isal_zlib.error, zlib.error):  # type: ignore[misc]  # isal's stub is wrong
            return None
        room -= len(text)
        if room < 0 or not member.eof:
            return None
        texts.append(text)
        body = member.unused_data
    return texts[0] if len(texts) == 1 else b"".join(texts)
