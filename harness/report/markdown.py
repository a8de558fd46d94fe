"""A comparison as Markdown, for a README or a pull request, and as CSV, for a spreadsheet."""

from __future__ import annotations

import csv
import io
import textwrap
from collections.abc import Iterable, Sequence

from tabulate import tabulate

from harness.analysis.caveats import find_caveats
from harness.analysis.row_summary import Ranking, ranking, summarise_row
from harness.model import Comparison, transport
from harness.report.formatting import (
    MAIN_HEADINGS,
    NOT_MEASURED,
    Table,
    about,
    best_memory_lines,
    describe_run,
    main_cells,
    standing_rows,
    standing_title,
)
from harness.report.side_by_side import SideBySide, growth_table, remarks, side_by_side_table
from harness.report.tables import detail_tables, with_summaries

_WIDTH = 100  # columns of a line
_VARIANT = ("memory_mb", "concurrency", "s3_latency", "snap_start", "start")
_SAMPLE = (
    *("kind", "round", "init_ms", "restore_ms", "after_restore_ms", "first_ms", "duration_ms"),
    *("cpu_ms", "server_cpu_ms", "peak_rss_bytes", "peak_since", "throttled_ms", "wait_ms"),
    *("billed_ms", "publish_ms", "process_ms"),
)


def markdown(comparison: Comparison) -> str:
    """The tables, the reasons and the warnings."""
    standing = ranking(comparison)
    lines = _items(f"**{title}**: {_inline(line)}" for title, line in describe_run(comparison))
    lines += [
        "",
        *_table(("row", "verdict", *MAIN_HEADINGS), _main_rows(comparison)),
        "",
        *_wrapped(about(comparison)),
        "",
    ]
    for row in comparison.rows:
        if row.verdict.reason is not None:
            lines += [f"**{row.name}: {row.verdict.kind}**", "", "```"]
            lines += [*row.verdict.reason.splitlines(), "```", ""]
    if standing.fastest is not None:
        ranks = [(name, rank, ratio) for rank, name, ratio in standing_rows(standing)]
        lines += [*_wrapped(f"{_inline(standing_title(standing))}:"), ""]
        lines += [*_table(("row", "rank", "ratio [95 %]"), ranks), ""]
    if sizes := list(best_memory_lines(comparison)):
        lines += [*_items(sizes), ""]
    for table in detail_tables(comparison, with_summaries(comparison)):
        lines += _titled(table)
    lines += _warnings(comparison, standing)
    return "\n".join(lines).rstrip() + "\n"


def side_by_side_markdown(comparisons: SideBySide) -> str:
    """The tables of several comparisons. The keys are the titles of the columns."""
    lines = []
    for table in (side_by_side_table(comparisons), growth_table(comparisons)):
        if table.rows:
            lines += _titled(table)
    lines += _items(map(_inline, remarks(comparisons)))
    return "\n".join(lines).rstrip() + "\n"


def tables_markdown(tables: Iterable[Table]) -> str:
    lines = [line for table in tables for line in _titled(table)]
    return "\n".join(lines).rstrip() + "\n"


def _titled(table: Table) -> list[str]:
    text = _wrapped(f"**{table.title}**: {_inline(table.text)}")
    return [*text, "", *_table(table.headings, table.rows), ""]


def _main_rows(comparison: Comparison) -> Iterable[tuple[str, ...]]:
    for row in comparison.rows:
        found = summarise_row(row, comparison.fixture)
        yield (row.name, str(row.verdict.kind), *main_cells(row, found))


def _table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """A table; where it would be too wide, several that begin with the same column."""
    return _cut_to_width(
        [_inline(heading) for heading in headings],
        [[_inline(cell) for cell in row] for row in rows],
    )


def _cut_to_width(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    lines = _columns(headings, rows)
    end = len(headings)
    while len(lines[0]) > _WIDTH and end > 2:
        end -= 1
        lines = _columns(headings[:end], [row[:end] for row in rows])
    if end == len(headings):
        return lines
    rest = [0, *range(end, len(headings))]
    others = _cut_to_width([headings[n] for n in rest], [[row[n] for n in rest] for row in rows])
    return [*lines, "", *others]


def _columns(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    text = tabulate(
        rows,
        headings,
        tablefmt="pipe",
        disable_numparse=True,
        colalign=("left", *["right"] * (len(headings) - 1)),
    )
    return text.splitlines()


def _items(texts: Iterable[str]) -> list[str]:
    """A list with one item for each text."""
    return [line for text in texts for line in _wrapped(text, "- ", "  ")]


def _wrapped(text: str, first: str = "", indent: str = "") -> list[str]:
    return textwrap.wrap(
        text,
        _WIDTH,
        initial_indent=first,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _inline(text: str) -> str:
    return text.replace("\\", "\\\\").replace("|", "\\|").replace("_", "\\_")


def _warnings(comparison: Comparison, standing: Ranking) -> list[str]:
    return _items(
        f"**{found.code}**: {_inline(found.what)}; {_inline(found.advice)}"
        for found in find_caveats(comparison, standing)
    )


def samples_csv(comparison: Comparison) -> str:
    """One line for each sample. A value that was not measured or not swept is ``-``."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("language", "client", *_VARIANT, "transport", *_SAMPLE))
    for row in comparison.rows:
        for sample in row.samples:
            values = (
                *(getattr(row.variant, name) for name in _VARIANT),
                transport(tls=row.tls),
                *(getattr(sample, name) for name in _SAMPLE),
            )
            cells = (NOT_MEASURED if value is None else str(value) for value in values)
            writer.writerow((row.language, row.client, *cells))
    return text.getvalue()
