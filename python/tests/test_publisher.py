import asyncio
import json

import pytest
from memory_store import DESTINATION, REQUEST_ID, MemoryStore, make_config, with_attempts

from aggregator.attempts import Attempts
from aggregator.errors import AggregationError
from aggregator.journal import Result
from aggregator.publisher import Publisher
from aggregator.trigger import parse_trigger
from aggregator.writer import Chunk

PREFIX = "2024/02/08/"
MANIFEST = f"{PREFIX}_manifest.json"


def published(
    store: MemoryStore, chunks: list[Chunk], sources: int, bad: int, *, force: bool = False
) -> Result:
    day = parse_trigger({"year": 2024, "month": 2, "day": 8, "force": force})

    async def work(attempts: Attempts) -> Result:
        return await Publisher(store, attempts, make_config(), day).publish(chunks, sources, bad)

    return with_attempts(work)


def hidden_chunk(number: int, records: int, size: int) -> Chunk:
    name = f"{number:06d}.ndjson.gz"
    return Chunk(f"{PREFIX}_{REQUEST_ID}-{name}", name, records, size)


def test_order_of_publishing() -> None:
    store = MemoryStore(page_size=2)
    objects = store.buckets[DESTINATION]
    others = [
        f"{PREFIX}_x-1.ndjson.gz",
        f"{PREFIX}0000001.ndjson.gz",
        f"{PREFIX}a/000003.ndjson.gz",
    ]
    kept = dict.fromkeys([*others, "2024/02/09/000003.ndjson.gz"], b"kept")
    objects |= kept
    stale = ("000003.ndjson.gz", "1000000.ndjson.gz", "_dead\n-000001.ndjson.gz")
    objects |= dict.fromkeys((PREFIX + name for name in stale), b"stale")
    chunks = [hidden_chunk(1, records=1, size=3), hidden_chunk(2, records=2, size=6)]
    objects |= {chunk.hidden_key: chunk.name.encode() for chunk in chunks}
    result = published(store, chunks, sources=5, bad=1)
    assert result == ("2024-02-08", 5, 1, 3, 9, 2, 2)
    done = [(op, key.removeprefix(PREFIX)) for op, key in store.requests if op != "list"]
    assert done[:3] == [
        ("get", "_manifest.json"),
        ("copy", "000002.ndjson.gz"),
        ("copy", "000001.ndjson.gz"),
    ]
    assert {key for _, key in done[3:5]} == {"000003.ndjson.gz", "1000000.ndjson.gz"}
    assert done[5] == ("put", "_manifest.json")
    assert [op for op, _ in done[6:]] == ["delete"] * 3
    assert store.content_types[MANIFEST] == "application/json"
    assert json.loads(objects.pop(MANIFEST)) == {
        "result": result._asdict(),
        "chunks": [
            {"key": f"{PREFIX}000001.ndjson.gz", "records": 1, "bytes": 3},
            {"key": f"{PREFIX}000002.ndjson.gz", "records": 2, "bytes": 6},
        ],
    }
    assert objects == kept | {PREFIX + chunk.name: chunk.name.encode() for chunk in chunks}


def test_new_chunks_are_copied_side_by_side_and_the_others_downwards() -> None:
    together: list[int] = []

    class Slow(MemoryStore):
        in_flight = 0

        async def copy(self, bucket: str, from_key: str, to_key: str) -> None:
            self.in_flight += 1
            await asyncio.sleep(0.01)
            together.append(self.in_flight)
            self.in_flight -= 1
            await super().copy(bucket, from_key, to_key)

    store = Slow()
    chunks = [hidden_chunk(number, records=1, size=2) for number in range(1, 6)]
    store.buckets[DESTINATION] |= dict.fromkeys((chunk.hidden_key for chunk in chunks), b"new")
    published_before = (PREFIX + chunks[at].name for at in (0, 1, 3))
    store.buckets[DESTINATION] |= dict.fromkeys(published_before, b"old")
    published(store, chunks, sources=5, bad=0)
    copied = [key.removeprefix(PREFIX)[:6] for op, key in store.requests if op == "copy"]
    assert sorted(copied[:2]) + copied[2:] == ["000003", "000005", "000004", "000002", "000001"]
    assert together == [2, 1, 1, 1, 1]  # W4


def test_no_delete_goes_on_after_one_has_failed() -> None:
    class Slow(MemoryStore):
        async def delete(self, bucket: str, key: str) -> None:
            await asyncio.sleep(0 if key.endswith("2.ndjson.gz") else 0.05)
            await super().delete(bucket, key)

    keys = [f"{PREFIX}00000{n}.ndjson.gz" for n in (1, 2, 3)]
    store = Slow(faults={("delete", keys[1]): "InternalError"})
    store.buckets[DESTINATION] |= dict.fromkeys(keys, b"")
    with pytest.raises(AggregationError, match=f"^S3_ERROR: delete {keys[1]} \\(InternalError\\)$"):
        published(store, [], sources=0, bad=0)
    assert list(store.buckets[DESTINATION]) == [keys[1]]


def manifest(sources: object, bad: object) -> bytes:
    return json.dumps({"result": {"sources": sources, "bad": bad}}).encode()


@pytest.mark.parametrize(
    ("before", "message"),
    [
        (manifest(5, 1), None),
        (manifest(4.0, 0), None),
        (manifest(340, 0), "FEWER_SOURCES: published 340, readable 4"),
        (manifest(-1, 0), f"BAD_MANIFEST: {MANIFEST}"),
        (manifest(2**53, 2**53), None),
        (manifest(2**54, 2**54), f"BAD_MANIFEST: {MANIFEST}"),
        (manifest(True, 0), f"BAD_MANIFEST: {MANIFEST}"),
        (manifest("1", 0), f"BAD_MANIFEST: {MANIFEST}"),
        (manifest(1.5, 0), f"BAD_MANIFEST: {MANIFEST}"),
        (b'{"result":{"sources":1}}', f"BAD_MANIFEST: {MANIFEST}"),
        (b"[]", f"BAD_MANIFEST: {MANIFEST}"),
        (b"\xff", f"BAD_MANIFEST: {MANIFEST}"),
        (b"[" * 100_000, f"BAD_MANIFEST: {MANIFEST}"),
    ],
)
def test_manifest_guards_what_is_published(before: bytes, message: str | None) -> None:
    store = MemoryStore()
    objects = store.buckets[DESTINATION]
    objects[MANIFEST] = before
    if message is None:
        published(store, [], sources=4, bad=0)
    else:
        with pytest.raises(AggregationError) as caught:
            published(store, [], sources=4, bad=0)
        assert str(caught.value) == message
        assert objects == {MANIFEST: before}
    objects[MANIFEST] = before
    assert published(store, [], sources=0, bad=0, force=True).chunks == 0
