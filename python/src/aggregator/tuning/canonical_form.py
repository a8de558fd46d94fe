"""The splitter for CloudTrail's own form, ``{"Records":[{...},{...}]}``. Skip on first reading.

The plain version is the splitter's ``split_any``, which takes every form, and 2.55 times the CPU of
a run. The rounds are described in docs/performance/python.md.
"""

from collections.abc import Callable
from itertools import batched

import msgspec

_OPENING = b'{"Records":['
_RECORDS = 1000  # between two looks at the time
_MAX_ELEMENTS = 3_000_000  # msgspec takes 72 bytes for each, however short its text is


class _File(msgspec.Struct):
    Records: list[msgspec.Raw]


_FILE = msgspec.json.Decoder(_File)


def split_canonical(text: bytes, max_depth: int, check: Callable[[], None]) -> bytes | None:
    """The lines of UTF-8 in this form; ``None`` when it has another form, or may be too deep."""
    text = text.removesuffix(b"\n")
    # There is one comma less than elements, and more in the records.
    too_many = len(text) > _MAX_ELEMENTS and text.count(b",") >= _MAX_ELEMENTS
    if too_many or not text.startswith(_OPENING) or b"\n" in text or b"\r" in text:
        return None
    try:
        records = _FILE.decode(text).Records
    except (msgspec.DecodeError, RecursionError):
        return None  # a fault, or a lone surrogate, which RFC 8259 allows
    # msgspec ignores spaces and other members: there are none if the records fill the text.
    commas = max(len(records) - 1, 0)
    if len(_OPENING) + sum(map(len, records)) + commas + len(b"]}") != len(text):
        return None
    may_be_deep = _openings(text) > max_depth
    start = len(_OPENING)
    for some in batched(records, _RECORDS, strict=False):
        check()
        for record in some:
            if not text.startswith(b"{", start):
                return None
            if may_be_deep and _openings(bytes(record)) > max_depth - 2:  # the text adds two levels
                return None
            start += len(record) + 1
    return b"\n".join([*records, b""])


def _openings(text: bytes) -> int:
    """How many brackets open; ``count`` would look at each byte and take twice the time."""
    rest = text.replace(b"{", b"")
    return len(text) - len(rest.replace(b"[", b""))
