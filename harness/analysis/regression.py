"""Whether a run is slower than a stored one, on whatever machine: ratios, not times.

Each row is divided by a reference row of its own run, round by round, so that a slower machine
does not matter. The reference is the floor of the row's variant where both runs have it, else the
row that was fastest in the baseline; of that one itself nothing can be said.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from harness.analysis.intervals import LEAST_ROUNDS, ConfidenceInterval, paired_ratio
from harness.analysis.row_summary import by_round, ranking
from harness.model import Comparison, Role, Row, UsageError

_COMPRESSED = ("source_bytes", "small_share")


@dataclass(frozen=True, slots=True)
class Judgement:
    """A row in both runs, as ratios to ``reference``; ``slower`` is now's by the baseline's."""

    name: str
    reference: str
    before: ConfidenceInterval
    now: ConfidenceInterval
    max_slowdown: float

    @property
    def slower(self) -> float:
        return self.now.estimate / self.before.estimate

    @property
    def failed(self) -> bool:
        """More than the limit, and the intervals don't meet: not by chance."""
        return self.slower > self.max_slowdown and self.now.low > self.before.high

    def __str__(self) -> str:
        return (
            f"{'slower' if self.failed else 'ok':6} {self.name}: {_shown(self.now)} times "
            f"{self.reference}, {_shown(self.before)} in the baseline: {self.slower:.2f}, "
            f"at most {self.max_slowdown:.2f}"
        )


def _shown(ratio: ConfidenceInterval) -> str:
    return f"{ratio.estimate:.2f} [{ratio.low:.2f}-{ratio.high:.2f}]"


def judge_slowdown(
    baseline: Comparison, now: Comparison, max_slowdown: float
) -> Iterator[Judgement]:
    """One judgement per row of the baseline that was measured again.

    Raises ``UsageError`` where nothing can be judged: no common reference, too few rounds, or
    another day.
    """
    if _day(baseline) != _day(now):
        raise UsageError("the baseline is of another day: a ratio depends on the day's objects")
    judged = 0
    for row in (each for each in baseline.rows if each.role is not Role.PEER):
        reference = _reference(row, baseline, now)
        before, after = _ratio(baseline, row.name, reference), _ratio(now, row.name, reference)
        if row.name == reference or before is None or after is None:
            continue
        judged += 1
        yield Judgement(row.name, reference, before, after, max_slowdown)
    if not judged:
        raise UsageError(
            f"no row has {LEAST_ROUNDS} warm samples in both runs beside its reference: --warm"
        )


def _day(comparison: Comparison) -> dict[str, object]:
    """What tells the day's content; how well its objects are compressed differs by zlib."""
    return {name: each for name, each in comparison.fixture.items() if name not in _COMPRESSED}


def _reference(row: Row, baseline: Comparison, now: Comparison) -> str:
    common = {each.name for each in now.rows if each.samples}
    floors = (
        each.name
        for each in baseline.rows
        if each.role is Role.FLOOR and each.variant == row.variant
    )
    reference = next((name for name in floors if name in common), ranking(baseline).fastest)
    if reference not in common or reference is None:
        raise UsageError(f"the baseline's reference {reference} was not measured now")
    return reference


def _ratio(comparison: Comparison, name: str, reference: str) -> ConfidenceInterval | None:
    rounds = {row.name: by_round(row.samples) for row in comparison.rows}
    return paired_ratio(rounds.get(name, {}), rounds.get(reference, {}))
