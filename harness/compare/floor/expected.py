"""The expected output of the floor: the inflated texts of the staged sources."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Self

from harness.fixtures.chunks import ChunkFolder
from harness.fixtures.sources import BadSourceError, inflate
from harness.fixtures.staging import ExpectedDay, StagedObject

_DAMAGED = frozenset({"BAD_GZIP", "TOO_LARGE"})


class ExpectedTexts:
    """Collects the texts of a day while it is staged. ``day`` may be called after the context.

    The floor does not look for records. It counts each source as one record and adds no line end.
    A source is bad if its body does not inflate within ``max_source_bytes``.
    """

    def __init__(self, folder: Path, day: date, chunk_bytes: int, max_source_bytes: int) -> None:
        self._day = day
        self._prefix = f"{day:%Y/%m/%d}/"
        self._limit = max_source_bytes
        self._chunks = ChunkFolder(folder, self._prefix, chunk_bytes)
        self._sources = self._source_bytes = 0
        self._bad: list[tuple[str, str]] = []

    def __enter__(self) -> Self:
        self._chunks.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._chunks.__exit__()

    def add(self, staged: StagedObject) -> None:
        """Add the next object, in key order. An object that is no source adds nothing."""
        if staged.records is None:
            return
        self._sources += 1
        self._source_bytes += len(staged.body)
        try:
            text = inflate(staged.body, self._limit)
        except BadSourceError as bad:
            assert bad.code in _DAMAGED
            self._bad.append((staged.key, bad.code))
        else:
            if text:
                self._chunks.add_text(text)

    def day(self) -> ExpectedDay:
        return ExpectedDay(
            self._day,
            self._prefix,
            self._sources,
            tuple(self._bad),
            tuple(self._chunks.chunks),
            self._source_bytes,
            0,
        )
