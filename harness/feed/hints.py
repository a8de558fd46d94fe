"""Sizes of files and delays by buffer hints: the same messages through the buffers, without a wait.

Nothing runs here but the buffers and gzip. A message arrives at the moment at which it is sent, and
a file is written at the moment at which it is due.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from harness.feed.buffers import Buffered, Buffers, Hint
from harness.feed.count import quantile
from harness.feed.files import Place, body_of
from harness.feed.plan import Planned
from harness.fixtures.staging import SMALL_BYTES

#: What a buffer holds apart from its own kind.
type _Buffer = Buffered[Place | None, float]


@dataclass(frozen=True, slots=True)
class HintRow:
    """``by_place``: a buffer for each account and region, as CloudTrail's layout needs it.

    ``small`` is the share of files below 1,000 bytes as stored.
    """

    hint: Hint
    by_place: bool
    files: int
    records_per_file: float
    median_text_bytes: int
    median_stored_bytes: int
    largest_stored_bytes: int
    small: float
    delay_median_s: float
    delay_p99_s: float


def try_hint(messages: Iterable[Planned], hint: Hint, *, by_place: bool) -> HintRow:
    buffers = Buffers[Place | None, float](hint)
    tally = _Tally(hint)
    for each in messages:
        for due in buffers.due(each.second):
            tally.write(due, due.began + hint.seconds)
        place = Place(each.key, each.region) if by_place else None
        full = buffers.add(place, each.text, each.second, each.second)
        if full is not None:
            tally.write(full, each.second)
    for rest in buffers.rest():
        tally.write(rest, rest.began + hint.seconds)
    return tally.row(by_place=by_place)


class _Tally:
    def __init__(self, hint: Hint) -> None:
        self._hint = hint
        self._text_bytes: list[int] = []
        self._stored_bytes: list[int] = []
        self._delays: list[float] = []

    def write(self, buffer: _Buffer, second: float) -> None:
        self._text_bytes.append(buffer.size)
        self._stored_bytes.append(len(body_of(buffer.texts)))
        self._delays += [second - arrived for arrived in buffer.marks]

    def row(self, *, by_place: bool) -> HintRow:
        stored: Sequence[int] = self._stored_bytes
        files = len(stored)
        return HintRow(
            hint=self._hint,
            by_place=by_place,
            files=files,
            records_per_file=round(len(self._delays) / files, 1) if files else 0,
            median_text_bytes=round(quantile(self._text_bytes, 0.5)),
            median_stored_bytes=round(quantile(stored, 0.5)),
            largest_stored_bytes=max(stored, default=0),
            small=sum(each < SMALL_BYTES for each in stored) / files if files else 0,
            delay_median_s=round(quantile(self._delays, 0.5), 1),
            delay_p99_s=round(quantile(self._delays, 0.99), 1),
        )
