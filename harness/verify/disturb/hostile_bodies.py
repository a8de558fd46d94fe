"""Bodies and keys that nobody would send in good faith, each with the verdict of SPEC.md."""

from __future__ import annotations

import gzip
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

_MIB = 1 << 20
_HEAD, _TAIL = b'{"Records":[', b"]}"
_EMPTY_MEMBER = gzip.compress(b"", mtime=0)
_NAMED = b"\x1f\x8b\x08\x08" + bytes(4) + b"\x00\xff"  # a gzip header whose name follows
_EXTRA = b"\x1f\x8b\x08\x04" + bytes(4) + b"\x00\xff"  # a gzip header whose extra field follows


@dataclass(frozen=True, slots=True)
class Hostile:
    """A source. ``code`` is its fault; without one, its records are ``line``, ``count`` times.

    ``slow``: the run may end with ``OUT_OF_TIME``, which it must do itself (E6).
    """

    name: str
    body: Callable[[], bytes]
    code: str | None = None
    line: bytes = b"{}\n"
    count: int = 0
    slow: bool = False


def _squeezed(parts: Iterator[bytes]) -> bytes:
    """gzip of the parts, without holding them all."""
    deflate = zlib.compressobj(1, wbits=31)
    return b"".join([*map(deflate.compress, parts), deflate.flush()])


def _bomb(mib: int) -> bytes:
    return _squeezed(b" " * _MIB for _ in range(mib))


def _records(record: bytes, count: int) -> bytes:
    """A readable source with so many of this record."""
    step = 100_000
    many = (record + b",") * step

    def parts() -> Iterator[bytes]:
        yield _HEAD
        for done in range(0, count, step):
            last = done + step >= count
            yield (many[:-1] if last else many)
        yield _TAIL

    return _squeezed(parts())


def _member(deflated_head: bytes, text: bytes) -> bytes:
    """A gzip member with a header of our own."""
    raw = zlib.compressobj(9, wbits=-15)
    deflated = raw.compress(text) + raw.flush()
    return deflated_head + deflated + struct.pack("<II", zlib.crc32(text), len(text))


def _one(value: bytes) -> bytes:
    """The text of a source with one record that holds the value."""
    return _HEAD + b'{"v":' + value + b"}" + _TAIL


def _line(value: bytes) -> bytes:
    return b'{"v":' + value + b"}\n"


_DEEP = b"[" * 1_000_000
_DIGITS = b"9" * (10 * _MIB)
_ESCAPES = b'"' + rb"\u0000\ud800" * _MIB + b'"'
_ODD_TEXT = '"\x7f\u0085\u2028\u202e"'.encode()
_NAMES = b"{" + b",".join(b'"%d":0' % n for n in range(1_000_000)) + b"}"

BODIES: tuple[Hostile, ...] = (
    Hostile("bomb of 200 MiB", lambda: _bomb(200), "TOO_LARGE"),
    Hostile("bomb of 2 GiB", lambda: _bomb(2048), "TOO_LARGE"),
    Hostile("bomb that is cut", lambda: _bomb(100)[:-9], "BAD_GZIP"),
    Hostile("bomb of spaces, 100 MiB", lambda: _bomb(100), "BAD_JSON"),
    Hostile("2,000,000 empty members", lambda: _EMPTY_MEMBER * 2_000_000, "BAD_JSON"),
    Hostile(
        "empty members around a source",
        lambda: _EMPTY_MEMBER * 500_000 + gzip.compress(_one(b"1")) + _EMPTY_MEMBER * 500_000,
        line=_line(b"1"),
        count=1,
    ),
    Hostile("a member for each byte", lambda: _apart(_one(b"1")), line=_line(b"1"), count=1),
    Hostile(
        "a gzip name of 10 MiB",
        lambda: _member(_NAMED + b"n" * (10 * _MIB) + b"\0", _one(b"1")),
        line=_line(b"1"),
        count=1,
    ),
    Hostile("a gzip name without an end", lambda: _NAMED + b"n" * (10 * _MIB), "BAD_GZIP"),
    Hostile(
        "a gzip extra field of 65,535 bytes",
        lambda: _member(_EXTRA + b"\xff\xff" + bytes(65_535), _one(b"1")),
        line=_line(b"1"),
        count=1,
    ),
    Hostile("zeros behind the member", lambda: gzip.compress(_one(b"1")) + bytes(512), "BAD_GZIP"),
    Hostile("nesting of 1,000,000", lambda: gzip.compress(_one(_DEEP)), "BAD_JSON"),
    Hostile("nesting of 1,000,000 in front", lambda: gzip.compress(_DEEP), "BAD_JSON"),
    Hostile("a number of 10 MiB", lambda: gzip.compress(_one(_DIGITS)), None, _line(_DIGITS), 1),
    Hostile("2 Mi escapes", lambda: gzip.compress(_one(_ESCAPES)), None, _line(_ESCAPES), 1),
    Hostile("1,000,000 names", lambda: gzip.compress(_one(_NAMES)), None, _line(_NAMES), 1),
    Hostile(
        "a record of 100 MiB",
        lambda: _squeezed(iter([_HEAD, b'{"v":"', *[b"x" * _MIB] * 100, b'"}', _TAIL])),
        line=_line(b'"' + b"x" * (100 * _MIB) + b'"'),
        count=1,
    ),
    Hostile(
        "100 MiB whose last byte is no UTF-8",
        lambda: _squeezed(iter([_HEAD, b'{"v":"', *[b"x" * _MIB] * 100, b"\xff", b'"}', _TAIL])),
        "BAD_JSON",
    ),
    Hostile("control characters in text", lambda: _one(b'"\x00\x1b"'), "BAD_JSON"),
    Hostile("odd characters in text", lambda: _one(_ODD_TEXT), None, _line(_ODD_TEXT), 1),
    Hostile("5,000,000 records", lambda: _records(b"{}", 5_000_000), count=5_000_000, slow=True),
    Hostile("40,000,000 records", lambda: _records(b"{}", 40_000_000), count=40_000_000, slow=True),
    Hostile(
        "40,000,000 values before Records",
        lambda: _squeezed(iter([b'{"a":[', *[b"0," * 500_000] * 80, b"0],", _one(b"1")[1:]])),
        line=_line(b"1"),
        count=1,
        slow=True,
    ),
)


def _apart(text: bytes) -> bytes:
    return b"".join(gzip.compress(text[at : at + 1]) for at in range(len(text)))


#: Names below the folder of a day; each is a source of its own (L4).
KEYS: tuple[str, ...] = (
    " ",
    "a b+c%2Bd%",
    "a//b///c",
    "%00%0A%FF",
    "\u0001\u001b[31m\u007f",
    "\u0085\u2028\u202e",
    "\U0001f600\ufdfd",
    "&amp;<Key>]]>",
    "'\"`$(id);\\",
    "..",
    "./../..//.",
    "AWSLogs/111122223333/CloudTrail/eu-west-1/2024/02/08/a.json",
    "?list-type=2&prefix=#",
    "x" * 900,
)
