"""The vectors: records, and how the stream answers the requests for them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

VECTORS = Path(__file__).with_name("vectors.json")


class Vector(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``records`` has (count, bytes of each). ``refused`` has (first record, last record, times).

    ``failed`` has the requests, from 1, that fail as a whole; ``taken`` tells that the stream has
    their records all the same.
    """

    name: str
    records: tuple[tuple[int, int], ...]
    most_requests: int
    refused: tuple[tuple[int, int, int], ...] = ()
    failed: tuple[int, ...] = ()
    taken: bool = False

    @property
    def sizes(self) -> Sequence[int]:
        return [size for count, size in self.records for _ in range(count)]

    def refusals(self) -> dict[int, int]:
        """record -> how often the stream refuses it before it takes it."""
        return {
            number: times
            for first, last, times in self.refused
            for number in range(first, last + 1)
        }


def load_vectors() -> Sequence[Vector]:
    return msgspec.json.decode(VECTORS.read_bytes(), type=tuple[Vector, ...])
