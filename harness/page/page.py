"""The page: one file, no script, nothing from a network."""

from __future__ import annotations

from dataclasses import replace

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from harness.cells import (
    ABOUT,
    MAIN_HEADINGS,
    best_memory_lines,
    describe_run,
    main_cells,
    standing_rows,
    standing_title,
)
from harness.figures import ranking
from harness.model import Comparison
from harness.page.growth_plot import growth_plot
from harness.page.plots import plots
from harness.side_by_side import SideBySide, remarks, side_by_side_table
from harness.tables import detail_tables, with_figures
from harness.warnings import find_warnings


def render_page(comparison: Comparison) -> str:
    """The HTML of a comparison."""
    rows = with_figures(comparison)
    drawn = list(plots(comparison, rows))
    standing = ranking(comparison)
    return _template("page.html.jinja").render(
        run=list(describe_run(comparison)),
        about=ABOUT,
        headings=("row", "verdict", *MAIN_HEADINGS),
        rows=[(row, main_cells(row, found)) for row, found in rows],
        standing=None
        if standing.fastest is None
        else (standing_title(standing), list(standing_rows(standing))),
        best_memory=list(best_memory_lines(comparison)),
        warnings=find_warnings(comparison, standing),
        plots=drawn,
        tables=[
            each
            for each in detail_tables(comparison, rows)
            if each.id not in {plot.table.id for plot in drawn}
        ],
    )


def render_side_by_side_page(comparisons: SideBySide) -> str:
    """The HTML of several comparisons, by the titles of their columns."""
    return _template("side_by_side.html.jinja").render(
        runs=[(title, list(describe_run(each))) for title, each in comparisons.items()],
        results=replace(side_by_side_table(comparisons), id="results"),
        remarks=list(remarks(comparisons)),
        plot=growth_plot(comparisons),
    )


def _template(name: str) -> Template:
    return Environment(
        loader=PackageLoader("harness", "page"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    ).get_template(name)
