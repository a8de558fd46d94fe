import gzip

import pytest
from memory_store import DESTINATION, REQUEST_ID, MemoryStore, make_config

from aggregator.attempts import Attempts
from aggregator.journal import Journal
from aggregator.trigger import parse_trigger
from aggregator.writer import Chunk, Writer

PREFIX = "2024/02/08/"


def writer_of(attempts: Attempts, **settings: str) -> tuple[Writer, MemoryStore]:
    store = MemoryStore()
    day = parse_trigger({"year": 2024, "month": 2, "day": 8})
    config = make_config(**settings)
    return Writer(store, attempts, config, day, REQUEST_ID, Journal("id")), store


@pytest.mark.parametrize(
    ("chunk_bytes", "chunks"),
    [
        (1, [b"aa\n", b"b\n", b"ccc\n", b"d\n"]),
        (3, [b"aa\n", b"b\nccc\n", b"d\n"]),
        (4, [b"aa\nb\n", b"ccc\n", b"d\n"]),
        (5, [b"aa\nb\n", b"ccc\nd\n"]),
        (9, [b"aa\nb\nccc\n", b"d\n"]),
        (11, [b"aa\nb\nccc\nd\n"]),
        (12, [b"aa\nb\nccc\nd\n"]),
    ],
)
def test_chunks_close_when_full(attempts: Attempts, chunk_bytes: int, chunks: list[bytes]) -> None:
    writer, store = writer_of(attempts, CHUNK_BYTES=str(chunk_bytes))
    for lines in (b"aa\nb\n", b"", b"ccc\n", bytearray(b"d\n")):
        writer.write(lines)
    written = writer.finish()
    objects = store.buckets[DESTINATION]
    hidden = [f"{PREFIX}_{REQUEST_ID}-{n:06d}.ndjson.gz" for n in range(1, len(chunks) + 1)]
    assert list(objects) == hidden
    assert written == [
        Chunk(key, f"{n:06d}.ndjson.gz", text.count(b"\n"), len(text))
        for n, (key, text) in enumerate(zip(hidden, chunks, strict=True), 1)
    ]
    assert [gzip.decompress(objects[key]) for key in hidden] == chunks
    assert all(objects[key][:8] == b"\x1f\x8b\x08\0\0\0\0\0" for key in hidden)
    assert set(store.content_types.values()) == {"application/gzip"}


@pytest.mark.parametrize("level", ["1", "2", "3", "4", "9"])
def test_every_level(attempts: Attempts, level: str) -> None:
    writer, store = writer_of(attempts, GZIP_LEVEL=level)
    writer.write(b"{}\n" * 100)
    writer.finish()
    [body] = store.buckets[DESTINATION].values()
    assert gzip.decompress(body) == b"{}\n" * 100


def test_large_and_small_sources_keep_their_order(attempts: Attempts) -> None:
    writer, store = writer_of(attempts)
    sources: list[bytes | bytearray] = [
        b"a\n",
        b"b" * 70_000 + b"\n",
        b"c\n" * 40_000,
        b"d\n",
        bytearray(b"e\n"),
    ]
    for lines in sources:
        writer.write(lines)
    [chunk] = writer.finish()
    assert gzip.decompress(store.buckets[DESTINATION][chunk.hidden_key]) == b"".join(sources)
    assert (chunk.records, chunk.bytes) == (40_004, 150_007)
