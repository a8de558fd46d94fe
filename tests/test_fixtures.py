"""The generated day and the slow oracle for a real one."""

from __future__ import annotations

import gzip
import hashlib
import json
import re
import zlib
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from harness.fixtures.recipe import Recipe, make_day
from harness.fixtures.sources import BadSourceError, read_records, source_day
from harness.fixtures.staging import ExpectedDay, StagedObject, stage
from harness.model import UsageError

DAY = date(2024, 2, 8)
RECIPE = Recipe(seed=3, objects=300)


def sources(recipe: Recipe) -> list[StagedObject]:
    return [staged for staged in make_day(recipe) if staged.records is not None]


def staged_day(recipe: Recipe, folder: Path, chunk_bytes: int = 1 << 26) -> ExpectedDay:
    return stage(make_day(recipe), lambda _: None, folder, recipe.day, chunk_bytes)


def test_the_default_day_has_the_shape_of_the_reference_dataset(tmp_path: Path) -> None:
    expected = staged_day(Recipe(), tmp_path)
    assert expected.sources == 2000
    assert abs(expected.small_sources / expected.sources - 0.44) <= 0.02
    assert 4_000_000 <= expected.source_bytes <= 5_000_000
    assert 17_000_000 <= expected.size_bytes <= 19_500_000
    assert 13_000 <= expected.records <= 15_500


@pytest.mark.parametrize("share", [0.0, 0.2, 0.8, 1.0])
def test_the_small_share_is_met(share: float, tmp_path: Path) -> None:
    expected = staged_day(Recipe(objects=500, small_share=share), tmp_path)
    assert abs(expected.small_sources / 500 - share) <= 0.02


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others() -> None:
    assert list(make_day(RECIPE)) == list(make_day(RECIPE))
    assert sources(RECIPE) != sources(replace(RECIPE, seed=4))


def test_the_oracle_reads_the_generated_records() -> None:
    for staged in sources(replace(RECIPE, organisation=True)):
        assert read_records(staged.body) == staged.records, staged.key


def test_sources_are_in_key_order_in_both_layouts() -> None:
    keys = [staged.key.encode() for staged in sources(replace(RECIPE, organisation=True))]
    assert keys == sorted(set(keys))
    assert any(b"AWSLogs/o-" in key for key in keys)
    assert any(re.match(rb"AWSLogs/[0-9]{12}/", key) for key in keys)


def test_keys_are_named_as_cloudtrail_names_them() -> None:
    pattern = (
        r"AWSLogs/(?P<a>\d{12})/CloudTrail/(?P<r>[a-z0-9-]+)/2024/02/08/"
        r"(?P=a)_CloudTrail_(?P=r)_20240208T\d{4}Z_[A-Za-z0-9]{16}\.json(\.gz)?"
    )
    for staged in sources(RECIPE):
        assert re.fullmatch(pattern, staged.key), staged.key
        assert (staged.content_encoding == "gzip") == staged.key.endswith(".gz")


def test_neighbours_are_readable_but_not_of_the_day() -> None:
    neighbours = [staged for staged in make_day(RECIPE) if staged.records is None]
    assert {staged.key.split("/")[2] for staged in neighbours} == {
        "CloudTrail",
        "CloudTrail-Digest",
        "CloudTrail-Insight",
        "Config",
    }
    for staged in neighbours:
        assert len(read_records(staged.body)) == 1
        assert not re.search("/CloudTrail/[^/]+/2024/02/08/", staged.key)


def test_the_day_has_forms_that_json_libraries_change() -> None:
    day = sources(Recipe(objects=1500))
    bodies = [s.body if s.content_encoding is None else gzip.decompress(s.body) for s in day]
    text = b"\n".join(bodies)
    traps = {
        "float": rb'"bytesTransferredIn":\d+\.0',
        "exponent": rb":1\.\d+E9",
        "escape": rb"\\u003d",
        "raw non-ASCII": "Zürich".encode(),
        "JSON in a string": rb"\\n\\t\\\"Version",
        "pretty-printed": rb'\{\n  "Records"',
        "CRLF": rb"\r\n",
        "line end": rb"\]\}\n",
        "empty": rb'\{"Records":\[\]\}',
    }
    assert {name for name, pattern in traps.items() if not re.search(pattern, text)} == set()
    assert any(s.content_encoding is None for s in day)
    assert max(len(record) for s in day for record in s.records or ()) <= 40_000
    assert any(not record.isascii() for s in day for record in s.records or ())


def test_chunks_close_as_soon_as_they_are_full(tmp_path: Path) -> None:
    records = [record + b"\n" for staged in sources(RECIPE) for record in staged.records or ()]
    expected = staged_day(RECIPE, tmp_path, chunk_bytes=100_000)
    texts = [b"".join(chunk.lines()) for chunk in expected.chunks]
    assert b"".join(texts) == b"".join(records)
    for chunk, text in zip(expected.chunks, texts, strict=True):
        assert (chunk.records, chunk.size_bytes) == (text.count(b"\n"), len(text))
        last = text.splitlines(keepends=True)[-1]
        assert len(text) - len(last) < 100_000
        assert len(text) >= 100_000 or chunk is expected.chunks[-1]
    assert expected.chunks[0].key == "2024/02/08/000001.ndjson.gz"


def test_staging_refuses_sources_out_of_order(tmp_path: Path) -> None:
    objects = [StagedObject(key, b"", None, ()) for key in ("b", "a")]
    with pytest.raises(ValueError, match="out of key order at a"):
        stage(objects, lambda _: None, tmp_path, DAY, 1)


# ---- the slow oracle ----

GOOD = b'{"Records":[{"a":1}]}'


