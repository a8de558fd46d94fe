import threading
from collections.abc import Iterator

import pytest
from memory_store import SOURCE, MemoryStore, make_config

from aggregator import reader as reader_module
from aggregator.attempts import Attempts
from aggregator.errors import BadSourceError
from aggregator.journal import Journal
from aggregator.lister import PAGES_AHEAD
from aggregator.reader import Reader
from aggregator.store import Listed


class Counting(MemoryStore):
    """Counts the bodies that were asked for."""

    asked = 0
    lock = threading.Lock()

    def get(self, bucket: str, key: str, limit: int) -> bytes:
        with self.lock:
            self.asked += 1
        return super().get(bucket, key, limit)


def window_of(
    attempts: Attempts, pages: list[list[Listed]], **settings: str
) -> tuple[Iterator[tuple[Listed, bytes | BadSourceError]], Counting]:
    store = Counting()
    store.buckets[SOURCE] = {one.key: one.key.encode() for page in pages for one in page}
    reader = Reader(store, attempts, make_config(**settings), Journal("id"))
    return reader.read_bodies(pages), store


def test_order_and_faults(attempts: Attempts) -> None:
    pages = [[Listed("a", 1), Listed("large", 99)], [], [Listed("gone", 4), Listed("b", 1)]]
    bodies, store = window_of(attempts, pages, MAX_SOURCE_BYTES="98")
    del store.buckets[SOURCE]["gone"]
    read = [(source.key, getattr(body, "code", body)) for source, body in bodies]
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
    attempts: Attempts,
    monkeypatch: pytest.MonkeyPatch,
    per_page: int,
    size: int,
    concurrency: int,
    most: int,
) -> None:
    monkeypatch.setattr(reader_module, "WINDOW_BYTES", 100)
    keys = [Listed(f"{n:02d}", size) for n in range(50)]
    pages = [keys[at : at + per_page] for at in range(0, 50, per_page)]
    bodies, store = window_of(attempts, pages, CONCURRENCY=str(concurrency))
    for taken in range(50):
        assert next(bodies)[0] == keys[taken]
        assert store.asked <= taken + most
    assert next(bodies, None) is None
    assert store.asked == 50
