"""Confidence intervals of medians and ratios, and the ranks that follow from them.

The method is the percentile bootstrap (Efron and Tibshirani 1993, chapter 13), by
``scipy.stats.bootstrap``. Two rows are compared within a round, when the machine was the same for
both. The statistic is the median over the rounds of one time divided by the other, and whole
rounds are resampled.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from scipy import stats

#: With fewer rounds, the bootstrap of a median is no good estimate, so there are no ranks.
LEAST_ROUNDS = 8
#: The 95th percentile of fewer values would be close to their maximum.
LEAST_FOR_P95 = 20
_CONFIDENCE = 0.95
_RESAMPLES = 9_999
_SEED = 20_240_208  # so that the same samples always give the same interval


@dataclass(frozen=True, slots=True)
class ConfidenceInterval:
    """An estimate and its 95 % bootstrap interval, of ``n`` values or rounds."""

    estimate: float
    low: float
    high: float
    n: int

    def excludes(self, value: float) -> bool:
        return not self.low <= value <= self.high


@dataclass(frozen=True, slots=True)
class Summary:
    """The summary of one kind of sample, in the unit of the values.

    ``interval`` is the median's, and ``None`` for a single value. ``p95`` is ``None`` for fewer
    than 20 values. ``mad`` is the unscaled median absolute deviation.
    """

    n: int
    median: float
    min: float
    max: float
    mad: float
    interval: ConfidenceInterval | None
    p95: float | None


def summarise(values: Sequence[float]) -> Summary | None:
    """The summary of ``values``; ``None`` if there are none."""
    if not values:
        return None
    return Summary(
        n=len(values),
        median=float(np.median(values)),
        min=min(values),
        max=max(values),
        mad=float(stats.median_abs_deviation(values)),
        interval=_interval(tuple(values)) if len(values) > 1 else None,
        p95=float(np.quantile(values, 0.95)) if len(values) >= LEAST_FOR_P95 else None,
    )


def paired_ratio(
    ours: Mapping[int, float], theirs: Mapping[int, float]
) -> ConfidenceInterval | None:
    """The median ratio of ``ours`` to ``theirs`` in their common rounds; ``None`` below eight.

    Both map the number of a round to a time.
    """
    rounds = sorted(ours.keys() & theirs.keys())
    if len(rounds) < LEAST_ROUNDS:
        return None
    return _interval(tuple(ours[number] / theirs[number] for number in rounds))


def ratio_of_medians(ours: Sequence[float], theirs: Sequence[float]) -> ConfidenceInterval | None:
    """The ratio of two medians of unpaired values: each side is resampled on its own.

    It is ``None`` for fewer than two values of a side. ``n`` is the smaller number of values.
    """
    if min(len(ours), len(theirs)) < 2:
        return None
    return _interval_of_two(tuple(ours), tuple(theirs))


@lru_cache(maxsize=4096)
def _interval_of_two(ours: tuple[float, ...], theirs: tuple[float, ...]) -> ConfidenceInterval:
    estimate, n = float(np.median(ours) / np.median(theirs)), min(len(ours), len(theirs))
    if len(set(ours)) == len(set(theirs)) == 1:  # nothing to resample
        return ConfidenceInterval(estimate, estimate, estimate, n)
    found: Any = stats.bootstrap(
        (np.asarray(ours), np.asarray(theirs)),
        lambda a, b, axis: np.median(a, axis=axis) / np.median(b, axis=axis),
        confidence_level=_CONFIDENCE,
        n_resamples=_RESAMPLES,
        method="percentile",
        vectorized=True,
        rng=np.random.default_rng(_SEED),
    )
    low, high = (float(each) for each in found.confidence_interval)
    return ConfidenceInterval(estimate, low, high, n)


@lru_cache(maxsize=4096)  # the reports of a run need the same intervals
def _interval(values: tuple[float, ...]) -> ConfidenceInterval:
    if len(set(values)) == 1:  # nothing to resample
        return ConfidenceInterval(values[0], values[0], values[0], len(values))
    found: Any = stats.bootstrap(
        (np.asarray(values),),
        np.median,
        confidence_level=_CONFIDENCE,
        n_resamples=_RESAMPLES,
        method="percentile",
        vectorized=True,
        rng=np.random.default_rng(_SEED),
    )
    low, high = (float(each) for each in found.confidence_interval)
    return ConfidenceInterval(float(np.median(values)), low, high, len(values))


def noise_floor(again: ConfidenceInterval) -> tuple[float, float]:
    """The ratios that may be noise: a range around 1, from the ratio of one row to itself."""
    most = max(again.high, 1 / again.low)
    return 1 / most, most


def differs(ratio: ConfidenceInterval | None, noise: ConfidenceInterval | None) -> bool | None:
    """Whether a ratio is a difference: its interval excludes 1 and does not meet the noise.

    ``None`` if the ratio or the noise is unknown.
    """
    if ratio is None or noise is None:
        return None
    low, high = noise_floor(noise)
    return ratio.excludes(1) and (ratio.high < low or ratio.low > high)


def rank(
    rounds: Mapping[str, Mapping[int, float]], noise: ConfidenceInterval | None
) -> dict[str, int] | None:
    """name -> 1 + the number of rows that are certainly faster. Rows may share a rank.

    ``rounds`` maps each name to its times by round. ``None`` if some pair can't be compared.
    """
    ranks = dict.fromkeys(rounds, 1)
    for name, ours in rounds.items():
        for other, theirs in rounds.items():
            if name == other:
                continue
            ratio = paired_ratio(ours, theirs)
            if (different := differs(ratio, noise)) is None or ratio is None:
                return None
            ranks[name] += different and ratio.estimate > 1
    return ranks
