"""The judge of outputs finds each kind of wrong output: one test for each kind."""

from __future__ import annotations

import gzip
import json
from datetime import date
from pathlib import Path

import pytest

from harness.fixtures.chunks import Chunk
from harness.fixtures.staging import ExpectedDay, StagedObject, stage
from harness.verify.outputs import Agreement, Difference, excerpt, verify, verify_destination

RECORDS = (
    b'{"id":1,"in":1.0,"city":"Z\xc3\xbcrich"}',
    b'{"id":2,"in":243.0}',
    b'{"id":3,"t":1.688560107857E9}',
    b'{"id":4}',
    b'{"id":5,"nested":{"a":1,"b":2}}',
)
PREFIX = "2024/02/08/"
FIRST, SECOND = f"{PREFIX}000001.ndjson.gz", f"{PREFIX}000002.ndjson.gz"
MANIFEST = f"{PREFIX}_manifest.json"


@pytest.fixture
def expected(tmp_path: Path) -> ExpectedDay:
    objects = [StagedObject("a", b"", None, RECORDS)]
    return stage(objects, lambda _: None, tmp_path, date(2024, 2, 8), chunk_bytes=70)


def packed(text: bytes) -> bytes:
    return gzip.compress(text, 1, mtime=0)[:8] + b"\x00\xff" + gzip.compress(text, 1, mtime=0)[10:]


def lines(*records: bytes) -> bytes:
    return b"".join(record + b"\n" for record in records)


def written(expected: ExpectedDay) -> dict[str, bytes]:
    """A correct destination."""
    objects = {chunk.key: packed(b"".join(chunk.lines())) for chunk in expected.chunks}
    return {**objects, MANIFEST: json.dumps(expected.manifest()).encode()}


def judged(expected: ExpectedDay, changes: dict[str, bytes | None]) -> Difference | None:
    objects = written(expected) | changes
    return verify_destination(expected, {k: v for k, v in objects.items() if v is not None})


def failed(expected: ExpectedDay, changes: dict[str, bytes | None]) -> Difference:
    found = judged(expected, changes)
    assert found is not None
    return found


def test_the_same_bytes_match(expected: ExpectedDay) -> None:
    assert [chunk.records for chunk in expected.chunks] == [3, 2]
    assert judged(expected, {}) is None


def test_the_manifest_s_layout_does_not_matter(expected: ExpectedDay) -> None:
    text = json.dumps(expected.manifest(), indent=3, sort_keys=True).encode()
    assert judged(expected, {MANIFEST: text}) is None


def test_a_dropped_record(expected: ExpectedDay) -> None:
    found = failed(expected, {FIRST: packed(lines(RECORDS[0], RECORDS[2]))})
    assert (found.key, found.line, found.column) == (FIRST, 2, 7)
    assert found.agreement is Agreement.NONE
    assert found.expected == '{"id":2,"in":243.0}\\u000a'
    assert found.actual == '{"id":3,"t":1.688560107857E9}\\u000a'


def test_a_dropped_last_record(expected: ExpectedDay) -> None:
    found = failed(expected, {SECOND: packed(lines(RECORDS[3]))})
    assert (found.line, found.what) == (2, "the chunk ends too early")
    assert found.actual is None


def test_a_swapped_pair(expected: ExpectedDay) -> None:
    found = failed(expected, {SECOND: packed(lines(RECORDS[4], RECORDS[3]))})
    assert (found.key, found.line, found.column) == (SECOND, 1, 7)
    assert found.agreement is Agreement.RECORDS


def test_a_rounded_number(expected: ExpectedDay) -> None:
    rounded = RECORDS[0].replace(b"1.0", b"1")
    found = failed(expected, {FIRST: packed(lines(rounded, *RECORDS[1:3]))})
    assert (found.line, found.column) == (1, 15)
    assert found.agreement is Agreement.VALUES
    assert '"in":1.0,' in (found.expected or "")
    assert '"in":1,' in (found.actual or "")


def test_an_exponent_written_out_is_the_same_value(expected: ExpectedDay) -> None:
    plain = RECORDS[2].replace(b"1.688560107857E9", b"1688560107.857")
    found = failed(expected, {FIRST: packed(lines(*RECORDS[:2], plain))})
    assert found.agreement is Agreement.VALUES


def test_a_number_that_lost_digits_is_another_value(expected: ExpectedDay) -> None:
    cut = RECORDS[2].replace(b"1.688560107857E9", b"1.68856010785E9")
    found = failed(expected, {FIRST: packed(lines(*RECORDS[:2], cut))})
    assert found.agreement is Agreement.NONE


def test_a_doubled_line(expected: ExpectedDay) -> None:
    found = failed(expected, {SECOND: packed(lines(*RECORDS[3:], RECORDS[4]))})
    assert (found.line, found.what) == (3, "the chunk has more lines")
    assert found.agreement is Agreement.NONE


def test_a_moved_chunk_border(expected: ExpectedDay) -> None:
    moved: dict[str, bytes | None] = {
        FIRST: packed(lines(*RECORDS[:2])),
        SECOND: packed(lines(*RECORDS[2:])),
    }
    found = failed(expected, moved)
    assert (found.key, found.line) == (FIRST, 3)
    assert found.agreement is Agreement.RECORDS


