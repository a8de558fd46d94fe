"""Step: splitter (SPEC R6-R8, C1, B3). A source's text becomes lines, one per record, unchanged.

msgspec checks the grammar, and regular expressions find the records. ``split_canonical`` does the
same faster for CloudTrail's own form. Holds the text, its lines, and one more copy of the text.
"""

import codecs
import json
import re
from collections.abc import Callable, Iterable, Iterator
from itertools import batched

import msgspec

from aggregator.errors import BadSourceError
from aggregator.tuning.canonical_form import split_canonical

MAX_DEPTH = 500

_PIECE = 1 << 20
_MATCHES = 4096  # between two looks at the time

# For text that is known to be JSON. The possessive ``++`` and ``*+`` never try a shorter match:
# without them the memory of a match grows with its length.
_TOKEN_START = re.compile(rb"[^ \t\r\n,:]")
_STRING = rb'"(?:[^"\\]++|\\.)*+"'
_SCALAR = re.compile(_STRING + rb'|[^"\[\]{} \t\r\n,:]++')
_TO_BRACKET = re.compile(rb'(?:[^"\[\]{}]++|' + _STRING + rb")*+([\[\]{}])")  # strings are skipped
_SURROGATE = re.compile(rb"(?<!\\)(?:\\\\)*+\\u[dD][89a-fA-F][0-9a-fA-F]{2}")


_ANY = msgspec.json.Decoder(msgspec.Raw)

type Check = Callable[[], None]  #: raises when the time is up (E6)


def split_records(text: bytes, check: Check) -> bytes | bytearray:
    """The records, each with CR and LF removed and one LF added.

    Raise ``BAD_JSON`` or ``NO_RECORDS`` when any byte of the text is against the contract.
    """
    if not _is_utf8(text, check):
        raise BadSourceError("BAD_JSON")
    lines = split_canonical(text, MAX_DEPTH, check)
    return split_any(text, check) if lines is None else lines


def _is_utf8(text: bytes, check: Check) -> bool:
    """Decodes piece by piece: decoded text may take four bytes for each character."""
    if text.isascii():
        return True
    at = 0
    try:
        while at < len(text):
            check()
            piece = text[at : at + _PIECE]
            at += codecs.utf_8_decode(piece, "strict", at + _PIECE >= len(text))[1]
    except UnicodeDecodeError:
        return False
    return True


def split_any(text: bytes, check: Check) -> bytearray:
    """As ``split_records``, for UTF-8."""
    if not _is_json(text, check):
        raise BadSourceError("BAD_JSON")
    text = text.translate(None, b"\r\n").lstrip(b" \t")  # CR and LF are between tokens only
    if not text.startswith(b"{"):
        raise BadSourceError("BAD_JSON")
    members = batched(_values(text, 0, 1, check), 2, strict=True)
    found = [value for (start, end), value in members if _is_records(text[start:end])]
    if len(found) != 1 or not text.startswith(b"[", found[0][0]):
        raise BadSourceError("NO_RECORDS")
    lines = bytearray()
    for start, end in _values(text, found[0][0], 2, check):
        if not text.startswith(b"{", start):
            raise BadSourceError("NO_RECORDS")
        lines += text[start:end] + b"\n"
    return lines


def _is_records(name: bytes) -> bool:
    longest = rb'"\u0052\u0065\u0063\u006f\u0072\u0064\u0073"'
    return len(name) <= len(longest) and json.loads(name) == "Records"


def _values(text: bytes, opening: int, level: int, check: Check) -> Iterator[tuple[int, int]]:
    """Where each value in an array or object begins and ends; an object's names count, too."""
    end = opening + 1
    while token := _TOKEN_START.search(text, end):
        check()
        start = token.start()
        if token[0] in (b"]", b"}"):
            return
        end = _value_end(text, start, level, check)
        yield start, end


def _value_end(text: bytes, start: int, level: int, check: Check) -> int:
    """Where a value ends; ``BAD_JSON`` when it is too deep (R7).

    ``level`` is that of the array or object around it: the file's object has level 1.
    """
    if scalar := _SCALAR.match(text, start):
        return scalar.end()
    depth = level
    for bracket in _checked(_TO_BRACKET.finditer(text, start), check):
        depth += 1 if bracket[1] in b"[{" else -1
        if depth == level:
            return bracket.end()
        if depth > MAX_DEPTH:
            break
    raise BadSourceError("BAD_JSON")


def _checked(matches: Iterable[re.Match[bytes]], check: Check) -> Iterator[re.Match[bytes]]:
    """The same matches, with a look at the time after many of them."""
    for number, match in enumerate(matches, 1):
        if number % _MATCHES == 0:
            check()
        yield match


def _is_json(text: bytes, check: Check) -> bool:
    """Whether UTF-8 is one JSON value; msgspec builds nothing of it."""
    try:
        try:
            _ANY.decode(text)
        except msgspec.DecodeError:
            _ANY.decode(_without_surrogates(text, check))
    except (msgspec.DecodeError, RecursionError):
        return False
    return True


def _without_surrogates(text: bytes, check: Check) -> bytearray:
    """A copy with another escape for each surrogate: msgspec refuses a lone one."""
    copy = bytearray(text)
    for match in _checked(_SURROGATE.finditer(text), check):
        copy[match.end() - 6 : match.end()] = rb"\u0041"
    return copy
