import json
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from memory_store import in_time

from aggregator import splitter
from aggregator.errors import BadSourceError
from aggregator.splitter import split_any, split_records
from aggregator.tuning.canonical_form import split_canonical


def code_of(text: bytes) -> str:
    with pytest.raises(BadSourceError) as caught:
        split_records(text, in_time)
    return caught.value.code


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        (b'{"Records":[]}', b""),
        (b'{"Records":[{"a":1},{"b":[1.0,1E5,-0]}]}', b'{"a":1}\n{"b":[1.0,1E5,-0]}\n'),
        (b'{"Records":[{}]}\n', b"{}\n"),
        (b' {"x":[{}],"Records" : [ {"a" :\t1} ,\n{"a":2,\r\n"a":3} ] ,"y":0}\r\n', None),
        (rb'{"\u0052ecords":[{"a":"\ud800 ]},{\" \\"}]}', None),
        (rb'{"Records":[{"a":"\ud800"}]}', None),
        ('{"Records":[{"é":"日本"}]}'.encode(), '{"é":"日本"}\n'.encode()),
        (b'{"Records":[{"n":%s}]}' % (b"9" * 10_000), b'{"n":%s}\n' % (b"9" * 10_000)),
    ],
)
def test_records_are_their_text(text: bytes, lines: bytes | None) -> None:
    if lines is None:
        lines = {
            b" ": b'{"a" :\t1}\n{"a":2,"a":3}\n',
            b"{": text[text.index(b"[") + 1 : text.rindex(b"]")] + b"\n",
        }[text[:1]]
    assert split_records(text, in_time) == lines


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"[]",
        b'{"Records":[{}]}x',
        b'{"Records":[{}],}',
        b'{"Records":[{},]}',
        b'{"Records":[{} {}]}',
        b'{"Records":[{"a":01}]}',
        b'{"Records":[{"a":NaN}]}',
        b'{"Records":[{"a":-Infinity}]}',
        b'{"Records":[{"a":"\x01"}]}',
        b'{"Records":[{"a":"\xff"}]}',
        b'{"Records":[{"a":"\xed\xa0\x80"}]}',
        b'\xef\xbb\xbf{"Records":[{}]}',
        b'{"Records":[1],"x":}',
        b"{Records:[{}]}",
        b'{"Records":[{}]',
    ],
)
def test_not_json(text: bytes) -> None:
    assert code_of(text) == "BAD_JSON"


@pytest.mark.parametrize(
    "text",
    [
        b"{}",
        b'{"records":[{}]}',
        b'{"Records":{}}',
        b'{"Records":null}',
        b'{"Records":[{},1]}',
        b'{"Records":["{}"]}',
        b'{"Records":[[{}]]}',
        b'{"Records":[{}],"Records":[{}]}',
        rb'{"Records":[],"Record\u0073":[]}',
    ],
)
def test_no_records(text: bytes) -> None:
    assert code_of(text) == "NO_RECORDS"


@pytest.mark.parametrize("form", ['{"Records":[{"a":%s}]}', '{"Records":[{"a":%s}] }'])
def test_nesting(form: str) -> None:
    def text(depth: int) -> bytes:
        inner = depth - 3  # the file's object, the array and the record are three levels
        return (form % ("[" * inner + '"]]{["' + "]" * inner)).encode()

    assert split_records(text(500), in_time).count(b"\n") == 1
    assert code_of(text(501)) == "BAD_JSON"
    assert code_of(text(100_000)) == "BAD_JSON"
    brackets_in_text = json.dumps({"a": "[{" * 1000}).encode()
    assert (
        split_records(b'{"Records":[%s]}' % brackets_in_text, in_time) == brackets_in_text + b"\n"
    )


def test_nesting_beside_the_records() -> None:
    def text(depth: int) -> bytes:
        return b'{"x":%s,"Records":[]}' % (b"[" * (depth - 1) + b"]" * (depth - 1))

    assert split_records(text(500), in_time) == b""
    assert code_of(text(501)) == "BAD_JSON"