def _flip(body: bytes, at: int) -> bytes:
    return body[:at] + bytes([body[at] ^ 0xFF]) + body[at:][1:]


@pytest.mark.parametrize(
    ("body", "texts"),
    [
        (GOOD, [b'{"a":1}']),
        (GOOD + b"\n", [b'{"a":1}']),
        (gzip.compress(GOOD[:9], mtime=0) + gzip.compress(GOOD[9:], mtime=0), [b'{"a":1}']),
        (b'{"x":[],"Records" : [ {"a":\r\n 1.0E5} ,{} ],"y":null}', [b'{"a": 1.0E5}', b"{}"]),
        (b'{"Rec\\u006frds":[{"a":"\\ud800"}]}', [b'{"a":"\\ud800"}']),
        (b'{"Records":[{"a":' + b"9" * 5000 + b"}]}", [b'{"a":' + b"9" * 5000 + b"}"]),
        (b'{"Records":[]}', []),
    ],
)
def test_the_oracle_takes_texts_as_they_are(body: bytes, texts: list[bytes]) -> None:
    assert list(read_records(body)) == texts


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "BAD_JSON"),
        (b"\xef\xbb\xbf" + GOOD, "BAD_JSON"),
        (GOOD + b"{}", "BAD_JSON"),
        (b'{"Records":[{"a":NaN}]}', "BAD_JSON"),
        (b'{"Records":[{"a":"\xff"}]}', "BAD_JSON"),
        (b'{"Records":[{"a":1},]}', "BAD_JSON"),
        (b'{"Records":[' + b'{"a":' * 499 + b"1" + b"}" * 499 + b"]}", "BAD_JSON"),
        (b'{"Records":[' + b"[" * 200_000, "BAD_JSON"),
        (b"[]", "BAD_JSON"),
        (b'{"records":[]}', "NO_RECORDS"),
        (b'{"Records":[],"Records":[]}', "NO_RECORDS"),
        (b'{"Records":[1]}', "NO_RECORDS"),
        (b'{"Records":null}', "NO_RECORDS"),
        (gzip.compress(GOOD, mtime=0)[:-1], "BAD_GZIP"),
        (_flip(gzip.compress(GOOD, mtime=0), -8), "BAD_GZIP"),
        (gzip.compress(GOOD, mtime=0) + b"\0", "BAD_GZIP"),
        (gzip.compress(b" " * 2000, mtime=0), "TOO_LARGE"),
    ],
)
def test_the_oracle_names_the_code_of_a_bad_source(body: bytes, code: str) -> None:
    limit = 1000 if code == "TOO_LARGE" else 1 << 27
    with pytest.raises(BadSourceError, match=code):
        read_records(body, limit)


def test_the_oracle_takes_the_deepest_nesting_that_is_allowed() -> None:
    record = b'{"a":' * 498 + b"1" + b"}" * 498
    assert read_records(b'{"Records":[' + record + b"]}") == (record,)


# ---- a dataset in a folder ----

Put = Callable[[str, bytes], None]


@pytest.fixture
def put(tmp_path: Path) -> Put:
    def write(key: str, body: bytes) -> None:
        path = tmp_path / "dataset" / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)

    return write


def test_a_folder_s_day_is_found_below_it(put: Put, tmp_path: Path) -> None:
    account = "AWSLogs/111122223333/CloudTrail/us-east-1"
    put(f"{account}/2024/02/08/b.json", GOOD)
    put(f"{account}/2024/02/08/a.json.gz", gzip.compress(GOOD)[:-1])
    put(f"{account}/2024/02/09/c.json", GOOD)
    put("AWSLogs/111122223333/CloudTrail-Digest/us-east-1/2024/02/08/d.json", GOOD)
    put("AWSLogs/o-a1/111122223333/CloudTrail/us-east-1/2024/02/08/deep/e.json", GOOD)
    expected = stage(source_day(tmp_path, DAY), lambda _: None, tmp_path / "out", DAY, 1 << 20)
    assert (expected.sources, expected.records) == (3, 2)
    assert expected.bad == ((f"{account}/2024/02/08/a.json.gz", "BAD_GZIP"),)


def test_a_folder_without_the_day_names_the_days_that_exist(put: Put, tmp_path: Path) -> None:
    put("AWSLogs/111122223333/CloudTrail/us-east-1/2024/02/09/c.json", GOOD)
    with pytest.raises(UsageError, match=r"2024/02/08/\* file; days that exist: 2024-02-09"):
        source_day(tmp_path, DAY)


def test_a_folder_without_a_trail_is_refused_by_the_missing_name(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no folder AWSLogs in or below"):
        source_day(tmp_path, DAY)


def test_real_logs_give_the_records_that_their_manifest_counts(real_logs: Path) -> None:
    rows = [line.split("\t") for line in (real_logs / "MANIFEST.tsv").read_text().splitlines()[1:]]
    assert rows
    for organisation, day, files, records, fingerprint, _ in rows:
        found = [
            staged
            for staged in source_day(real_logs, date.fromisoformat(day))
            if ("AWSLogs/o-" in staged.key) == bool(organisation)
        ]
        texts = [record for staged in found for record in staged.records or ()]
        assert (len(found), len(texts)) == (int(files), int(records))
        hashes = (
            hashlib.sha256(json.dumps(json.loads(text), sort_keys=True).encode()).hexdigest()[:16]
            for text in texts
        )
        assert f"{sum(int(digits, 16) for digits in hashes) % 2**64:016x}" == fingerprint


def test_gzip_is_without_time() -> None:
    packed = [staged.body for staged in sources(RECIPE) if staged.content_encoding == "gzip"]
    assert {body[4:8] for body in packed} == {bytes(4)}
    assert all(zlib.decompress(body, wbits=31) for body in packed)
