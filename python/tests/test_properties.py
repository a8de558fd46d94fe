"""Splitter and inflater against a slow reader, on bodies that hypothesis makes and damages.

from memory_store import in_time
``FUZZ_EXAMPLES=200000 pytest tests/test_properties.py`` looks longer, at others each time.
"""

import gzip
import os
import zlib
from collections.abc import Callable

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from memory_store import in_time
from slow_reader import inflated, lines_of

from aggregator.errors import BadSourceError
from aggregator.inflater import inflate
from aggregator.splitter import split_records

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "0"))
LOOK = settings(
    max_examples=EXAMPLES or 1500,
    derandomize=not EXAMPLES,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)

SPACE = st.sampled_from(["", "", "", " ", "\n", "\r\n\t", "  "])
PLAIN = ["0", "-0", "1.0", "1e5", "-1.5E-07", "9" * 400, "9007199254740993", "true", "null", "{}"]
STRINGS = [
    *['""', '"a"', '"\\\\"', '"\\""', '"\\u00e9"', '"\\ud800"', '"\\udc00\\ud800"', '"{[,]}"'],
    *['"\u2028\u00e9\U0001f600"', '"Records"', '"\\u0052ecords"', '"\\/\\b\\f\\n\\r\\t"'],
]
TOKENS = st.sampled_from(PLAIN + STRINGS)
NAMES = st.sampled_from(['"Records"', '"\\u0052ecords"', '"records"', '""', '"a"', '"\\n"'])


@st.composite
def joined(draw: st.DrawFn, opening: str, parts: st.SearchStrategy[str], closing: str) -> str:
    items = draw(st.lists(parts, max_size=4))
    padded = [f"{draw(SPACE)}{item}{draw(SPACE)}" for item in items]
    return f"{opening}{','.join(padded) or draw(SPACE)}{closing}"


@st.composite
def member(draw: st.DrawFn, values: st.SearchStrategy[str]) -> str:
    return f"{draw(NAMES)}{draw(SPACE)}:{draw(SPACE)}{draw(values)}"


VALUES = st.recursive(
    TOKENS, lambda inner: joined("[", inner, "]") | joined("{", member(inner), "}"), max_leaves=8
)
RECORD = joined("{", member(VALUES), "}")
DEEP = st.integers(495, 502).map(lambda levels: f'{{"a":{"[" * levels}{"]" * levels}}}')
RECORDS = joined("[", RECORD | RECORD | RECORD | DEEP | VALUES, "]")
CANONICAL = st.lists(RECORD, max_size=4).map(lambda all_: f'{{"Records":[{",".join(all_)}]}}')
OBJECT = joined("{", RECORDS.map('"Records":{}'.format) | member(VALUES), "}")
TEXTS = (CANONICAL | OBJECT | VALUES).map(lambda text: text.encode("utf-8", "surrogatepass"))
BITS = [b"\xff", b"\xc0\xaf", b"\xed\xa0\x80", b"\xef\xbb\xbf", b"\x00", b"NaN", b"//", b"\n", b","]
BITS += [b'"', b"\\", b"{", b"}", b"[", b"]", b"01", b"\x7f", b"\x1f\x8b", b"\x1f\x8b\x08\xe0"]


@st.composite
def damaged(draw: st.DrawFn, bodies: st.SearchStrategy[bytes]) -> bytes:
    body = draw(bodies)
    for _ in range(draw(st.integers(0, 2))):
        body = draw(changed(body))
    return body


@st.composite
def changed(draw: st.DrawFn, body: bytes) -> bytes:
    start, end = sorted(draw(st.tuples(*[st.integers(0, len(body))] * 2)))
    match draw(st.sampled_from(["cut", "drop", "double", "insert", "replace"])):
        case "cut":
            return body[:start]
        case "drop":
            return body[:start] + body[end:]
        case "double":
            return body[:end] + body[start:]
        case "insert":
            return body[:start] + draw(st.sampled_from(BITS)) + body[start:]
    return body[:start] + draw(st.binary(max_size=2)) + body[start + 1 :]


@st.composite
def gzip_member(draw: st.DrawFn) -> bytes:
    text = draw(st.binary(max_size=40) | st.just(b"x" * 70_000))
    packer = zlib.compressobj(draw(st.integers(0, 9)), wbits=-15)
    raw = packer.compress(text) + packer.flush()
    flags = draw(st.sampled_from([0, 0, 8, 16, 4, 2, 1, 31, 32, 128]))
    head = b"\x1f\x8b\x08" + bytes([flags]) + draw(st.binary(min_size=6, max_size=6))
    head += b"\x02\x00ab" if flags & 4 else b""
    head += b"name\x00" if flags & 8 else b""
    head += b"comment\x00" if flags & 16 else b""
    head += (zlib.crc32(head) & 0xFFFF).to_bytes(2, "little") if flags & 2 else b""
    return head + raw + zlib.crc32(text).to_bytes(4, "little") + len(text).to_bytes(4, "little")


BODIES = st.lists(gzip_member(), min_size=1, max_size=3).map(b"".join) | TEXTS.map(gzip.compress)


def outcome(read: Callable[[], bytes | bytearray]) -> bytes | str:
    try:
        return bytes(read())
    except BadSourceError as error:
        return error.code


@LOOK
@given(damaged(TEXTS))
def test_lines_are_those_of_a_slow_reader(text: bytes) -> None:
    assert outcome(lambda: split_records(text, in_time)) == lines_of(text)


@LOOK
@given(damaged(BODIES), st.integers(0, 80_000))
def test_text_is_that_of_a_slow_reader(body: bytes, limit: int) -> None:
    expected = inflated(body)
    found = outcome(lambda: inflate(body, limit, in_time))
    if expected is None:
        assert found in ("BAD_GZIP", "TOO_LARGE")  # either may be met first
        assert outcome(lambda: inflate(body, 1 << 30, in_time)) == "BAD_GZIP"
    else:
        assert found == (expected if len(expected) <= limit else "TOO_LARGE")
