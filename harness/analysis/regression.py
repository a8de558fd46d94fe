"""Decides whether a run is slower than an earlier one, even on another machine.

Each row is divided by a reference row of the same run, round by round, so that the speed of the
machine cancels out. The reference is the floor of the row's variant if both runs have it, else the
fastest row of the baseline. The reference itself is not judged.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from harness.analysis.intervals import LEAST_ROUNDS, ConfidenceInterval, paired_ratio
from harness.analysis.row_summary import by_round, ranking
from harness.model import Comparison, Role, Row, UsageError, transport

_COMPRESSED = ("source_bytes", "small_share")


@dataclass(frozen=True, slots=True)
class Judgement:
    """A row in both runs, as ratios to ``reference``.

    ``slower`` is the ratio of this run divided by that of the baseline.
    """

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
        """Slower than the limit, and not by chance: the intervals do not meet."""
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
    """One judgement for each row of the baseline that was measured again.

    Raises ``UsageError`` if the runs have different days or transports, or if no row can be judged:
    they have no common reference or too few rounds.
    """
    if _day(baseline) != _day(now):
        raise UsageError("the baseline is of another day: run compare with the baseline's day")
    judged = 0
    for row in (each for each in baseline.rows if each.role is not Role.PEER):
        reference = _reference(row, baseline, now)
        _require_same_transport(row.name, baseline, now)
        before, after = _ratio(baseline, row.name, reference), _ratio(now, row.name, reference)
        if row.name == reference or before is None or after is None:
            continue
        judged += 1
        yield Judgement(row.name, reference, before, after, max_slowdown)
    if not judged:
        raise UsageError(
            f"no row and its reference have {LEAST_ROUNDS} warm samples in both runs: use --warm "
            f"{LEAST_ROUNDS} or more"
        )


def _require_same_transport(name: str, baseline: Comparison, now: Comparison) -> None:
    before, after = (
        next((row.tls for row in each.rows if row.name == name and row.samples), None)
        for each in (baseline, now)
    )
    if before is not None and after is not None and before != after:
        raise UsageError(
            f"the baseline measured {name} over {transport(tls=before)}, and this run over "
            f"{transport(tls=after)}: make the baseline anew"
        )


def _day(comparison: Comparison) -> dict[str, object]:
    """The facts of the day without its compressed sizes, which depend on the version of zlib."""
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
        raise UsageError(
            f"the baseline's reference {reference} was not measured in this run: include it"
        )
    return reference


def _ratio(comparison: Comparison, name: str, reference: str) -> ConfidenceInterval | None:
    rounds = {row.name: by_round(row.samples) for row in comparison.rows}
    return paired_ratio(rounds.get(name, {}), rounds.get(reference, {}))
