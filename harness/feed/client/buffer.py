"""The records between the two connections: bounded, and handed on in batches for PutRecords."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

#: The most of one PutRecords. AWS allows 10 MiB since 2025, but some endpoints still 5 MiB.
MOST_RECORDS = 500
MOST_BYTES = 5 * 10**6
#: The most of one record with its key, where the stream's own limit is the default.
MOST_RECORD_BYTES = 2**20
#: Kinesis takes 1 to 256 characters. Nothing has fewer bytes than characters.
MOST_KEY_BYTES = 256


@dataclass(frozen=True, slots=True)
class Entry:
    """One record for Kinesis, with the number of its message."""

    number: int
    key: str
    data: bytes

    @property
    def size(self) -> int:
        """As Kinesis counts it."""
        return len(self.data) + len(self.key.encode())


def partition_key(key: str) -> str:
    """``key``, or its SHA-256 where Kinesis would refuse it: equal keys stay in one shard."""
    text = key.encode()
    return key if 0 < len(text) <= MOST_KEY_BYTES else sha256(text).hexdigest()


class Buffer:
    """Holds ``most_bytes`` and one record more. A batch counts until it is released.

    A full buffer makes :meth:`add` wait. Then nobody reads from the WebSocket, TCP tells the third
    party to wait, and the memory of this process does not grow.
    """

    def __init__(self, most_bytes: int, linger_s: float) -> None:
        self._most_bytes = most_bytes
        self._linger_s = linger_s
        self._waiting: deque[Entry] = deque()
        self._waiting_bytes = 0
        self._held_bytes = 0
        self._changed = asyncio.Condition()
        self.closed = False

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def held_bytes(self) -> int:
        """Of the records that wait and of those on their way to Kinesis."""
        return self._held_bytes

    async def add(self, entry: Entry) -> None:
        async with self._changed:
            await self._changed.wait_for(lambda: self._held_bytes < self._most_bytes)
            self._waiting.append(entry)
            self._waiting_bytes += entry.size
            self._held_bytes += entry.size
            self._changed.notify_all()

    async def take(self) -> Sequence[Entry]:
        """The next batch: full, or all there is after the linger time. Empty once it is closed."""
        async with self._changed:
            await self._changed.wait_for(lambda: self._waiting or self.closed)
            if not self._fills_batch():
                try:
                    async with asyncio.timeout(self._linger_s):
                        await self._changed.wait_for(self._fills_batch)
                except TimeoutError:
                    pass
            return self._next_batch()

    async def release(self, batch: Sequence[Entry]) -> None:
        async with self._changed:
            self._held_bytes -= sum(each.size for each in batch)
            self._changed.notify_all()

    async def close(self) -> None:
        """Take nothing more in."""
        async with self._changed:
            self.closed = True
            self._changed.notify_all()

    def _fills_batch(self) -> bool:
        full = len(self._waiting) >= MOST_RECORDS or self._waiting_bytes >= MOST_BYTES
        return full or self.closed

    def _next_batch(self) -> Sequence[Entry]:
        batch: list[Entry] = []
        left = MOST_BYTES
        while self._waiting and len(batch) < MOST_RECORDS and self._waiting[0].size <= left:
            batch.append(self._waiting.popleft())
            left -= batch[-1].size
        self._waiting_bytes -= MOST_BYTES - left
        return batch
