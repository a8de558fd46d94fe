"""Step: writer (SPEC C2, C3, W1, P5). Lines become chunks, put one by one under hidden names.

Holds one compressed chunk, the lines of one source, and a name and two counts of each chunk.
"""

from functools import partial
from typing import NamedTuple

from isal import isal_zlib

from aggregator.attempts import Attempts
from aggregator.config import Config
from aggregator.journal import Journal
from aggregator.store import Store
from aggregator.tuning.chunk_buffer import ChunkBuffer

_TOP_LEVEL = 3  # isal knows 0 to 3


class Chunk(NamedTuple):
    """A hidden chunk; ``name`` is its final one below the day prefix."""

    hidden_key: str
    name: str
    records: int
    bytes: int


class Writer:
    """Writes one run's chunks; ``hidden_prefix`` is their keys' beginning."""

    def __init__(
        self, store: Store, attempts: Attempts, config: Config, hidden_prefix: str, journal: Journal
    ) -> None:
        self._store = store
        self._attempts = attempts
        self._config = config
        self._hidden_prefix = hidden_prefix
        self._journal = journal
        self._chunks: list[Chunk] = []
        self._compressed = ChunkBuffer()
        self._begin_chunk()

    async def write(self, lines: bytes | bytearray) -> None:
        """Add whole lines; each chunk that they fill is put."""
        view = memoryview(lines)
        start = 0
        while start < len(lines):
            self._attempts.check_time()
            room = self._config.chunk_bytes - self._bytes
            newline = lines.find(b"\n", start + room - 1)  # of the line that fills the chunk (C3)
            end = len(lines) if newline < 0 else newline + 1
            with self._journal.timed("compress", count=0):  # a chunk counts once, at its end (O3)
                self._compressed.append(self._compressor.compress(view[start:end]))
            self._records += lines.count(b"\n", start, end)
            self._bytes += end - start
            if self._bytes >= self._config.chunk_bytes:
                await self._put_chunk()
            start = end

    async def finish(self) -> list[Chunk]:
        """Put the rest as the last chunk; all of the run's chunks, in order."""
        if self._bytes:
            await self._put_chunk()
        return self._chunks

    def _begin_chunk(self) -> None:
        level = min(self._config.gzip_level, _TOP_LEVEL)
        self._compressor = isal_zlib.compressobj(level, wbits=31)
        self._compressed.clear()
        self._records = 0
        self._bytes = 0

    async def _put_chunk(self) -> None:
        with self._journal.timed("compress"):
            self._compressed.append(self._compressor.flush())
        name = f"{len(self._chunks) + 1:06d}.ndjson.gz"
        chunk = Chunk(self._hidden_prefix + name, name, self._records, self._bytes)
        bucket, key = self._config.dst_bucket, chunk.hidden_key
        attempt = partial(self._store.put, bucket, key, self._compressed, "application/gzip")
        await self._attempts.run("put", key, attempt, "put")
        self._journal.log("DEBUG", "chunk", key=key, records=chunk.records, bytes=chunk.bytes)
        self._chunks.append(chunk)
        self._attempts.reserve_time(len(self._chunks))
        self._begin_chunk()
