"""What a comparison looks like: tables for people, JSON for everything else."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import IO, Any

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from harness.figures import Figures, Ranking, figures, ranking
from harness.model import Comparison, Row, Sample, VerdictKind
from harness.statistics import Interval, Summary, noise_floor
from harness.warnings import find_warnings

NOT_MEASURED = "-"
ABOUT = (
    "Times are the emulator's platform lines: init of a fresh sandbox, first with init. A median "
    "has its 95 % bootstrap interval. CPU is the function's and the S3 server's. Memory is the "
    "runtime process's peak RSS."
)
ABOUT_PHASES = (
    "Wait is that of the one ordered consumer. From list on: sums of operations that overlap, so "
    "they are no parts of the duration."
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
    compact = console.width < _FULL_WIDTH
    rows = [(row, figures(row, comparison.fixture)) for row in comparison.rows]
    wide.print(_main_table(rows, compact=compact))
    for row, _ in rows:
        if row.verdict.reason is not None:
            style = _STYLES[row.verdict.kind]
            console.print(f"[{style}]{row.language}: {row.verdict.kind}[/]", end=" ")
            console.print(row.verdict.reason, markup=False, soft_wrap=True)
    if not any(row.samples for row, _ in rows):
        return
    console.print(ABOUT)
    standing = ranking(comparison)
    if standing.fastest is not None:
        console.print()
        for line in _standing_lines(standing):
            console.print(line)
    wide.print(_detail_table(rows, compact=compact))
    console.print(ABOUT_PHASES)
    for warning in find_warnings(comparison, standing):
        code = f"[yellow]warning {warning.code}[/]"
        console.print(f"{code}: {escape(warning.what)}; {escape(warning.advice)}")


def _dense_table(headings: Iterable[str]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=0)
    for number, heading in enumerate(headings):
        table.add_column(escape(heading), justify="right" if number else "left", no_wrap=True)
    return table


def _main_table(rows: Iterable[tuple[Row, Figures]], *, compact: bool) -> Table:
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
        f"warm ms\nmedian{gap}[95 %] n",
        "CPU ms\nown/S3",
        "memory\nMiB",
        f"MB\nzip /{gap}unzipped",
    ):
        table.add_column(escape(heading), justify="right")
    for row, found in rows:
        table.add_row(
            row.language,
            f"[{_STYLES[row.verdict.kind]}]{row.verdict.kind}[/]",
            *([] if compact else [row.client]),
            _median(found.init),
            _median(found.first),
            _with_interval(found.warm, gap),
            f"{_median(found.cpu)}/{_median(found.server_cpu)}",
            _mebibytes(found.peak_rss_bytes),
            f"{_megabytes(row.zip_bytes)} / {_megabytes(row.unzipped_bytes)}",
        )
    return table


def _standing_lines(found: Ranking) -> Iterable[str]:
    """Who is faster, by pairs of the same round."""
    if found.noise is None:
        yield f"warm, against {found.fastest}; not ranked (see below)"
    else:
        low, high = noise_floor(found.noise)
        yield (
            f"warm, against {found.fastest} in the same round; {low:.2f} to {high:.2f} is noise "
            "(one language against itself)"
        )
    for name, each in sorted(
        found.standings.items(),
        key=lambda item: item[1].to_fastest.estimate if item[1].to_fastest else 0,
    ):
        rank = NOT_MEASURED if each.rank is None else str(each.rank)
        ratio = "1.00" if name == found.fastest else _ratio(each.to_fastest)
        yield escape(f"  {rank:>2}  {name:16} {ratio}")


def _ratio(interval: Interval | None) -> str:
    if interval is None:
        return NOT_MEASURED
    return f"{interval.estimate:.2f} [{interval.low:.2f}-{interval.high:.2f}]"


def _detail_table(rows: Sequence[tuple[Row, Figures]], *, compact: bool) -> Table:
    phases = next((found.phases for _, found in rows if found.phases), {})
    table = _dense_table(
        (
            "warm",
            "min-max\nms",
            *([] if compact else ["MAD\nms"]),
            "re-run\nms",
            "sources\n/s",
            "wait\nms",
            *(f"{name}\nms" for name in phases),
            "output\nMB",
        ),
    )
    for row, found in rows:
        if found.warm is None:
            continue
        table.add_row(
            row.language,
            f"{found.warm.min:,.0f}-{found.warm.max:,.0f}",
            *([] if compact else [f"{found.warm.mad:,.0f}"]),
            _median(found.rerun),
            _number(found.sources_per_s),
            _number(found.wait_ms),
            *(
                _number(found.phases[name].sum_ms if name in found.phases else None)
                for name in phases
            ),
            _megabytes(row.output_zip_bytes),
        )
    return table


def _median(summary: Summary | None) -> str:
    return _number(None if summary is None else summary.median)


def _number(value: float | None) -> str:
    return NOT_MEASURED if value is None else f"{value:,.0f}"


def _with_interval(summary: Summary | None, gap: str) -> str:
    if summary is None:
        return NOT_MEASURED
    interval = summary.interval
    between = "" if interval is None else f"{gap}[{interval.low:,.0f}-{interval.high:,.0f}]"
    return f"{summary.median:,.0f}{between} {summary.n}"


def _mebibytes(size: int | None) -> str:
    return NOT_MEASURED if size is None else f"{size / 2**20:,.0f}"


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
    return (
        f"{_counted(environment['cores'], 'core')} of {environment['cpu'] or NOT_MEASURED}, "
        f"{environment['memory_mb'] / 1000:.0f} GB, {environment['kernel']} "
        f"{environment['architecture']}; {environment['emulator']}; commit {commit}{changed}"
    )


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def to_json(comparison: Comparison) -> dict[str, object]:
    """The export, schema 2: raw samples, what follows from them, and the warnings.

    ``null`` is what was not measured.
    """
    standing = ranking(comparison)
    again = comparison.again
    return {
        "schema": 2,
        "interrupted": comparison.interrupted,
        "environment": dict(comparison.environment),
        "settings": dict(comparison.settings),
        "fixture": dict(comparison.fixture),
        "results": [_result(row, comparison, standing) for row in comparison.rows],
        "again": None
        if again is None
        else {
            "name": again.name,
            "ratio": None if standing.noise is None else asdict(standing.noise),
            "samples": [_sample(each) for each in again.samples],
        },
        "warnings": [asdict(each) for each in find_warnings(comparison, standing)],
    }


def _result(row: Row, comparison: Comparison, found: Ranking) -> dict[str, object]:
    standing = found.standings.get(row.name)
    return {
        "name": row.name,
        "language": row.language,
        "client": row.client,
        "verdict": row.verdict.kind.value,
        "reason": row.verdict.reason,
        "package_zip_bytes": row.zip_bytes,
        "package_unzipped_bytes": row.unzipped_bytes,
        "output": None if row.output is None else dict(row.output),
        "output_zip_bytes": row.output_zip_bytes,
        "figures": asdict(figures(row, comparison.fixture)),
        "rank": None if standing is None else standing.rank,
        "ratio_to_fastest": None
        if standing is None or standing.to_fastest is None
        else asdict(standing.to_fastest),
        "samples": [_sample(each) for each in row.samples],
    }


def _sample(sample: Sample) -> dict[str, object]:
    return {**asdict(sample), "kind": sample.kind.value, "first_ms": sample.first_ms}
