"""A comparison as Markdown, for a README or a pull request, and as CSV, for a spreadsheet."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence

from tabulate import tabulate

from harness.analysis.caveats import find_caveats
from harness.analysis.row_summary import Ranking, ranking, summarise_row
from harness.model import Comparison
from harness.report.formatting import (
    ABOUT,
    MAIN_HEADINGS,
    NOT_MEASURED,
    best_memory_lines,
    describe_run,
    main_cells,
    standing_rows,
    standing_title,
)
from harness.report.side_by_side import SideBySide, growth_table, remarks, side_by_side_table
from harness.report.tables import detail_tables, with_summaries

_VARIANT = ("memory_mb", "concurrency", "s3_latency")
_SAMPLE = (
    *("kind", "round", "init_ms", "first_ms", "duration_ms", "cpu_ms", "server_cpu_ms"),
    *("peak_rss_bytes", "peak_since", "throttled_ms", "wait_ms"),
)


def markdown(comparison: Comparison) -> str:
    """The tables, the reasons and the warnings."""
    standing = ranking(comparison)
    lines = [f"- **{title}**: {_inline(line)}" for title, line in describe_run(comparison)]
    lines += [
        "",
        *_table(("row", "verdict", *MAIN_HEADINGS), _main_rows(comparison)),
        "",
        ABOUT,
        "",
    ]
    for row in comparison.rows:
        if row.verdict.reason is not None:
            lines += [f"**{row.name}: {row.verdict.kind}**", "", "```"]
            lines += [*row.verdict.reason.splitlines(), "```", ""]
    if standing.fastest is not None:
        ranks = [(name, rank, ratio) for rank, name, ratio in standing_rows(standing)]
        lines += [f"{_inline(standing_title(standing))}:", ""]
        lines += [*_table(("row", "rank", "ratio [95 %]"), ranks), ""]
    if sizes := list(best_memory_lines(comparison)):
        lines += [*(f"- {line}" for line in sizes), ""]
    for table in detail_tables(comparison, with_summaries(comparison)):
        lines += [f"**{table.title}**: {_inline(table.text)}", ""]
        lines += [*_table(table.headings, table.rows), ""]
    lines += _warnings(comparison, standing)
    return "\n".join(lines).rstrip() + "\n"


def side_by_side_markdown(comparisons: SideBySide) -> str:
    """The tables of several comparisons. The keys are the titles of the columns."""
    lines = []
    for table in (side_by_side_table(comparisons), growth_table(comparisons)):
        if table.rows:
            lines += [f"**{table.title}**: {_inline(table.text)}", ""]
            lines += [*_table(table.headings, table.rows), ""]
    lines += [f"- {_inline(line)}" for line in remarks(comparisons)]
    return "\n".join(lines).rstrip() + "\n"


def _main_rows(comparison: Comparison) -> Iterable[tuple[str, ...]]:
    for row in comparison.rows:
        found = summarise_row(row, comparison.fixture)
        yield (row.name, str(row.verdict.kind), *main_cells(row, found))


def _table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    text = tabulate(
        [[_inline(cell) for cell in row] for row in rows],
        [_inline(heading) for heading in headings],
        tablefmt="pipe",
        disable_numparse=True,
        colalign=("left", *["right"] * (len(headings) - 1)),
    )
    return text.splitlines()


def _inline(text: str) -> str:
    return text.replace("\\", "\\\\").replace("|", "\\|").replace("_", "\\_")


def _warnings(comparison: Comparison, standing: Ranking) -> list[str]:
    return [
        f"- **{found.code}**: {_inline(found.what)}; {_inline(found.advice)}"
        for found in find_caveats(comparison, standing)
    ]


def samples_csv(comparison: Comparison) -> str:
    """One line for each sample. A value that was not measured or not swept is ``-``."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("language", "client", *_VARIANT, *_SAMPLE))
    for row in comparison.rows:
        for sample in row.samples:
            values = (
                *(getattr(row.variant, name) for name in _VARIANT),
                *(getattr(sample, name) for name in _SAMPLE),
            )
            cells = (NOT_MEASURED if value is None else str(value) for value in values)
            writer.writerow((row.language, row.client, *cells))
    return text.getvalue()
