"""How sure a figure is: medians with bootstrap intervals, and who differs from whom.

Percentile bootstrap (Efron and Tibshirani 1993, chapter 13), by ``scipy.stats.bootstrap``. Rows are
compared within a round, where the machine was the same for both: the statistic is the median
over the rounds of one's time divided by the other's, and whole rounds are resampled.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from scipy import stats

#: Below it a bootstrap of a median says little: nothing is ranked.
LEAST_ROUNDS = 8
#: A 95th percentile of fewer values would be their maximum under another name.
LEAST_FOR_P95 = 20
_CONFIDENCE = 0.95
_RESAMPLES = 9_999
_SEED = 20_240_208  # the same samples shall give the same interval


@dataclass(frozen=True, slots=True)
class ConfidenceInterval:
    """A 95 % bootstrap interval and the estimate in it; ``n`` values or rounds."""

    estimate: float
    low: float
    high: float
    n: int

    def excludes(self, value: float) -> bool:
        return not self.low <= value <= self.high


@dataclass(frozen=True, slots=True)
class Summary:
    """What is said of one kind of sample. ``interval`` is that of the median and ``None`` for a
    single value, ``p95`` is ``None`` for fewer than 20, ``mad`` is the unscaled median absolute
    deviation. Units are the values'.
    """

    n: int
    median: float
    min: float
    max: float
    mad: float
    interval: ConfidenceInterval | None
    p95: float | None


def summarise(values: Sequence[float]) -> Summary | None:
    """``None`` of no values."""
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
    """The median ratio of ours to theirs in the rounds that both have; ``None`` below eight.

    Both map the round's number to a time.
    """
    rounds = sorted(ours.keys() & theirs.keys())
    if len(rounds) < LEAST_ROUNDS:
        return None
    return _interval(tuple(ours[number] / theirs[number] for number in rounds))


def ratio_of_medians(ours: Sequence[float], theirs: Sequence[float]) -> ConfidenceInterval | None:
    """The ratio of two medians whose values are no pairs: each side is resampled on its own.

    ``n`` is the smaller number of values; ``None`` below two.
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


@lru_cache(maxsize=4096)  # every report of a run asks for the same ones
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
    """The ratios that mean nothing, from one language against itself: symmetric around 1."""
    most = max(again.high, 1 / again.low)
    return 1 / most, most


def differs(ratio: ConfidenceInterval | None, noise: ConfidenceInterval | None) -> bool | None:
    """Whether a ratio is a difference: its interval excludes 1 and lies outside of the noise.

    ``None`` where either is unknown.
    """
    if ratio is None or noise is None:
        return None
    low, high = noise_floor(noise)
    return ratio.excludes(1) and (ratio.high < low or ratio.low > high)


def rank(
    rounds: Mapping[str, Mapping[int, float]], noise: ConfidenceInterval | None
) -> dict[str, int] | None:
    """name -> 1 + how many others are faster for sure; those not told apart may share a rank.

    ``rounds`` maps each name to its time by round. ``None`` where a pair can't be compared.
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
