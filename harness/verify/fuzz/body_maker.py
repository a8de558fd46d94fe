"""Bodies for the fuzzer: documents of the grammar as bytes, damaged, sized and compressed.

A seeded ``random.Random`` makes them and not hypothesis, for three reasons. A seed must give the
same round on every machine and with every version of a library. A case is shrunk alone, in a day
that takes one invocation. And hypothesis can't draw bodies of the size of ``MAX_SOURCE_BYTES``.
"""

from __future__ import annotations

import struct
import zlib
from itertools import pairwise
from random import Random

from harness.verify.fuzz.document_maker import Documents

_TOKENS: tuple[bytes, ...] = tuple(
    token.encode("latin-1")
    for token in (
        *"{}[],:\"\\-0.1eE+ \n\r\t'\x00\x0b\x0c\x1f\x7f\x85\xa0\xff\xfe\x80\xc0",
        *('"Records"', "Records", '"\\u0052ecords":[]', "null", "true", "nul", "True", "NaN"),
        *("Infinity", "-Infinity", "undefined", "01", "-", "+1", ".5", "1.", "1e", "0x1", "1_0"),
        *("/**/", "//\n", "#", ",,", "{}", "[]", '"a":1', "{}{}", "[[[[", "]]", "\\u", "\\u00g0"),
        *("\\x41", "\\U0041", "\\ud800", '\\"', "\\\\", '""', "\x1e", "\x1f\x8b", "\x1f\x8b\x08"),
        *(
            "\xef\xbb\xbf",
            "\xfe\xff",
            "\xed\xa0\x80",
            "\xc0\xaf",
            "\xe0\x80\xaf",
            "\xf4\x90\x80\x80",
        ),
        *(
            "\xf0\x80\x80\xaf",
            "\xc2\xa0",
            "\xe2\x80\xa8",
            "\xc3",
            "\xe2\x82",
            "\xf8\x88\x80\x80\x80",
        ),
    )
)
_EDGES = (512, 4096, 8192, 16384, 32768, 65536)
_FEXTRA, _FNAME, _FCOMMENT, _FHCRC = 4, 8, 16, 2
_BOMB_BYTES = 3_000_000


class Bodies:
    """Makes bodies for sources of at most ``limit`` bytes, from ``rng`` alone."""

    def __init__(self, rng: Random, limit: int) -> None:
        self._rng = rng
        self._limit = limit
        self._documents = Documents(rng)
        self._earlier: list[bytes] = [b'{"Records":[{}]}']

    def body(self) -> bytes:
        """One body: plain or gzip, valid or damaged. About a third are readable."""
        rng = self._rng
        text = self._documents.document().encode()
        if rng.random() < 0.03:
            text = self._padded(text)
        self._earlier = [*self._earlier[-30:], text[:5000]]
        if rng.random() < 0.5:
            text = self._mutated(text)
        if rng.random() < 0.5:
            return text
        body = self._zipped(text)
        return body if rng.random() < 0.6 else self._damaged(body)

    # ---- text ----

    def _mutated(self, text: bytes) -> bytes:
        for _ in range(self._rng.choice((1, 1, 1, 2, 3, 6))):
            text = self._mutated_once(text)
        return text

    def _mutated_once(self, text: bytes) -> bytes:
        rng = self._rng
        at = rng.randint(0, len(text))
        end = min(len(text), at + rng.choice((1, 1, 2, 5, 20)))
        match rng.randrange(7):
            case 0 | 1:
                return text[:at] + rng.choice(_TOKENS) + text[at:]
            case 2:
                return text[:at] + text[end:]
            case 3:
                return text[:at] + bytes([rng.randrange(256)]) + text[at + 1 :]
            case 4:
                return text[:at] + rng.choice(_TOKENS) + text[end:]
            case 5:
                return text[:at] if rng.random() < 0.5 else text[:end] + text[at:]
            case _:
                other = rng.choice(self._earlier)
                start = rng.randint(0, len(other))
                piece = other[start : start + rng.choice((1, 3, 10, 40))]
                return text[:at] + piece + text[at:]

    def _padded(self, text: bytes) -> bytes:
        """Make the text so large that it meets the end of a buffer or the limit."""
        rng = self._rng
        size = rng.choice((self._limit, rng.choice(_EDGES))) + rng.randint(-3, 3)
        room = size - len(text)
        filler = b'"":"' + b"x" * (room - 6) + b'",'
        if room < 6:
            return text
        match rng.randrange(4):
            case 0:
                return b" " * room + text
            case 1:
                return text + b"\n" * room
            case 2:
                return text.replace(b"{", b"{" + b"\t" * room, 1)
            case _:
                return text.replace(b"{", b"{" + filler, 1)

    # ---- gzip ----

    def _zipped(self, text: bytes) -> bytes:
        rng = self._rng
        if rng.random() < 0.002:
            text += b" " * _BOMB_BYTES
        cuts = sorted(rng.randint(0, len(text)) for _ in range(rng.choice((0, 0, 0, 1, 3))))
        edges = [0, *cuts, len(text)]
        return b"".join(self._member(text[start:end]) for start, end in pairwise(edges))

    def _member(self, data: bytes) -> bytes:
        rng = self._rng
        level = rng.randrange(10)
        coder = zlib.compressobj(level, zlib.DEFLATED, -rng.randint(9, 15), 8, rng.randrange(5))
        middle = rng.randint(0, len(data))
        flush = rng.choice((zlib.Z_NO_FLUSH, zlib.Z_SYNC_FLUSH, zlib.Z_FULL_FLUSH))
        packed = coder.compress(data[:middle]) + coder.flush(flush) if flush else b""
        packed += coder.compress(data[middle if flush else 0 :]) + coder.flush()
        return self._header() + packed + struct.pack("<II", zlib.crc32(data), len(data))

    def _header(self) -> bytes:
        rng = self._rng
        flags = rng.choice((0, 0, rng.randrange(32)))
        header = (
            b"\x1f\x8b\x08" + bytes([flags]) + rng.randbytes(4) + rng.choice((b"\0\3", b"\2\xff"))
        )
        if flags & _FEXTRA:
            extra = rng.randbytes(rng.choice((0, 1, 7, 300)))
            header += struct.pack("<H", len(extra)) + extra
        if flags & _FNAME:
            header += rng.choice((b"", b"a.json", b"\xff\xfe", b"n" * 300)) + b"\0"
        if flags & _FCOMMENT:
            header += rng.choice((b"", b"a comment", b"\r\n\x1f\x8b")) + b"\0"
        if flags & _FHCRC:
            header += struct.pack("<H", zlib.crc32(header) & 0xFFFF)
        return header

    def _damaged(self, body: bytes) -> bytes:
        rng = self._rng
        match rng.randrange(6):
            case 0:
                return body[: rng.randint(1, len(body))]
            case 1:
                return body[: -rng.randint(1, 9)]
            case 2:
                return self._flipped(body, len(body) - rng.randint(1, 8))
            case 3:
                return self._flipped(body, rng.randint(2, 11))
            case 4:
                return body + rng.choice((*_TOKENS, b"\0", b"\0" * 512, body[:10], body[:-1]))
            case _:
                return self._mutated_once(body)

    def _flipped(self, body: bytes, at: int) -> bytes:
        """Flip one bit. A body without gzip's first two bytes is then a plain one."""
        if not 0 <= at < len(body):
            return body
        turned = body[at] ^ (1 << self._rng.randrange(8))
        return body[:at] + bytes([turned]) + body[at + 1 :]
