"""The summary of a row's samples: times, throughput, and the rank among the other rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from statistics import median

from harness.analysis.intervals import (
    ConfidenceInterval,
    Summary,
    paired_ratio,
    rank,
    ratio_of_medians,
    summarise,
)
from harness.model import Comparison, RepeatedRow, Role, Row, Sample, SampleKind


@dataclass(frozen=True, slots=True)
class Phase:
    """The operations of one phase in a warm invocation: their number, and their summed time."""

    count: int
    sum_ms: float


@dataclass(frozen=True, slots=True)
class RowSummary:
    """The summary of one row's samples; times in ms, memory in bytes.

    ``first`` is a cold invocation with its start, ``rerun`` a warm one over a published day.
    Throughput is by the warm median: of sources, and of megabytes as S3 stores them. The operations
    of ``phases`` run at the same time, so their sums may exceed the duration.
    """

    init: Summary | None
    first: Summary | None
    warm: Summary | None
    rerun: Summary | None
    cpu: Summary | None
    server_cpu: Summary | None
    peak_rss_bytes: int | None
    sources_per_s: float | None
    megabytes_per_s: float | None
    wait_ms: float | None
    phases: Mapping[str, Phase]


@dataclass(frozen=True, slots=True)
class Standing:
    """The place of a row among the others by its warm times.

    ``rank`` is ``None`` if the samples do not decide it. ``to_fastest`` is the paired ratio to the
    row with the lowest warm median, and ``None`` for that row itself.
    """

    rank: int | None
    to_fastest: ConfidenceInterval | None


@dataclass(frozen=True, slots=True)
class Ranking:
    """The places of all rows. ``noise`` is the ratio of the A/A run: one row to itself."""

    fastest: str | None
    noise: ConfidenceInterval | None
    standings: Mapping[str, Standing]


@dataclass(frozen=True, slots=True)
class ToFloor:
    """A row's times divided by the warm times of the floor of its variant.

    ``warm`` is the paired ratio, ``first`` the ratio of the medians of first invocations and floor.
    """

    warm: ConfidenceInterval | None
    first: ConfidenceInterval | None


def summarise_row(row: Row, fixture: Mapping[str, object]) -> RowSummary:
    """The summary of one row; all members are ``None`` if it was not measured."""
    cold = [sample for sample in row.samples if sample.kind is SampleKind.COLD]
    warm = [sample for sample in row.samples if sample.kind is SampleKind.WARM]
    rerun = [sample for sample in row.samples if sample.kind is SampleKind.RERUN]
    summary = summarise(_values(warm, lambda sample: sample.duration_ms))
    per_s = None if summary is None else 1000 / summary.median
    peaks = _values(row.samples, lambda sample: sample.peak_rss_bytes)
    waits = _values(warm, lambda sample: sample.wait_ms)
    return RowSummary(
        init=summarise(_values(cold, lambda sample: sample.init_ms)),
        first=summarise(_values(cold, lambda sample: sample.first_ms)),
        warm=summary,
        rerun=summarise(_values(rerun, lambda sample: sample.duration_ms)),
        cpu=summarise(_values(warm, lambda sample: sample.cpu_ms)),
        server_cpu=summarise(_values(warm, lambda sample: sample.server_cpu_ms)),
        peak_rss_bytes=int(max(peaks)) if peaks else None,
        sources_per_s=per_s and per_s * float(str(fixture["sources"])),
        megabytes_per_s=per_s and per_s * float(str(fixture["source_bytes"])) / 1e6,
        wait_ms=median(waits) if waits else None,
        phases=_phases(warm),
    )


def ranking(comparison: Comparison) -> Ranking:
    """The ranking of the languages by warm times. Companions are left out."""
    languages = (row for row in comparison.rows if row.role is Role.LANGUAGE)
    rounds = {row.name: by_round(row.samples) for row in languages}
    rounds = {name: times for name, times in rounds.items() if times}
    if not rounds:
        return Ranking(None, None, {})
    noise = _noise(comparison.again, rounds)
    fastest = min(rounds, key=lambda name: median(rounds[name].values()))
    ranks = rank(rounds, noise) if len(rounds) > 1 else None
    return Ranking(
        fastest,
        noise,
        {
            name: Standing(
                None if ranks is None else ranks[name],
                None if name == fastest else paired_ratio(times, rounds[fastest]),
            )
            for name, times in rounds.items()
        },
    )


def to_floor(comparison: Comparison) -> dict[str, ToFloor]:
    """name -> its ratios, for each row whose variant has a measured floor.

    The floor is measured with one of the starts, and stands for all of them.
    """
    floors = {
        replace(row.variant, start=None): by_round(row.samples)
        for row in comparison.rows
        if row.role is Role.FLOOR
    }
    return {
        row.name: ToFloor(
            paired_ratio(by_round(row.samples), floor),
            ratio_of_medians(_first(row.samples), list(floor.values())),
        )
        for row in comparison.rows
        if row.role is not Role.FLOOR
        and row.samples
        and (floor := floors.get(replace(row.variant, start=None)))
    }


def _first(samples: Iterable[Sample]) -> list[float]:
    cold = (sample for sample in samples if sample.kind is SampleKind.COLD)
    return _values(cold, lambda sample: sample.first_ms)


def by_round(samples: Iterable[Sample]) -> dict[int, float]:
    """round -> warm duration in ms."""
    return {
        sample.round: sample.duration_ms
        for sample in samples
        if sample.kind is SampleKind.WARM and sample.duration_ms is not None
    }


def _noise(
    again: RepeatedRow | None, rounds: Mapping[str, Mapping[int, float]]
) -> ConfidenceInterval | None:
    if again is None or again.name not in rounds:
        return None
    return paired_ratio(by_round(again.samples), rounds[again.name])


def _values(samples: Iterable[Sample], value: Callable[[Sample], float | None]) -> list[float]:
    return [found for sample in samples if (found := value(sample)) is not None]


def _phases(samples: Iterable[Sample]) -> dict[str, Phase]:
    """The medians over the samples with phases, in the order of the log line."""
    seen: dict[str, list[tuple[int, float]]] = {}
    for sample in samples:
        for name, phase in (sample.phases or {}).items():
            if isinstance(phase, dict) and {"count", "sum_ms"} <= phase.keys():
                seen.setdefault(name, []).append((int(phase["count"]), float(phase["sum_ms"])))
    return {
        name: Phase(round(median(count for count, _ in each)), median(ms for _, ms in each))
        for name, each in seen.items()
    }
