import gzip

import pytest
from memory_store import DESTINATION, MemoryStore, log_lines, make_config, with_attempts

from aggregator.attempts import Attempts, OutOfTimeError
from aggregator.journal import Journal
from aggregator.writer import Chunk, Writer

PREFIX = "2024/02/08/_request-"


def written(
    *sources: bytes | bytearray, **settings: str
) -> tuple[list[Chunk], dict[str, bytes], MemoryStore]:
    store = MemoryStore()

    async def work(attempts: Attempts) -> list[Chunk]:
        writer = Writer(store, attempts, make_config(**settings), PREFIX, Journal("id"))
        for lines in sources:
            await writer.write(lines)
        return await writer.finish()

    return with_attempts(work), store.buckets[DESTINATION], store


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
def test_chunks_close_when_full(chunk_bytes: int, chunks: list[bytes]) -> None:
    sources = (b"aa\nb\n", b"", b"ccc\n", bytearray(b"d\n"))
    told, objects, store = written(*sources, CHUNK_BYTES=str(chunk_bytes))
    hidden = [f"{PREFIX}{n:06d}.ndjson.gz" for n in range(1, len(chunks) + 1)]
    assert list(objects) == hidden
    assert told == [
        Chunk(key, f"{n:06d}.ndjson.gz", text.count(b"\n"), len(text))
        for n, (key, text) in enumerate(zip(hidden, chunks, strict=True), 1)
    ]
    assert [gzip.decompress(objects[key]) for key in hidden] == chunks
    assert all(objects[key][:8] == b"\x1f\x8b\x08\0\0\0\0\0" for key in hidden)
    assert set(store.content_types.values()) == {"application/gzip"}


def test_a_chunk_is_told_and_counted(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    journal = Journal("id")
    journal.level = "DEBUG"
    reserved: list[int] = []

    async def work(attempts: Attempts) -> None:
        monkeypatch.setattr(attempts, "reserve_time", reserved.append)
        writer = Writer(MemoryStore(), attempts, make_config(CHUNK_BYTES="3"), PREFIX, journal)
        for lines in (b"aa\nb\n", b"cc\n", b"\n"):
            await writer.write(lines)
        await writer.finish()

    with_attempts(work, journal=journal)
    journal.end(None, None)
    *chunks, end = log_lines(capsys.readouterr().out)
    told = {"level": "DEBUG", "event": "chunk", "request_id": "id"}
    assert chunks == [  # O2
        told | {"key": f"{PREFIX}00000{n}.ndjson.gz", "records": records, "bytes": size}
        for n, records, size in ((1, 1, 3), (2, 2, 5), (3, 1, 1))
    ]
    assert [end["phases"][phase]["count"] for phase in ("compress", "put")] == [3, 3]  # O3
    assert reserved == [1, 2, 3]  # E6: publishing needs time for each


def test_a_run_that_is_out_of_time_writes_no_more() -> None:
    store = MemoryStore()

    async def work(attempts: Attempts) -> None:
        writer = Writer(store, attempts, make_config(CHUNK_BYTES="1"), PREFIX, Journal("id"))
        await writer.write(b"a\n")

    with pytest.raises(OutOfTimeError):  # E6
        with_attempts(work, remaining_s=0)
    assert store.requests == []


@pytest.mark.parametrize("level", ["1", "2", "3", "4", "9"])
def test_every_level(level: str) -> None:
    _, objects, _ = written(b"{}\n" * 100, GZIP_LEVEL=level)
    [body] = objects.values()
    assert gzip.decompress(body) == b"{}\n" * 100


def test_large_and_small_sources_keep_their_order() -> None:
    sources: list[bytes | bytearray] = [
        b"a\n",
        b"b" * 70_000 + b"\n",
        b"c\n" * 40_000,
        b"d\n",
        bytearray(b"e\n"),
    ]
    [chunk], objects, _ = written(*sources)
    assert gzip.decompress(objects[chunk.hidden_key]) == b"".join(sources)
    assert (chunk.records, chunk.bytes) == (40_004, 150_007)
