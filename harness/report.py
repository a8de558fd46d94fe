"""What a comparison looks like: a table for people, JSON for everything else."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from statistics import median
from typing import IO, Any

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from harness.model import Comparison, Row, Sample, SampleKind, VerdictKind

NOT_MEASURED = "-"
ABOUT = (
    "Times are the emulator's platform lines, init that of a fresh sandbox; CPU and memory are of "
    "the runtime process, memory its peak RSS. Compare rows with each other, not with AWS."
)
_FULL_WIDTH, _MIN_WIDTH = 98, 80
_STYLES = {
    VerdictKind.MATCH: "green",
    VerdictKind.MISMATCH: "red",
    VerdictKind.FAILED: "red",
    VerdictKind.SKIPPED: "yellow",
}


def render(comparison: Comparison, stream: IO[str], width: int | None = None) -> None:
    """Print the table, then why a row is not a match.

    ``width`` is the terminal's by default, and 100 elsewhere. Below 98 the table is compact; it
    is never narrower than 80, because a figure that is cut is a wrong figure. Colours only on a
    terminal, and never with ``NO_COLOR``.
    """
    if width is None and not stream.isatty():
        width = 100
    console = Console(file=stream, width=width, highlight=False)
    for title, line in (
        ("day", _day(comparison.fixture)),
        ("settings", _settings(comparison.settings)),
        ("machine", _machine(comparison.environment)),
    ):
        if line:
            console.print(f"[bold]{title}[/]  {escape(line)}")
    wide = Console(file=stream, width=max(console.width, _MIN_WIDTH), highlight=False)
    wide.print(_table(comparison.rows, compact=console.width < _FULL_WIDTH))
    for row in comparison.rows:
        if row.verdict.reason is not None:
            style = _STYLES[row.verdict.kind]
            console.print(f"[{style}]{row.language}: {row.verdict.kind}[/]", end=" ")
            console.print(row.verdict.reason, markup=False, soft_wrap=True)
    if any(row.samples for row in comparison.rows):
        console.print(ABOUT)


def _table(rows: Iterable[Row], *, compact: bool) -> Table:
    """``compact`` leaves the client to the export and breaks what is long into two lines."""
    gap = "\n" if compact else " "
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 0 if compact else 1, 0, 0))
    table.add_column("language")
    table.add_column("verdict")
    if not compact:
        table.add_column("client")
    for heading in (
        "init\nms",
        "first\nms",
        f"warm ms\nmedian{gap}[min-max] n",
        "warm\nCPU ms",
        "memory\nMiB",
        f"MB\nzip /{gap}unzipped",
    ):
        table.add_column(escape(heading), justify="right")
    for row in rows:
        cold = [sample for sample in row.samples if sample.kind is SampleKind.COLD]
        warm = [sample for sample in row.samples if sample.kind is SampleKind.WARM]
        table.add_row(
            row.language,
            f"[{_STYLES[row.verdict.kind]}]{row.verdict.kind}[/]",
            *([] if compact else [row.client]),
            _median(_values(cold, "init_ms")),
            _median(_values(cold, "duration_ms")),
            _spread(_values(warm, "duration_ms"), gap),
            _median(_values(warm, "cpu_ms")),
            _peak(_values(row.samples, "peak_rss_bytes")),
            f"{_megabytes(row.zip_bytes)} / {_megabytes(row.unzipped_bytes)}",
        )
    return table


def _values(samples: Iterable[Sample], name: str) -> list[float]:
    found = (getattr(sample, name) for sample in samples)
    return [value for value in found if value is not None]


def _median(values: list[float]) -> str:
    return f"{median(values):,.0f}" if values else NOT_MEASURED


def _spread(values: list[float], gap: str) -> str:
    if not values:
        return NOT_MEASURED
    return f"{median(values):,.0f}{gap}[{min(values):,.0f}-{max(values):,.0f}] {len(values)}"


def _peak(values: list[float]) -> str:
    return f"{max(values) / 2**20:,.0f}" if values else NOT_MEASURED


def _megabytes(size: int | None) -> str:
    return NOT_MEASURED if size is None else f"{size / 1e6:.1f}"


def _day(fixture: Mapping[str, Any]) -> str:
    if not fixture:
        return ""
    origin = f"generated from seed {fixture['seed']}" if "seed" in fixture else "given"
    bad = f", {fixture['bad']:,} of them bad" if fixture["bad"] else ""
    return (
        f"{fixture['day']}, {origin}: {_counted(fixture['sources'], 'source')}{bad}, "
        f"{_megabytes(fixture['source_bytes'])} MB, "
        f"{fixture['small_share']:.0%} under 1,000 bytes; {fixture['records']:,} records, "
        f"{_megabytes(fixture['record_bytes'])} MB in {_counted(fixture['chunks'], 'chunk')}"
    )


def _settings(settings: Mapping[str, Any]) -> str:
    variables = (f"{name}={value}" for name, value in settings.items() if name.isupper())
    return (
        f"{settings['memory_mb']:,} MB of memory, time-out {settings['timeout_s']} s, "
        f"{settings['cold']} cold and {settings['warm']} warm samples; {' '.join(variables)}"
    )


def _machine(environment: Mapping[str, Any]) -> str:
    commit = environment["commit"] or NOT_MEASURED
    changed = " with uncommitted changes" if environment["clean"] is False else ""
    return (
        f"{_counted(environment['cores'], 'core')} of {environment['cpu'] or NOT_MEASURED}, "
        f"{environment['memory_mb'] / 1000:.0f} GB, {environment['kernel']} "
        f"{environment['architecture']}; {environment['emulator']}; commit {commit}{changed}"
    )


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def to_json(comparison: Comparison) -> dict[str, object]:
    """The export, schema 1: ``null`` is what was not measured."""
    return {
        "schema": 1,
        "environment": dict(comparison.environment),
        "settings": dict(comparison.settings),
        "fixture": dict(comparison.fixture),
        "results": [_result(row) for row in comparison.rows],
    }


def _result(row: Row) -> dict[str, object]:
    return {
        "language": row.language,
        "client": row.client,
        "verdict": row.verdict.kind.value,
        "reason": row.verdict.reason,
        "package_zip_bytes": row.zip_bytes,
        "package_unzipped_bytes": row.unzipped_bytes,
        "output": None if row.output is None else dict(row.output),
        "phases": None if row.phases is None else dict(row.phases),
        "samples": [{**asdict(sample), "kind": sample.kind.value} for sample in row.samples],
    }
