"""The HTML page: one file without scripts, which loads nothing from a network."""

from __future__ import annotations

from dataclasses import replace

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from harness.analysis.caveats import find_caveats
from harness.analysis.row_summary import ranking
from harness.model import Comparison
from harness.report.formatting import (
    MAIN_HEADINGS,
    about,
    best_memory_lines,
    describe_run,
    main_cells,
    standing_rows,
    standing_title,
)
from harness.report.html_page.growth_plot import growth_plot
from harness.report.html_page.plots import plots
from harness.report.side_by_side import SideBySide, remarks, side_by_side_table
from harness.report.tables import detail_tables, with_summaries


def render_page(comparison: Comparison) -> str:
    """The HTML of a comparison."""
    rows = with_summaries(comparison)
    drawn = list(plots(comparison, rows))
    standing = ranking(comparison)
    return template("page.html.jinja").render(
        run=list(describe_run(comparison)),
        about=about(comparison),
        headings=("row", "verdict", *MAIN_HEADINGS),
        rows=[(row, main_cells(row, found)) for row, found in rows],
        standing=None
        if standing.fastest is None
        else (standing_title(standing), list(standing_rows(standing))),
        best_memory=list(best_memory_lines(comparison)),
        warnings=find_caveats(comparison, standing),
        plots=drawn,
        tables=[
            each
            for each in detail_tables(comparison, rows)
            if each.id not in {plot.table.id for plot in drawn}
        ],
    )


def render_side_by_side_page(comparisons: SideBySide) -> str:
    """The HTML of several comparisons. The keys are the titles of the columns."""
    return template("side_by_side.html.jinja").render(
        runs=[(title, list(describe_run(each))) for title, each in comparisons.items()],
        results=replace(side_by_side_table(comparisons), id="results"),
        remarks=list(remarks(comparisons)),
        plot=growth_plot(comparisons),
    )


def template(name: str) -> Template:
    """A template of this folder."""
    return Environment(
        loader=PackageLoader("harness.report.html_page", ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    ).get_template(name)
