"""The sentences and cells that all reports share."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.analysis.intervals import ConfidenceInterval, Summary, noise_floor
from harness.analysis.row_summary import Ranking, RowSummary
from harness.analysis.sweeps import best_memory, gb_seconds
from harness.model import LAMBDA, Comparison, Row, transport

NOT_MEASURED = "-"
_ABOUT = (
    "Times are medians, from the emulator's platform lines; warm has its 95 % bootstrap interval. "
    "Init is that of a fresh sandbox; first is the first invocation with its init. CPU is that of "
    "the function and of the S3 server. Memory is the peak RSS of the runtime's processes in one "
    "invocation."
)
_SNAPSHOTS = (
    "From a snapshot, first has the restore and no init; in a primed row it has the hooks after "
    "the restore."
)
_TASKS = (
    "Times are medians. Init is from the start of a task to the first line of its log, first from "
    "its start to its exit, and no task is warm. Memory is the peak RSS of its processes."
)
#: The columns of `main_cells`.
MAIN_HEADINGS = (
    "vCPU",
    "init ms",
    "first ms",
    "warm ms",
    "95 %",
    "n",
    "CPU ms",
    "S3 CPU ms",
    "memory MiB",
    "zip MB",
    "unzipped MB",
)


@dataclass(frozen=True, slots=True)
class Table:
    """``text`` explains the table; ``id`` is its anchor in a page."""

    id: str
    title: str
    text: str
    headings: Sequence[str]
    rows: Sequence[Sequence[str]]


def about(comparison: Comparison) -> str:
    """The meaning of the main table's columns."""
    samples = [each for row in comparison.rows for each in row.samples]
    if any(each.process_ms is not None for each in samples):
        return _TASKS
    is_restored = any(each.start_ms != each.init_ms for each in samples)
    return f"{_ABOUT} {_SNAPSHOTS}" if is_restored else _ABOUT


def main_cells(row: Row, found: RowSummary) -> tuple[str, ...]:
    """One cell for each of ``MAIN_HEADINGS``."""
    warm = found.warm
    return (
        vcpus(row),
        median_text(found.init),
        median_text(found.first),
        median_text(warm),
        NOT_MEASURED if warm is None else between(warm.interval),
        NOT_MEASURED if warm is None else str(warm.n),
        median_text(found.cpu),
        median_text(found.server_cpu),
        mebibytes(found.peak_rss_bytes),
        megabytes(row.zip_bytes),
        megabytes(row.unzipped_bytes),
    )


def vcpus(row: Row) -> str:
    """The row's share of CPU; with ``*`` if it shared its cores with the S3 server."""
    if row.enforcement is None or row.enforcement.mechanism is None:
        return NOT_MEASURED
    return f"{row.enforcement.vcpus:.2f}{'*' if row.is_contended else ''}"


def describe_run(comparison: Comparison) -> Iterator[tuple[str, str]]:
    """The facts of the run, such as its day and its machine: (title, line)."""
    for title, line in (
        ("day", _day(comparison.fixture)),
        ("settings", _settings(comparison.settings)),
        ("limits", _limits(comparison)),
        ("transport", _transport(comparison)),
        ("machine", _machine(comparison.environment)),
    ):
        if line:
            yield title, line


def _limits(comparison: Comparison) -> str:
    held = [row.enforcement for row in comparison.rows if row.enforcement is not None]
    if not held:
        return ""
    if held[0].mechanism is None:
        return f"none: {held[0].reason}"
    if held[0].mechanism == LAMBDA:
        return f"{LAMBDA}'s own"
    when = "from the start" if held[0].throttle_init else "after init"
    delays = [each.quota_delay_ms for each in held if each.quota_delay_ms is not None]
    late = f", at most {max(delays):.1f} ms late" if delays else ""
    swap = "no swap" if held[0].swap_off else "swap could not be switched off"
    is_shared = any(map(_contended, comparison.rows))
    own = "; * has more than one vCPU and shares its cores with the S3 server" if is_shared else ""
    return f"{held[0].mechanism}: memory, {swap}; share of CPU {when}{late}{own}"


def _transport(comparison: Comparison) -> str:
    used = transports(comparison)
    if len(used) > 1:
        return f"{' and '.join(sorted(used))} to S3, as the name of each row tells"
    return "".join(f"{each} to S3" for each in used)


