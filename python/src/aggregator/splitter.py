"""Step: splitter (SPEC R6-R8, B3, C1). A source's text becomes lines, one per record, untouched.

Almost every source is ``{"Records":[{...},...]}`` without a space between the records: msgspec
slices those. In whatever is not exactly that, msgspec checks the grammar and regular expressions
find the records, slower. Neither way builds the values: what a source says takes no more memory
than its text. Holds the text, its lines and, on the slow way, the text once more.
"""

import codecs
import re

import msgspec

from aggregator.errors import BadSourceError
from aggregator.trigger import STRICT_JSON

MAX_DEPTH = 500

_OPEN = b'{"Records":['
_CLOSE = b"]}"
_MAX_SLICES = 2_000_000  # a slice is an object of about 100 bytes, whatever it shows
_PIECE = 1 << 20

# These step over what is known to be JSON. Possessive: no way back, so nothing to remember.
_BETWEEN = re.compile(rb"[ \t\r\n,:]*+")
_STRING = rb'"(?:[^"\\]++|\\.)*+"'
_NO_BRACKETS = rb'(?:[^"\[\]{}]++|' + _STRING + rb")*+"
_TO_BRACKET = re.compile(_NO_BRACKETS + rb"([\[\]{}])")
_FLAT = re.compile(rb"[\[{]" + _NO_BRACKETS + rb"[\]}]|" + _STRING + rb'|[^"\[\]{} \t\r\n,:]++')
_SURROGATE = rb"\\u[dD][89a-fA-F][0-9a-fA-F]{2}"
_TO_SURROGATE = re.compile(
    rb"(?:[^\\]++|(?!" + _SURROGATE + rb")\\.)*+(" + _SURROGATE + rb")?+", re.DOTALL
)


class _File(msgspec.Struct):
    Records: list[msgspec.Raw]


_FILE = msgspec.json.Decoder(_File)
_ANY = msgspec.json.Decoder(msgspec.Raw)


def split_records(text: bytes) -> bytes | bytearray:
    """The records, each with CR and LF removed and one LF added.

    Raise ``BAD_JSON`` or ``NO_RECORDS`` when any byte of the text is against the contract.
    """
    if not _is_utf8(text):
        raise BadSourceError("BAD_JSON")
    lines = _split_canonical(text)
    return _split_any(text) if lines is None else lines


def count_rare(text: bytes, byte: bytes) -> int:
    """As ``text.count(byte)``, which looks at each byte; this goes from find to find, sooner."""
    return len(text) - len(text.replace(byte, b""))


def _is_utf8(text: bytes) -> bool:
    if text.isascii():
        return True
    try:
        if len(text) <= _PIECE:
            text.decode()
        else:
            decoder = codecs.getincrementaldecoder("utf-8")()
            for at in range(0, len(text), _PIECE):
                decoder.decode(text[at : at + _PIECE])
            decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def _split_canonical(text: bytes) -> bytes | None:
    """The lines of a text in CloudTrail's own form; ``None`` says nothing about any other."""
    newline = text.find(b"\n")
    if newline not in (-1, len(text) - 1) or b"\r" in text:
        return None
    openings = count_rare(text, b"{") + count_rare(text, b"[")
    if not text.startswith(_OPEN) or openings > _MAX_SLICES:
        return None
    try:
        records = _FILE.decode(text).Records
    except (msgspec.DecodeError, RecursionError):
        return None  # perhaps a lone surrogate, which is grammar
    # Nothing but the records accounts for every byte: so there is no other member, no space.
    commas = max(len(records) - 1, 0)
    size = len(_OPEN) + sum(map(len, records)) + commas + len(_CLOSE) + (newline >= 0)
    if size != len(text):
        return None
    start = len(_OPEN)
    for record in records:
        end = start + len(record)
        if not text.startswith(b"{", start):
            return None
        if openings > MAX_DEPTH and _may_be_deep(text, start, end):
            _value_end(text, start, level=2)
        start = end + 1
    return b"".join((b"\n".join(records), b"\n")) if records else b""


def _may_be_deep(text: bytes, start: int, end: int) -> bool:
    return text.count(b"{", start, end) + text.count(b"[", start, end) > MAX_DEPTH - 2


def _split_any(text: bytes) -> bytearray:
    if not _is_json(text):
        raise BadSourceError("BAD_JSON")
    text = text.translate(None, b"\r\n")  # JSON has them between tokens only
    at = _next_token(text, 0)
    if not text.startswith(b"{", at):
        raise BadSourceError("BAD_JSON")
    lines = bytearray()
    readable: list[bool] = []
    while not text.startswith(b"}", at := _next_token(text, at + 1)):
        name_end = _value_end(text, at, level=1)
        is_records = _is_records(text, at, name_end)
        at = _next_token(text, name_end)
        if is_records and text.startswith(b"[", at):
            readable.append(_add_records(text, at, lines))
        elif is_records:
            readable.append(False)
        at = _value_end(text, at, level=1) - 1
    if readable != [True]:
        raise BadSourceError("NO_RECORDS")
    return lines


def _is_records(text: bytes, start: int, end: int) -> bool:
    short = end - start <= len(rb'"\u0052\u0065\u0063\u006f\u0072\u0064\u0073"')
    return short and STRICT_JSON.decode(text[start:end].decode()) == "Records"


def _add_records(text: bytes, start: int, lines: bytearray) -> bool:
    """Add an array's elements to the lines; whether all of them are objects."""
    view = memoryview(text)
    at = start
    while not text.startswith(b"]", at := _next_token(text, at + 1)):
        if not text.startswith(b"{", at):
            return False
        end = _value_end(text, at, level=2)
        lines += view[at:end]
        lines += b"\n"
        at = end - 1
    return True


def _next_token(text: bytes, at: int) -> int:
    """Where the next name, value or closing bracket begins, in a text that is JSON."""
    match = _BETWEEN.match(text, at)
    return match.end() if match else at


def _value_end(text: bytes, start: int, level: int) -> int:
    """Where a value ends that stands inside ``level`` others; ``BAD_JSON`` when too deep (R7)."""
    flat = _FLAT.match(text, start)
    if flat:
        return flat.end()
    depth = level
    for match in _TO_BRACKET.finditer(text, start):
        if match[1] in (b"{", b"["):
            depth += 1
            if depth > MAX_DEPTH:
                break
        else:
            depth -= 1
            if depth == level:
                return match.end()
    raise BadSourceError("BAD_JSON")


def _is_json(text: bytes) -> bool:
    """Whether UTF-8 is one JSON value; nothing is built of it."""
    try:
        _ANY.decode(text)
    except RecursionError:
        return False
    except msgspec.DecodeError:
        masked = _mask_surrogates(text)
    else:
        return True
    try:
        _ANY.decode(masked)
    except (msgspec.DecodeError, RecursionError):
        return False
    return True


def _mask_surrogates(text: bytes) -> bytearray:
    """A copy with harmless escapes for those of surrogates, which msgspec takes in pairs only."""
    masked = bytearray(text)
    for match in _TO_SURROGATE.finditer(text):
        if match[1]:
            masked[match.start(1) : match.end(1)] = rb"\u0041"
    return masked
