"""Buffers of records until they become a file, by the rules that AWS documents for Firehose.

A buffer is written when its size hint or its time hint is reached, the first of the two. The size
counts the records before compression. With dynamic partitioning each partition has a buffer of its
own, which begins with its first record and is gone with its file.

What Firehose does beside that is not modelled. It calls both values hints, it raises the size when
S3 is slow, it scales into several buffers under load, and with dynamic partitioning it buffers in
several stages, so a record may take 1.5 times the interval. There it also demands 64 MiB at least.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from dataclasses import dataclass, field

_MIB = 2**20


@dataclass(frozen=True, slots=True)
class Hint:
    """``size_mib`` from 1 to 128, ``seconds`` up to 900: Firehose takes no others."""

    size_mib: int
    seconds: int

    def __str__(self) -> str:
        return f"{self.size_mib} MiB, {self.seconds} s"


@dataclass(slots=True)
class Buffered[P: Hashable, T]:
    """The records of one file, in order of arrival. ``began`` is the arrival of the first."""

    partition: P
    began: float
    texts: list[bytes] = field(default_factory=list)
    marks: list[T] = field(default_factory=list)
    size: int = 0


class Buffers[P: Hashable, T]:
    """A buffer for each partition that has records. A mark says where a record came from."""

    def __init__(self, hint: Hint) -> None:
        self._hint = hint
        self._open: dict[P, Buffered[P, T]] = {}

    def __len__(self) -> int:
        return len(self._open)

    def add(self, partition: P, text: bytes, mark: T, now: float) -> Buffered[P, T] | None:
        """The buffer, if it is full with this record."""
        buffer = self._open.setdefault(partition, Buffered(partition, now))
        buffer.texts.append(text)
        buffer.marks.append(mark)
        buffer.size += len(text)
        if buffer.size >= self._hint.size_mib * _MIB:
            return self._open.pop(partition)
        return None

    def due(self, now: float) -> Iterator[Buffered[P, T]]:
        """Those whose time is over."""
        for partition, buffer in list(self._open.items()):
            if now - buffer.began >= self._hint.seconds:
                yield self._open.pop(partition)

    def rest(self) -> Iterator[Buffered[P, T]]:
        """All others, at the end of a run."""
        while self._open:
            yield self._open.pop(next(iter(self._open)))
