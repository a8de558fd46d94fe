import asyncio
from collections.abc import AsyncIterator

import pytest
from memory_store import SOURCE, MemoryStore, log_lines, make_config, with_attempts

from aggregator import reader as reader_module
from aggregator.attempts import Attempts
from aggregator.journal import Journal
from aggregator.lister import PAGES_AHEAD
from aggregator.reader import Read, Reader
from aggregator.store import Listed


class Counting(MemoryStore):
    """Counts the bodies that were asked for."""

    asked = 0

    async def get(self, bucket: str, key: str, limit: int) -> bytes:
        self.asked += 1
        return await super().get(bucket, key, limit)


def store_of(pages: list[list[Listed]]) -> Counting:
    store = Counting()
    store.buckets[SOURCE] = {one.key: one.key.encode() for page in pages for one in page}
    return store


def bodies_of(
    attempts: Attempts,
    store: Counting,
    pages: list[list[Listed]],
    journal: Journal | None = None,
    **settings: str,
) -> AsyncIterator[tuple[Listed, Read]]:
    async def given() -> AsyncIterator[list[Listed]]:
        for page in pages:
            yield page

    reader = Reader(store, attempts, make_config(**settings), journal or Journal("id"))
    return reader.read_bodies(given())


def test_order_and_faults() -> None:
    pages = [[Listed("a", 1), Listed("large", 99)], [], [Listed("gone", 4), Listed("b", 1)]]
    store = store_of(pages)
    del store.buckets[SOURCE]["gone"]

    async def work(attempts: Attempts) -> list[tuple[str, object]]:
        bodies = bodies_of(attempts, store, pages, MAX_SOURCE_BYTES="98")
        return [(source.key, getattr(body, "code", body)) async for source, body in bodies]

    read = with_attempts(work)
    assert read == [("a", b"a"), ("large", "TOO_LARGE"), ("gone", "MISSING"), ("b", b"b")]
    assert ("get", "large") not in store.requests


@pytest.mark.parametrize(
    ("per_page", "size", "concurrency", "most"),
    [
        (50, 1, 3, 3),
        (50, 1, 1, 1),
        (50, 40, 16, 2),  # 100 bytes may be held
        (50, 101, 16, 1),
        (1, 1, 16, PAGES_AHEAD),
    ],
)
def test_window(
    monkeypatch: pytest.MonkeyPatch,
    per_page: int,
    size: int,
    concurrency: int,
    most: int,
) -> None:
    monkeypatch.setattr(reader_module, "WINDOW_BYTES", 100)
    keys = [Listed(f"{n:02d}", size) for n in range(50)]
    pages = [keys[at : at + per_page] for at in range(0, 50, per_page)]
    store = store_of(pages)

    async def work(attempts: Attempts) -> None:
        bodies = bodies_of(attempts, store, pages, CONCURRENCY=str(concurrency))
        taken = held = 0
        async for source, _ in bodies:
            assert source == keys[taken]
            held = max(held, store.asked - taken)  # with the one that is given now
            taken += 1
        assert held == most
        assert taken == store.asked == 50

    with_attempts(work)


def test_requests_and_waits_are_counted(capsys: pytest.CaptureFixture[str]) -> None:
    class Slow(Counting):
        async def get(self, bucket: str, key: str, limit: int) -> bytes:
            await asyncio.sleep(0.01)
            return await super().get(bucket, key, limit)

    journal = Journal("id")
    store = Slow(buckets={SOURCE: {"a": b"a"}})
    listed = [[Listed("a", 1), Listed("gone", 1), Listed("large", 99)]]

    async def work(attempts: Attempts) -> None:
        async for _ in bodies_of(attempts, store, listed, journal, MAX_SOURCE_BYTES="98"):
            pass

    with_attempts(work, journal=journal)
    journal.end(None, None)
    [end] = log_lines(capsys.readouterr().out)
    assert end["phases"]["get"]["count"] == store.asked == 2  # O3
    assert end["phases"]["get"]["sum_ms"] >= 15
    assert end["wait_ms"] >= 5  # O4
