"""The costs of a start: its first invocation, and from how many cold starts SnapStart pays."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from statistics import median

from harness.analysis.cost import (
    ARCHITECTURES,
    SnapshotPrices,
    gb_second_prices,
    has_limits,
    memory_mb,
    snapshot_prices,
)
from harness.analysis.intervals import ConfidenceInterval, Summary, ratio_of_medians, summarise
from harness.analysis.row_summary import by_round
from harness.model import LAMBDA, Comparison, Role, Row, Sample, SampleKind, Start


@dataclass(frozen=True, slots=True)
class SnapStartCost:
    """US dollars of SnapStart, against plain starts of the same function.

    ``saved`` is the duration that a cold start saves, ``restore`` the price of its restore. The
    cache costs ``month``, and ``least`` for a version that is deleted at once. ``pays_from`` is
    the number of cold starts a month from which it costs less; ``None`` is never.
    """

    saved: float
    restore: float
    month: float
    least: float
    pays_from: int | None


@dataclass(frozen=True, slots=True)
class StartSummary:
    """The start of one row; times in ms. ``to_plain`` is the ratio of the medians of first
    invocations to those of the row with plain starts, ``None`` for that row itself.
    """

    row: Row
    init: Summary | None
    restore: Summary | None
    after_restore: Summary | None
    first: Summary | None
    warm: Summary | None
    to_plain: ConfidenceInterval | None
    cost: SnapStartCost | None


def starts(comparison: Comparison) -> Iterator[StartSummary]:
    """The rows that were measured with a start of ``--start`` or ``--snap-start``."""
    for row in comparison.rows:
        if row.role is not Role.LANGUAGE:
            continue
        if row.variant.start is None and row.variant.snap_start is None:
            continue
        cold = [each for each in row.samples if each.kind is SampleKind.COLD]
        if not cold:
            continue
        plain = _plain_row(row, comparison)
        yield StartSummary(
            row,
            _summary(each.init_ms for each in cold),
            _summary(each.restore_ms for each in cold),
            _summary(each.after_restore_ms for each in cold),
            _summary(each.first_ms for each in cold),
            summarise(list(by_round(row.samples).values())),
            None if plain is None else ratio_of_medians(_firsts(row), _firsts(plain)),
            None if plain is None else _cost(row, plain, comparison),
        )


def _has_snapshot(row: Row) -> bool:
    return row.variant.start is Start.PRIMED or row.variant.snap_start is True


def architecture(comparison: Comparison) -> str:
    """The architecture whose prices count: that of the run."""
    found = str(comparison.environment.get("architecture"))
    return found if found in ARCHITECTURES else {"aarch64": "arm64"}.get(found, ARCHITECTURES[0])


def _plain_row(row: Row, comparison: Comparison) -> Row | None:
    """The row with plain starts that equals ``row`` otherwise; ``None`` for itself."""
    variant = row.variant
    plain = replace(
        variant,
        start=None if variant.start is None else Start.ZIP,
        snap_start=None if variant.snap_start is None else False,
    )
    if plain == variant:
        return None
    return next(
        (
            each
            for each in comparison.rows
            if each.samples
            and (each.language, each.client, each.variant) == (row.language, row.client, plain)
        ),
        None,
    )


def _cost(row: Row, plain: Row, comparison: Comparison) -> SnapStartCost | None:
    before, after = _billed_ms(plain, comparison), _billed_ms(row, comparison)
    if not _has_snapshot(row) or not (has_limits(row) and has_limits(plain)):
        return None
    if before is None or after is None:
        return None
    gigabytes = memory_mb(row, comparison) / 1024
    prices = snapshot_prices(row.runtime or row.language)
    saved = (before - after) / 1000 * gigabytes * gb_second_prices()[architecture(comparison)]
    return snap_start_cost(saved, gigabytes, prices)


def snap_start_cost(saved: float, gigabytes: float, prices: SnapshotPrices) -> SnapStartCost:
    """``saved`` are the dollars of the duration that one cold start saves."""
    restore, month = prices.restore * gigabytes, prices.month * gigabytes
    gain = saved - restore
    pays_from = max(1, math.ceil(month / gain)) if gain > 0 else None
    return SnapStartCost(saved, restore, month, prices.least * gigabytes, pays_from)


def _billed_ms(row: Row, comparison: Comparison) -> float | None:
    """The billed time of a cold invocation: what AWS says, or here the init and the duration.

    A restore is not billed as time, but the hooks after it are, so here too it is ``first_ms``.
    """
    is_aws = comparison.environment.get("target") == LAMBDA
    found = [
        each.billed_ms if is_aws else each.first_ms
        for each in row.samples
        if each.kind is SampleKind.COLD
    ]
    values = [each for each in found if each is not None]
    return median(values) if values else None


def _firsts(row: Row) -> list[float]:
    return _values(row.samples, lambda each: each.first_ms)


def _values(samples: Sequence[Sample], value: Callable[[Sample], float | None]) -> list[float]:
    cold = (each for each in samples if each.kind is SampleKind.COLD)
    return [found for each in cold if (found := value(each)) is not None]


def _summary(values: Iterable[float | None]) -> Summary | None:
    return summarise([each for each in values if each is not None])
