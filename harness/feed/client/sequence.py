"""The numbers of a stream: which are new, which are missing, and up to which all is done."""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable


class Numbers:
    """Finds doubles and gaps in numbers that come in order.

    A missing number counts as lost once a higher one has come.
    """

    def __init__(self, last: int) -> None:
        self.last = last

    def arrive(self, number: int) -> range | None:
        """The numbers that are missing before a new one; ``None`` for a double."""
        if number <= self.last:
            return None
        missing = range(self.last + 1, number)
        self.last = number
        return missing

    def reach(self, newest: int) -> range:
        """The numbers that are missing where all up to ``newest`` have been sent."""
        missing = range(self.last + 1, newest + 1)
        self.last = max(self.last, newest)
        return missing


class Watermark[T: Hashable]:
    """The last position up to which all are done. They begin in order, and end in any order."""

    def __init__(self, value: T) -> None:
        self.value = value
        self._begun: deque[T] = deque()
        self._done: set[T] = set()

    def begin(self, position: T) -> None:
        self._begun.append(position)

    def end(self, position: T) -> None:
        self._done.add(position)
        while self._begun and self._begun[0] in self._done:
            self.value = self._begun.popleft()
            self._done.remove(self.value)
