"""P2 to P5, E10: the bounds of memory and of requests ahead, observed from outside."""

from __future__ import annotations

import gzip
from collections.abc import Mapping
from functools import cache

import pytest

from harness.model import Artefact, Invocation
from harness.targets.interface import Limits
from harness.targets.local import limits
from harness.targets.local.sandbox import LocalSandbox
from harness.verify.scripted_s3.scene import Fault, Stored
from harness.verify.scripted_s3.server import ScriptedS3
from harness.verify.vectors.cases import DESTINATION_BUCKET, SOURCE_BUCKET

pytestmark = pytest.mark.slow


EVENT = {"year": 2024, "month": 2, "day": 8}
FOLDER = "AWSLogs/111122223333/CloudTrail/eu-west-1/2024/02/08"
EMPTY = Stored(b'{"Records":[]}')
MIB = 1 << 20


def environment(artefact: Artefact, s3: ScriptedS3, **settings: str) -> Mapping[str, str]:
    buckets = {"SRC_BUCKET": SOURCE_BUCKET, "DST_BUCKET": DESTINATION_BUCKET}
    return s3.env() | buckets | artefact.implementation.choice | settings


def run(
    artefact: Artefact, s3: ScriptedS3, memory_mb: int | None = None, **settings: str
) -> Invocation:
    with LocalSandbox(artefact, environment(artefact, s3, **settings), memory_mb) as sandbox:
        return sandbox.invoke(EVENT)


def record(size: int) -> bytes:
    head = b'{"eventVersion":"1.08","requestParameters":{"bucketName":"b","n":1.5e3},"pad":"'
    return head + b"x" * (size - len(head) - 2) + b'"}'


def source(record_bytes: int, total_bytes: int) -> tuple[bytes, int]:
    """(inflated text of at least this size, number of its records)."""
    count = total_bytes // (record_bytes + 1) + 1
    return b'{"Records":[' + b",".join([record(record_bytes)] * count) + b"]}", count


@cache
def squeezed(head: bytes, part: bytes, times: int, tail: bytes) -> Stored:
    """A source in gzip; it is made once for all clients."""
    return Stored(gzip.compress(head + part * times + tail, 1), None, "gzip")


