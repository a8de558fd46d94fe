"""Whether a run is slower than a stored one, on whatever machine: ratios, not times.

Each row is divided by the same reference row of its own run, round by round, so that a slower
machine does not matter. The reference is the floor where both runs have it, else the row
that was fastest in the baseline; of that one itself nothing can be said.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from harness.figures import by_round, ranking
from harness.model import Comparison, UsageError
from harness.statistics import LEAST_ROUNDS, Interval, paired_ratio

FLOOR = "floor"


@dataclass(frozen=True, slots=True)
class Judgement:
    """A row in both runs, as ratios to ``reference``; ``slower`` is now's by the baseline's."""

    name: str
    reference: str
    before: Interval
    now: Interval
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


def _shown(ratio: Interval) -> str:
    return f"{ratio.estimate:.2f} [{ratio.low:.2f}-{ratio.high:.2f}]"


def judge_slowdown(
    baseline: Comparison, now: Comparison, max_slowdown: float
) -> Iterator[Judgement]:
    """One judgement per row of the baseline that was measured again.

    Raises ``UsageError`` where nothing can be judged: no common reference, too few rounds, or
    another day.
    """
    if baseline.fixture != now.fixture:
        raise UsageError("the baseline is of another day: a ratio depends on the day's objects")
    reference = _reference(baseline, now)
    judged = 0
    for row in baseline.rows:
        before, after = _ratio(baseline, row.name, reference), _ratio(now, row.name, reference)
        if row.name == reference or before is None or after is None:
            continue
        judged += 1
        yield Judgement(row.name, reference, before, after, max_slowdown)
    if not judged:
        raise UsageError(
            f"no row has {LEAST_ROUNDS} warm samples in both runs beside {reference}: --warm"
        )


def _reference(baseline: Comparison, now: Comparison) -> str:
    common = {row.name for row in baseline.rows} & {row.name for row in now.rows if row.samples}
    floor = next((name for name in sorted(common) if name.split()[0] == FLOOR), None)
    reference = floor or ranking(baseline).fastest
    if reference not in common or reference is None:
        raise UsageError(f"the baseline's reference {reference} was not measured now")
    return reference


def _ratio(comparison: Comparison, name: str, reference: str) -> Interval | None:
    rounds = {row.name: by_round(row.samples) for row in comparison.rows}
    return paired_ratio(rounds.get(name, {}), rounds.get(reference, {}))