def transports(comparison: Comparison) -> frozenset[str]:
    """The ways to S3 of the rows that were invoked."""
    invoked = (row for row in comparison.rows if row.enforcement is not None or row.samples)
    return frozenset(transport(tls=row.tls) for row in invoked)


def _contended(row: Row) -> bool:
    return row.is_contended


def best_memory_lines(comparison: Comparison) -> Iterator[str]:
    """A sentence for each line of a memory sweep."""
    for best in best_memory(comparison):
        cheap, fast = best.cheapest, best.fastest
        yield (
            f"{best.name}: cheapest at {cheap.value:,} MB ({gb_seconds(cheap):.3f} GB-s), "
            f"fastest at {fast.value:,} MB ({fast.warm.median:,.0f} ms)"
        )


def standing_title(found: Ranking) -> str:
    """The reference of the ratios of ``standing_rows``, and the range of noise."""
    if found.noise is None:
        return f"warm, as ratio to {found.fastest}; without ranks, see the warnings"
    low, high = noise_floor(found.noise)
    return (
        f"warm, as ratio to {found.fastest} in the same round; {low:.2f} to {high:.2f} is noise "
        "(the ratio of one row to itself)"
    )


def standing_rows(found: Ranking) -> Iterator[tuple[str, str, str]]:
    """(rank, name, ratio with its interval), the fastest first."""
    for name, each in sorted(
        found.standings.items(),
        key=lambda item: item[1].to_fastest.estimate if item[1].to_fastest else 0,
    ):
        rank = NOT_MEASURED if each.rank is None else str(each.rank)
        yield rank, name, "1.00" if name == found.fastest else ratio(each.to_fastest)


def ratio(interval: ConfidenceInterval | None) -> str:
    if interval is None:
        return NOT_MEASURED
    return f"{interval.estimate:.2f} [{interval.low:.2f}-{interval.high:.2f}]"


def median_text(summary: Summary | None) -> str:
    return number(None if summary is None else summary.median)


def number(value: float | None) -> str:
    return NOT_MEASURED if value is None else f"{value:,.0f}"


def between(interval: ConfidenceInterval | None) -> str:
    return NOT_MEASURED if interval is None else f"{interval.low:,.0f}-{interval.high:,.0f}"


def mebibytes(size: int | None) -> str:
    return NOT_MEASURED if size is None else f"{size / 2**20:,.0f}"


def megabytes(size: int | None) -> str:
    return NOT_MEASURED if size is None else f"{size / 1e6:.1f}"


def _day(fixture: Mapping[str, Any]) -> str:
    if not fixture:
        return ""
    origin = f"generated from seed {fixture['seed']}" if "seed" in fixture else "given"
    bad = f", {fixture['bad']:,} of them bad" if fixture["bad"] else ""
    return (
        f"{fixture['day']}, {origin}: {_counted(fixture['sources'], 'source')}{bad}, "
        f"{megabytes(fixture['source_bytes'])} MB, "
        f"{fixture['small_share']:.0%} under 1,000 bytes; {fixture['records']:,} records, "
        f"{megabytes(fixture['record_bytes'])} MB in {_counted(fixture['chunks'], 'chunk')}"
    )


def _settings(settings: Mapping[str, Any]) -> str:
    variables = (f"{name}={value}" for name, value in settings.items() if name.isupper())
    return (
        f"{settings['memory_mb']:,} MB of memory, time-out {settings['timeout_s']} s, "
        f"{_plan(settings)}; {' '.join(variables)}"
    )


def _plan(settings: Mapping[str, Any]) -> str:
    if settings["seconds"] is not None:
        return f"rounds for {settings['seconds']} s"
    return (
        f"{settings['cold']} cold and {settings['warm']} warm samples, "
        f"{_counted(settings['rerun'], 're-run')}"
    )


def _machine(environment: Mapping[str, Any]) -> str:
    commit = environment["commit"] or NOT_MEASURED
    changed = " with uncommitted changes" if environment["clean"] is False else ""
    if environment.get("target") == LAMBDA:
        return (
            f"{LAMBDA} in {environment['region']}, {environment['architecture']}, stack "
            f"{environment['stack']}; commit {commit}{changed}"
        )
    return (
        f"{_counted(environment['cores'], 'core')} of {environment['cpu'] or NOT_MEASURED}, "
        f"{environment['memory_mb'] / 1000:.0f} GB, {environment['kernel']} "
        f"{environment['architecture']}; {environment['emulator']}; commit {commit}{changed}"
    )


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