def test_twenty_sources_of_100_mib_at_1024_mb(artefact: Artefact, s3: ScriptedS3) -> None:
    """P3, P5: with the memory that the runtime is told to have, and its peak below that."""
    count = 100 * MIB // 2001 + 1
    body = squeezed(b'{"Records":[', record(2000) + b",", count - 1, record(2000) + b"]}")
    sources = {f"{FOLDER}/{number:03d}.json.gz": body for number in range(20)}
    s3.begin({SOURCE_BUCKET: sources, DESTINATION_BUCKET: {}})
    invocation = run(artefact, s3, memory_mb=1024)
    assert invocation.error is None
    assert isinstance(invocation.result, dict)
    assert invocation.result["records"] == 20 * count
    assert invocation.result["bytes"] == 20 * count * 2001
    line = record(2000) + b"\n"
    chunks = [each.body for key, each in s3.objects(DESTINATION_BUCKET).items() if key[-1] == "z"]
    assert len(chunks) == invocation.result["chunks"] > 20
    for each in set(chunks):  # nearly all are equal
        lines = gzip.decompress(each)
        assert lines == line * (len(lines) // len(line))
    assert invocation.peak_rss_bytes is not None
    assert invocation.peak_rss_bytes < 1024 * MIB


def test_fetched_sources_are_bounded_by_their_listed_size(
    artefact: Artefact, s3: ScriptedS3
) -> None:
    """P2: of sources of 20 MiB three fit into 64 MiB, whatever CONCURRENCY allows."""
    text, _ = source(record_bytes=5000, total_bytes=20 * MIB)
    sources = {f"{FOLDER}/{number}.json": Stored(text) for number in range(8)}
    s3.begin({SOURCE_BUCKET: sources, DESTINATION_BUCKET: {}})
    s3.delay_s = 0.2
    assert run(artefact, s3, CONCURRENCY="16").error is None
    _, most_in_flight = s3.take_requests()
    assert most_in_flight <= 3


def test_a_source_larger_than_the_window_is_read(artefact: Artefact, s3: ScriptedS3) -> None:
    """P2: always at least one."""
    text, count = source(record_bytes=5000, total_bytes=70 * MIB)
    s3.begin({SOURCE_BUCKET: {f"{FOLDER}/a.json": Stored(text)}, DESTINATION_BUCKET: {}})
    invocation = run(artefact, s3)
    assert invocation.error is None
    assert isinstance(invocation.result, dict)
    assert invocation.result["records"] == count


def test_pages_are_listed_at_most_ten_ahead(artefact: Artefact, s3: ScriptedS3) -> None:
    """P4: the page of the source that stalls, and ten more; also where every folder is a page."""
    regions = (FOLDER.replace("eu-west-1", f"region-{number:03d}") for number in range(100))
    days: tuple[tuple[Mapping[str, Stored], int], ...] = (
        ({f"{FOLDER}/{number:03d}.json": EMPTY for number in range(100)}, 1),
        ({f"{region}/a.json": EMPTY for region in regions}, 1000),
    )
    env = environment(artefact, s3, CONCURRENCY="64")
    with LocalSandbox(artefact, env, timeout_s=8) as sandbox:
        sandbox.invoke([])  # the time is the run's, not the runtime's start
        for sources, page in days:
            stall = Fault("get", min(sources), kind="stall")
            s3.begin({SOURCE_BUCKET: sources, DESTINATION_BUCKET: {}}, [stall])
            s3.page = page
            assert sandbox.invoke(EVENT).error == "OUT_OF_TIME: 0 sources read"
            requests, _ = s3.take_requests()
            listed = [r for r in requests if r.operation == "list"]
            assert sum(r.key.endswith("/2024/02/08/") for r in listed) <= 11


def test_rests_of_large_sources_take_little_memory(artefact: Artefact, s3: ScriptedS3) -> None:
    """P3: a few bytes that wait to be written do not keep the whole inflated source in memory."""
    body = squeezed(b'{"Records":[{}', b" ", 100 * MIB, b"]}")
    sources = {f"{FOLDER}/{number:03d}.json.gz": body for number in range(12)}
    s3.begin({SOURCE_BUCKET: sources, DESTINATION_BUCKET: {}})
    invocation = run(artefact, s3, memory_mb=1024)
    assert invocation.error is None
    assert isinstance(invocation.result, dict)
    assert invocation.result["records"] == len(sources)
    assert invocation.peak_rss_bytes is not None
    assert invocation.peak_rss_bytes < 1024 * MIB


def test_one_large_record_is_not_built(artefact: Artefact, s3: ScriptedS3) -> None:
    """P5: a value of many small parts costs its text, not an object for each part."""
    body = squeezed(b'{"Records": [{"a":[', b"0,", 50 * MIB, b"0]}]}")
    s3.begin({SOURCE_BUCKET: {f"{FOLDER}/a.json.gz": body}, DESTINATION_BUCKET: {}})
    invocation = run(artefact, s3, memory_mb=1024)
    assert invocation.error is None
    assert invocation.peak_rss_bytes is not None
    assert invocation.peak_rss_bytes < 1024 * MIB


def test_after_memory_ran_out_the_next_day_has_a_new_sandbox(
    artefact: Artefact, s3: ScriptedS3
) -> None:
    """E10: one day needs more memory than there is; the next one succeeds all the same."""
    if limits.support()[0] is None:
        pytest.skip(f"no limits on this machine: {limits.support()[1]}")
    large = squeezed(b'{"Records":[{"a":"', b"x", 500 * MIB, b'"}]}')
    small = f"{FOLDER.removesuffix('08')}09/a.json"
    days = {f"{FOLDER}/a.json.gz": large, small: EMPTY}
    s3.begin({SOURCE_BUCKET: days, DESTINATION_BUCKET: {}})
    env = environment(artefact, s3, MAX_SOURCE_BYTES=str(512 * MIB))
    with LocalSandbox(artefact, env, memory_mb=256, limits=Limits()) as sandbox:
        failed = sandbox.invoke(EVENT)
        after = sandbox.invoke({**EVENT, "day": 9})
    assert failed.failure is not None, failed
    assert after.error is None
    assert after.cold