def test_surrogates_are_masked_and_nothing_else() -> None:
    for text, masked in (
        (rb"\ud800\uDFFF\\ud800\\\udc00\u00e9\n", rb"\u0041\u0041\\ud800\\\u0041\u00e9\n"),
        (rb"\ud80", rb"\ud80"),
        (b"\\", b"\\"),
        (b"\\\n\\ud800", b"\\\n\\u0041"),
    ):
        assert splitter._without_surrogates(text, in_time) == masked
    assert code_of(rb'{"Records":[{"a":"\ud800\ud8"}]}') == "BAD_JSON"
    assert code_of(rb'{"Records":[{"a":"\ud800",}]}') == "BAD_JSON"


def test_names_that_only_look_like_records() -> None:
    text = rb'{"\\u0052ecords":1,"Records ":[1],"\ud800":2,"x":"Records","":{"Records":[3]}%s}'
    assert code_of(text % b"") == "NO_RECORDS"
    assert (
        split_records(text % rb',"\u0052\u0065\u0063\u006f\u0072\u0064\u0073":[{}]', in_time)
        == b"{}\n"
    )


MANY = 1 << 20
NAMES = ",".join(f'"{n:x}":0' for n in range(MANY // 9)).encode()


@pytest.mark.parametrize(
    "text",
    [
        b'{"Records": [{"a":[' + b"0," * (MANY // 2) + b"0]}]}",
        b'{"Records": [{' + NAMES + b"}]}",
        b'{"Records": [{}],' + NAMES + b"}",
        b'{"Records": [{}],"a":[' + b"{}," * (MANY // 3) + b"{}]}",
        b'{"Records": [' + b"{}," * (MANY // 3) + b"{}]}",
        b'{"Records": [{"a":"' + rb"\n" * (MANY // 2) + b'"}]}',
        b'{"Records": [{"a":"' + rb"\ud800" * (MANY // 6) + b'"}]}',
    ],
    ids=["numbers", "names", "members", "objects", "records", "escapes", "surrogates"],
)
def test_memory_is_bounded_by_the_text(text: bytes) -> None:
    tracemalloc.start()
    try:
        split_records(text, in_time)
        assert tracemalloc.get_traced_memory()[1] < 5 * len(text)
    finally:
        tracemalloc.stop()


PIECES = (
    rb"""{"Records":[ ]} { } [ ] , : " "a":1 {} {"a":1} \ \u00e9 0 .5 e9 - null Records""".split(
        b" "
    )
)
OTHERS = [b" ", b"\n", b"\xc3", b"\xa9", b'{"a":1}', b","]
TEXTS = st.lists(st.sampled_from(PIECES + OTHERS), max_size=8)


@settings(deadline=None, derandomize=True)
@given(TEXTS)
def test_both_ways_agree(pieces: list[bytes]) -> None:
    text = b'{"Records":[' + b"".join(pieces) + b"]}"
    canonical = (
        split_canonical(text, splitter.MAX_DEPTH, in_time)
        if splitter._is_utf8(text, in_time)
        else None
    )
    if canonical is not None:
        assert split_any(text, in_time) == canonical


class TimeIsUpError(Exception):
    pass


@pytest.mark.parametrize(
    ("text", "looks"),
    [
        (b'{"Records":[' + b"{}," * 3000 + b"{}]}", 4),  # canonical: one in 1,000 records
        (b'{ "Records":[' + b"{}," * 3000 + b"{}]}", 3000),
        (b'{ "Records":[{"a":[' + b"[]," * 9000 + b"[]]}]}", 4),  # one in 4,096 brackets
        (b'{"Records":[{"a":"' + b"\\ud800" * 9000 + b'"}]}', 2),
        ('{"a":"é'.encode() + b" " * (3 << 20), 3),
    ],
)
def test_the_time_is_checked_within_a_source(text: bytes, looks: int) -> None:
    left = looks - 1

    def check() -> None:
        nonlocal left
        if left == 0:
            raise TimeIsUpError
        left -= 1

    with pytest.raises(TimeIsUpError):
        split_records(text, check)
