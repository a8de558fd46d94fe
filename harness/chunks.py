"""Chunks (SPEC C1, C3) as lines of text, wherever and however they are stored."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Self


class UnreadableChunkError(Exception):
    """A chunk can't be decompressed; the message says why."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """One chunk: its published key and its body, a file or bytes, gzipped or plain.

    ``records`` and ``size_bytes`` (decompressed, LF included) are known of an expected chunk
    and ``None`` of one that was found.
    """

    key: str
    body: Path | bytes
    gzipped: bool = True
    records: int | None = None
    size_bytes: int | None = None

    def lines(self) -> Iterator[bytes]:
        """The decompressed text line by line, each with its LF.

        Raises :class:`UnreadableChunkError` in the middle of the iteration where the body breaks.
        """
        opened: BinaryIO = (
            self.body.open("rb") if isinstance(self.body, Path) else io.BytesIO(self.body)
        )
        with opened as stored:
            if not self.gzipped:
                yield from stored
                return
            try:
                with gzip.GzipFile(fileobj=stored) as text:
                    yield from text
            except (OSError, EOFError, zlib.error) as fault:
                raise UnreadableChunkError(str(fault)) from fault


class ChunkFolder:
    """Cuts records into chunks (C3) and writes each as a plain file: memory stays flat.

    A context manager; ``chunks`` is complete once it is left.
    """

    def __init__(self, folder: Path, day_prefix: str, chunk_bytes: int) -> None:
        self._folder = folder
        self._day_prefix = day_prefix
        self._chunk_bytes = chunk_bytes
        self._file: BinaryIO | None = None
        self._records = 0
        self._bytes = 0
        self.chunks: list[Chunk] = []

    def __enter__(self) -> Self:
        self._folder.mkdir(parents=True, exist_ok=True)
        return self

    def __exit__(self, *_: object) -> None:
        self._close()

    def add(self, record: bytes) -> None:
        """Append one record, given without its LF."""
        self.add_text(record + b"\n")

    def add_text(self, text: bytes) -> None:
        """Append what is to count as one record, as it is."""
        if self._file is None:
            self._file = self._path().open("wb")
        self._file.write(text)
        self._records += 1
        self._bytes += len(text)
        if self._bytes >= self._chunk_bytes:
            self._close()

    def _path(self) -> Path:
        return self._folder / f"{len(self.chunks) + 1:06d}.ndjson"

    def _close(self) -> None:
        if self._file is None:
            return
        self._file.close()
        self._file = None
        path = self._path()
        key = f"{self._day_prefix}{path.name}.gz"
        self.chunks.append(Chunk(key, path, False, self._records, self._bytes))
        self._records = self._bytes = 0
