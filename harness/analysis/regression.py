"""Decides whether a run is slower than an earlier one, even on another machine.

Each row is divided by a reference row of the same run, round by round, so that the speed of the
machine cancels out. The reference is the floor of the row's variant if both runs have it, else the
fastest row of the baseline. The reference itself is not judged.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

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


def require_comparable(baseline: Comparison, now: Comparison) -> None:
    """Raise ``UsageError`` if the runs have different days or transports, or too few rounds.

    ``now`` needs no samples, so a run can be refused before it is measured.
    """
    if _day(baseline) != _day(now):
        raise UsageError("the baseline is of another day: run compare with the baseline's day")
    tls = {row.name: row.tls for row in now.rows}
    for row in baseline.rows:
        is_judged = row.samples and row.role is not Role.PEER
        if is_judged and tls.get(row.name, row.tls) != row.tls:
            raise UsageError(
                f"the baseline measured {row.name} over {transport(tls=row.tls)}, and this run "
                f"over {transport(tls=not row.tls)}: make the baseline anew"
            )
    if not any(len(by_round(row.samples)) >= LEAST_ROUNDS for row in baseline.rows):
        raise UsageError(
            f"no row of the baseline has {LEAST_ROUNDS} warm samples: make the baseline anew, with "
            f"--warm {LEAST_ROUNDS} or more"
        )
    warm = now.settings.get("warm")
    if isinstance(warm, int) and warm < LEAST_ROUNDS:
        raise UsageError(
            f"{warm} warm samples are too few for --baseline: use --warm {LEAST_ROUNDS} or more"
        )


def judge_slowdown(
    baseline: Comparison, now: Comparison, max_slowdown: float
) -> Iterator[Judgement]:
    """One judgement for each row of the baseline that was measured again.

    Raises ``UsageError`` if no row can be judged: they have no common reference or too few rounds.
    """
    judged = 0
    measured = {row.name: row for row in now.rows}
    for row in (each for each in baseline.rows if each.role is Role.LANGUAGE):
        reference, reference_now = _references(row, baseline, now)
        if row.name == reference.name or row.name not in measured:
            continue
        before, after = _ratio(row, reference), _ratio(measured[row.name], reference_now)
        if before is None or after is None:
            continue
        judged += 1
        yield Judgement(row.name, reference.name, before, after, max_slowdown)
    if not judged:
        raise UsageError(
            f"no row and its reference have {LEAST_ROUNDS} warm samples in both runs: use --warm "
            f"{LEAST_ROUNDS} or more"
        )


def _day(comparison: Comparison) -> dict[str, object]:
    """The facts of the day without its compressed sizes, which depend on the version of zlib."""
    return {name: each for name, each in comparison.fixture.items() if name not in _COMPRESSED}


def _references(row: Row, baseline: Comparison, now: Comparison) -> tuple[Row, Row]:
    """The reference of the row in both runs."""
    before, after = _floor(row, baseline), _floor(row, now)
    if before is not None and after is not None:
        return before, after
    name = ranking(baseline).fastest
    before, after = (
        next((each for each in run.rows if each.name == name and each.samples), None)
        for run in (baseline, now)
    )
    if before is None or after is None:
        raise UsageError(
            f"the baseline's reference {name} was not measured in this run: include it"
        )
    return before, after


def _floor(row: Row, comparison: Comparison) -> Row | None:
    """The floor of the row's variant. It has one of the starts, and stands for all of them."""
    variant = replace(row.variant, start=None)
    return next(
        (
            each
            for each in comparison.rows
            if each.role is Role.FLOOR
            and each.samples
            and replace(each.variant, start=None) == variant
        ),
        None,
    )


def _ratio(row: Row, reference: Row) -> ConfidenceInterval | None:
    return paired_ratio(by_round(row.samples), by_round(reference.samples))
