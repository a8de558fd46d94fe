import pytest
from memory_store import in_time

from aggregator.splitter import MAX_DEPTH
from aggregator.tuning.canonical_form import split_canonical


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        (b'{"Records":[]}', b""),
        (b'{"Records":[{"a":[1, 2]},{}]}\n', b'{"a":[1, 2]}\n{}\n'),
        (b'{"Records":[' + b'{"a":[]},' * 500 + b"{}]}", b'{"a":[]}\n' * 500 + b"{}\n"),
        (b'{"Records":[{"a":' + b"[" * 497 + b"]" * 497 + b"}]}", None),
    ],
    ids=["none", "two", "many brackets", "deep"],
)
def test_texts_in_this_form(text: bytes, lines: bytes | None) -> None:
    if lines is None:  # as deep as is allowed
        lines = text.removeprefix(b'{"Records":[').removesuffix(b"]}") + b"\n"
    assert split_canonical(text, MAX_DEPTH, in_time) == lines


@pytest.mark.parametrize(
    "text",
    [
        b'{"Records":[{}] }',
        b'{"Records":[{}, {}]}',
        b'{"Records":[{}],"a":1}',
        b'{"Records":[{}],"Records":[]}',
        b'{"Records":[{"a":\r1}]}',
        b'{"Records":[1]}',
        b'{"Records":[{}',
        rb'{"Records":[{"a":"\ud800"}]}',
        b'{"Records":[{"a":' + b"[" * 498 + b"]" * 498 + b"}]}",
    ],
)
def test_other_texts_are_left_to_the_plain_version(text: bytes) -> None:
    assert split_canonical(text, MAX_DEPTH, in_time) is None