def test_changed_key_order(expected: ExpectedDay) -> None:
    turned = b'{"id":5,"nested":{"b":2,"a":1}}'
    found = failed(expected, {SECOND: packed(lines(RECORDS[3], turned))})
    assert (found.line, found.agreement) == (2, Agreement.VALUES)


def test_crlf(expected: ExpectedDay) -> None:
    text = lines(*RECORDS[3:]).replace(b"\n", b"\r\n")
    found = failed(expected, {SECOND: packed(text)})
    assert (found.line, found.column, found.agreement) == (1, 9, Agreement.VALUES)
    assert found.actual == '{"id":4}\\u000d\\u000a'


def test_a_missing_last_line_end(expected: ExpectedDay) -> None:
    found = failed(expected, {SECOND: packed(lines(*RECORDS[3:])[:-1])})
    assert (found.line, found.column) == (2, len(RECORDS[4]) + 1)


@pytest.mark.parametrize(("key", "agreement"), [(FIRST, "missing"), (SECOND, "missing")])
def test_a_missing_chunk(expected: ExpectedDay, key: str, agreement: str) -> None:
    found = failed(expected, {key: None})
    assert found.key == key
    assert agreement in found.what


def test_an_extra_chunk(expected: ExpectedDay) -> None:
    key = f"{PREFIX}000003.ndjson.gz"
    found = failed(expected, {key: packed(lines(RECORDS[0]))})
    assert (found.key, found.what) == (key, "a chunk that should not be there")


def test_a_hidden_chunk_that_was_left(expected: ExpectedDay) -> None:
    key = f"{PREFIX}_3f2a-000001.ndjson.gz"
    found = failed(expected, {key: packed(b"")})
    assert (found.key, found.what) == (key, "a hidden chunk was left (W7)")


def test_an_object_elsewhere(expected: ExpectedDay) -> None:
    assert failed(expected, {"2024/02/07/000001.ndjson.gz": b""}).key.startswith("2024/02/07")


def test_a_missing_manifest(expected: ExpectedDay) -> None:
    assert failed(expected, {MANIFEST: None}).what == "the manifest is missing"


@pytest.mark.parametrize("member", ["records", "bytes", "sources", "day", "deleted"])
def test_a_wrong_figure_in_the_manifest(expected: ExpectedDay, member: str) -> None:
    manifest = json.loads(json.dumps(expected.manifest()))
    manifest["result"][member] = 7.5
    assert "manifest differs" in failed(expected, {MANIFEST: json.dumps(manifest).encode()}).what


def test_a_manifest_with_chunks_in_another_order(expected: ExpectedDay) -> None:
    manifest = json.loads(json.dumps(expected.manifest()))
    manifest["chunks"].reverse()
    assert failed(expected, {MANIFEST: json.dumps(manifest).encode()}).key == MANIFEST


def test_a_float_for_an_integer_in_the_manifest(expected: ExpectedDay) -> None:
    text = json.dumps(expected.manifest()).replace('"bad": 0', '"bad": 0.0').encode()
    assert failed(expected, {MANIFEST: text}).key == MANIFEST


@pytest.mark.parametrize("body", [b"{", b"", b"\xff"])
def test_a_manifest_that_is_no_json(expected: ExpectedDay, body: bytes) -> None:
    assert "not JSON" in failed(expected, {MANIFEST: body}).what


@pytest.mark.parametrize("body", [b"plain", packed(lines(*RECORDS[:3]))[:-5], b""])
def test_a_chunk_that_is_no_gzip_is_a_difference_not_a_crash(
    expected: ExpectedDay, body: bytes
) -> None:
    assert failed(expected, {FIRST: body}).key == FIRST


def test_a_later_broken_chunk_does_not_hide_the_first_difference(expected: ExpectedDay) -> None:
    found = failed(expected, {FIRST: packed(lines(RECORDS[1])), SECOND: b"plain"})
    assert (found.key, found.line) == (FIRST, 1)


def test_a_gzip_header_with_a_time(expected: ExpectedDay) -> None:
    body = gzip.compress(lines(*RECORDS[3:]), mtime=1)
    assert "W1" in failed(expected, {SECOND: body}).what


def test_lines_that_are_no_json_still_differ() -> None:
    found = verify([Chunk("k", b"{\n", gzipped=False)], [Chunk("k", b"[" * 99_999, gzipped=False)])
    assert found is not None
    assert found.agreement is Agreement.NONE


def test_more_than_nine_chunks_are_taken_in_order() -> None:
    names = [f"{PREFIX}{n:06d}.ndjson.gz" for n in (1, 2, 10, 1_000_000)]
    chunks = [Chunk(name, name.encode(), gzipped=False) for name in names]
    assert verify(chunks, list(chunks)) is None


def test_an_excerpt_is_cut_between_characters_and_shows_control_characters() -> None:
    text = ("ü" * 100 + "\x1b" + "€" * 100).encode()
    shown = excerpt(text, 200)
    assert shown.startswith("…ü")
    assert shown.endswith("€…")
    assert "\\u001b" in shown
    assert "\\x" not in shown


def test_a_difference_reads_as_text(expected: ExpectedDay) -> None:
    found = failed(expected, {SECOND: packed(lines(RECORDS[4], RECORDS[3]))})
    assert str(found).splitlines() == [
        f"{SECOND}, line 1, byte 7: differs (the same records, in another order or cut otherwise)",
        '  expected: {"id":4}\\u000a',
        '  actual:   {"id":5,"nested":{"a":1,"b":2}}\\u000a',
    ]
