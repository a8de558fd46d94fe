"""Step: writer (SPEC C3, W1, P5). Lines become chunks, put one by one under hidden names.

Holds one compressed chunk, lines of a few sources, and a few words about each chunk written.
"""

from functools import partial
from typing import NamedTuple

from isal import isal_zlib

from aggregator.attempts import Attempts
from aggregator.chunk_buffer import ChunkBuffer
from aggregator.config import Config
from aggregator.journal import Journal
from aggregator.splitter import count_rare
from aggregator.store import Store
from aggregator.trigger import Day

_ENOUGH = 64 << 10  # of lines to compress
_TOP_LEVEL = 3  # isal knows 0 to 3


class Chunk(NamedTuple):
    """A hidden chunk; ``name`` is what it will be called below the day prefix."""

    hidden_key: str
    name: str
    records: int
    bytes: int


class Writer:
    """Writes one run's chunks below its day prefix."""

    def __init__(
        self,
        store: Store,
        attempts: Attempts,
        config: Config,
        day: Day,
        request_id: str,
        journal: Journal,
    ) -> None:
        self._store = store
        self._attempts = attempts
        self._bucket = config.dst_bucket
        self._hidden = f"{day.prefix(config.dst_prefix)}_{request_id}-"
        self._chunk_bytes = config.chunk_bytes
        self._level = min(config.gzip_level, _TOP_LEVEL)
        self._journal = journal
        self._chunks: list[Chunk] = []
        self._compressed = ChunkBuffer()
        self._begin_chunk()

    def write(self, lines: bytes | bytearray) -> None:
        """Add whole lines; each chunk that they fill is put."""
        view = memoryview(lines)
        start = 0
        while start < len(lines):
            room = self._chunk_bytes - self._bytes
            end = lines.find(b"\n", start + room - 1) + 1 or len(lines)
            self._bytes += end - start
            if end - start < _ENOUGH:
                self._gathered.append(view[start:end])
                self._gathered_bytes += end - start
            else:
                self._compress_gathered()
                self._compress(view[start:end], lines.count(b"\n", start, end))
            if self._bytes >= self._chunk_bytes:
                self._put_chunk()
            elif self._gathered_bytes >= _ENOUGH:
                self._compress_gathered()
            start = end

    def finish(self) -> list[Chunk]:
        """Put what is left as the last chunk; all of the run's chunks, in order."""
        if self._bytes:
            self._put_chunk()
        return self._chunks

    def _begin_chunk(self) -> None:
        self._compressor = isal_zlib.compressobj(self._level, wbits=31)
        self._compressed.clear()
        self._gathered: list[memoryview] = []
        self._gathered_bytes = 0
        self._records = 0
        self._bytes = 0

    def _compress_gathered(self) -> None:
        """Several sources' lines at once, for each call costs."""
        lines = b"".join(self._gathered)
        self._compress(lines, count_rare(lines, b"\n"))
        self._gathered.clear()
        self._gathered_bytes = 0

    def _compress(self, lines: bytes | memoryview, records: int) -> None:
        with self._journal.timed("compress", count=0):
            self._compressed.append(self._compressor.compress(lines))
        self._records += records

    def _put_chunk(self) -> None:
        self._compress_gathered()
        with self._journal.timed("compress"):
            self._compressed.append(self._compressor.flush())
        name = f"{len(self._chunks) + 1:06d}.ndjson.gz"
        chunk = Chunk(self._hidden + name, name, self._records, self._bytes)
        key = chunk.hidden_key
        attempt = partial(self._store.put, self._bucket, key, self._compressed, "application/gzip")
        with self._journal.timed("put"):
            self._attempts.run("put", key, attempt)
        self._journal.log("DEBUG", "chunk", key=key, records=chunk.records, bytes=chunk.bytes)
        self._chunks.append(chunk)
        self._begin_chunk()
