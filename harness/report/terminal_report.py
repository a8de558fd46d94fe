"""A comparison as tables on the terminal."""

from __future__ import annotations

from collections.abc import Iterable
from typing import IO

from rich import box
from rich.markup import escape
from rich.measure import Measurement
from rich.table import Table

from harness.analysis.caveats import find_caveats
from harness.analysis.intervals import Summary
from harness.analysis.row_summary import RowSummary, ranking
from harness.model import Comparison, Row, VerdictKind
from harness.report.formatting import (
    NOT_MEASURED,
    about,
    best_memory_lines,
    between,
    describe_run,
    mebibytes,
    median_text,
    megabytes,
    standing_rows,
    standing_title,
    vcpus,
)
from harness.report.formatting import (
    Table as Details,
)
from harness.report.side_by_side import SideBySide, growth_table, remarks, side_by_side_table
from harness.report.tables import detail_tables, with_summaries
from harness.terminal import Console

_MIN_WIDTH, _UNBOUNDED = 80, 1000
_STYLES = {
    VerdictKind.MATCH: "green",
    VerdictKind.VALUES: "green",
    VerdictKind.MISMATCH: "red",
    VerdictKind.FAILED: "red",
    VerdictKind.TIMED_OUT: "red",
    VerdictKind.OUT_OF_MEMORY: "red",
    VerdictKind.SKIPPED: "yellow",
}


def render(comparison: Comparison, stream: IO[str], width: int | None = None) -> None:
    """Print the tables, the reasons of failed rows, and the warnings.

    ``width`` defaults to the terminal's, or to 100 for another stream. A main table that does not
    fit is made compact. It has at least 80 columns, so that no number is cut. Colours appear only
    on a terminal, and never with ``NO_COLOR``.
    """
    if width is None and not stream.isatty():
        width = 100
    console = Console(file=stream, width=width, highlight=False)
    for title, line in describe_run(comparison):
        console.print(f"[bold]{title}[/]  {escape(line)}")
    wide = Console(file=stream, width=max(console.width, _MIN_WIDTH), highlight=False)
    rows = with_summaries(comparison)
    table = _main_table(rows, compact=False)
    needed = Measurement.get(wide, wide.options.update(max_width=_UNBOUNDED), table).maximum
    wide.print(table if needed <= wide.width else _main_table(rows, compact=True))
    for row, _ in rows:
        if row.verdict.reason is not None:
            style = _STYLES[row.verdict.kind]
            console.print(f"[{style}]{row.name}: {row.verdict.kind}[/]", end=" ")
            console.print(row.verdict.reason, markup=False, soft_wrap=True)
    if not any(row.samples for row, _ in rows):
        return
    console.print(about(comparison))
    standing = ranking(comparison)
    if standing.fastest is not None:
        console.print()
        console.print(standing_title(standing))
        ranks = list(standing_rows(standing))
        longest = max(len(name) for _, name, _ in ranks)
        for rank, name, ratio in ranks:
            console.print(escape(f"  {rank:>2}  {name:{longest}}  {ratio}"))
    for line in best_memory_lines(comparison):
        console.print(escape(line))
    for each in detail_tables(comparison, rows):
        wide.print(_detail(each))
        console.print(each.text, style="dim")
    for warning in find_caveats(comparison, standing):
        code = f"[yellow]warning {warning.code}[/]"
        console.print(f"{code}: {escape(warning.what)}; {escape(warning.advice)}")


def render_side_by_side(comparisons: SideBySide, stream: IO[str]) -> None:
    """Print several comparisons side by side, and the growth of their rows with the day."""
    console = Console(file=stream, width=None if stream.isatty() else 100, highlight=False)
    given = side_by_side_table(comparisons)
    table = _dense_table(("warm ms, ratio", *given.headings[1:]))
    for name, *cells in given.rows:
        table.add_row(name, *(f"  {escape(cell)}" for cell in cells))
    console.print(table)
    grown = growth_table(comparisons)
    if grown.rows:
        console.print(_detail(grown))
        console.print(grown.text, style="dim")
    for line in remarks(comparisons):
        console.print(escape(line))


def render_tables(tables: Iterable[Details], stream: IO[str]) -> None:
    """Print tables of their own, each with its text."""
    console = Console(file=stream, width=None if stream.isatty() else 100, highlight=False)
    for each in tables:
        console.print(_detail(each))
        console.print(escape(each.text), style="dim")


def _dense_table(headings: Iterable[str]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=0)
    for place, heading in enumerate(headings):
        table.add_column(escape(heading), justify="right" if place else "left", no_wrap=place > 0)
    return table


def _main_table(rows: Iterable[tuple[Row, RowSummary]], *, compact: bool) -> Table:
    """``compact`` breaks long cells into two lines."""
    gap = "\n" if compact else " "
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 0 if compact else 1, 0, 0))
    table.add_column("row")
    table.add_column("verdict")
    for heading in (
        "vCPU",
        "init\nms",
        "first\nms",
        f"warm ms\nmedian{gap}[95 %] n",
        "CPU ms\nown/S3",
        "memory\nMiB",
        "MB zip/\nunzipped",
    ):
        table.add_column(escape(heading), justify="right")
    for row, found in rows:
        table.add_row(
            row.name,
            f"[{_STYLES[row.verdict.kind]}]{row.verdict.kind}[/]",
            vcpus(row),
            median_text(found.init),
            median_text(found.first),
            _with_interval(found.warm, gap),
            f"{median_text(found.cpu)}/{median_text(found.server_cpu)}",
            mebibytes(found.peak_rss_bytes),
            f"{megabytes(row.zip_bytes)}/{megabytes(row.unzipped_bytes)}",
        )
    return table


def _detail(given: Details) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column(escape(given.title.lower()))
    for heading in given.headings[1:]:
        table.add_column(escape(heading), justify="right", no_wrap=True)
    for cells in given.rows:
        table.add_row(*map(escape, cells))
    return table


def _with_interval(summary: Summary | None, gap: str) -> str:
    if summary is None:
        return NOT_MEASURED
    interval = "" if summary.interval is None else f"{gap}[{between(summary.interval)}]"
    return f"{summary.median:,.0f}{interval} {summary.n}"
