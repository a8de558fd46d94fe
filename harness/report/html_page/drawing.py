"""The look of a plot: light and dark, wide and narrow, as SVG text that needs no network.

An SVG by Matplotlib does not adapt to a reader's colour scheme or width. So each plot is drawn once
for each, and the browser chooses.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from harness.report.formatting import Table
from harness.report.tables import Measured

# Okabe and Ito 2008: distinct for all kinds of colour vision, on white and on black
_COLOURS = ("#0072B2", "#D55E00", "#E69F00", "#009E73", "#CC79A7", "#56B4E9")
_WIDTHS_IN = {"wide": 7.4, "narrow": 3.7}
_INK = {"light": "#24292f", "dark": "#e6edf3"}
_GRID = {"light": "#d0d7de", "dark": "#3d444d"}

Draw = Callable[[Sequence[Axes]], None]
Colours = Mapping[str, str]
Images = Mapping[tuple[str, str], str]


@dataclass(frozen=True, slots=True)
class Plot:
    """One plot, and the same numbers as a table.

    ``images`` maps scheme and width, such as ``("dark", "narrow")``, to an SVG as a data URI.
    ``text`` explains the plot.
    """

    text: str
    images: Images
    table: Table


def colours_of(rows: Measured) -> Colours:
    """language -> its colour, the same in every plot."""
    return colours_of_names(row.language for row, _ in rows)


def colours_of_names(names: Iterable[str]) -> Colours:
    """name -> its colour; from the seventh on they repeat."""
    once = dict.fromkeys(names)
    return {name: _COLOURS[place % len(_COLOURS)] for place, name in enumerate(once)}


def sizes(on: Axes, values: Iterable[int]) -> None:
    """A logarithmic x axis with ticks at the measured values only."""
    ticks = sorted(set(values))
    on.set_xscale("log")
    on.xaxis.set_minor_locator(NullLocator())
    on.set_xticks(ticks, [f"{each:,}" for each in ticks])


def plain(axis: Axis, subs: Sequence[int] = (1, 2, 5)) -> None:
    """A logarithmic axis with a few numbers, written without powers of ten."""
    axis.set_major_locator(LogLocator(subs=subs))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(
        FuncFormatter(lambda value, _: f"{value:,.6f}".rstrip("0").rstrip("."))
    )


def legend(
    on: Axes, colours: Colours, columns: int = 4, strokes: Mapping[str, str] | None = None
) -> None:
    """A legend below the plot, with one entry for each name: a dot, or a line of its stroke."""
    for name, ink in colours.items():
        on.plot([], [], strokes[name] if strokes else "o", color=ink, label=name)
    on.figure.legend(loc="outside lower center", ncols=columns, fontsize=8)


def grid_colour() -> str:
    """The colour of the grid in the plot that is being drawn."""
    return str(mpl.rcParams["grid.color"])


def draw(height_in: float, axes: Draw, panels: int = 1) -> Images:
    """The images of a plot. ``axes`` draws it on panels one above the other, with a common x."""
    return {
        (scheme, width): _data_uri(_svg(_WIDTHS_IN[width], height_in, scheme, axes, panels))
        for scheme in _INK
        for width in _WIDTHS_IN
    }


def _svg(width_in: float, height_in: float, scheme: str, draw_on: Draw, panels: int) -> str:
    ink, grid = _INK[scheme], _GRID[scheme]
    style: Any = {
        "svg.fonttype": "none",  # text stays text, in the reader's own sans-serif font
        "svg.hashsalt": "rosetta",  # the same comparison gives the same page
        "font.family": "sans-serif",
        "font.size": 10,
        **dict.fromkeys(("text.color", "axes.labelcolor", "xtick.color", "ytick.color"), ink),
        **dict.fromkeys(("axes.edgecolor", "grid.color"), grid),
        **dict.fromkeys(("axes.spines.top", "axes.spines.right", "axes.spines.left"), False),
        "axes.axisbelow": True,
        "ytick.left": False,
        "legend.frameon": False,
    }
    with mpl.rc_context(style):
        figure = Figure(figsize=(width_in, height_in), layout="constrained")
        axes = list(figure.subplots(panels, sharex=True, squeeze=False)[:, 0])
        for each in axes:
            each.grid(axis="x")
        draw_on(axes)
        text = io.StringIO()
        figure.savefig(text, format="svg", transparent=True, metadata={"Date": None})
    return text.getvalue()


def _data_uri(svg: str) -> str:
    return "data:image/svg+xml;base64," + base64.b64encode(svg.encode()).decode()
