"""The plot of growth: time per 1,000 sources and memory, by the size of the day."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes

from harness.report.html_page.drawing import Plot, colours_of_names, draw, legend, plain, sizes
from harness.report.side_by_side import SideBySide, growth, growth_table

_PANEL_IN, _FRAME_IN = 2.2, 0.8


def growth_plot(comparisons: SideBySide) -> Plot | None:
    """The plot, or ``None`` if the comparisons have no two sizes of the day."""
    rows = growth(comparisons)
    if not rows:
        return None
    colours = colours_of_names(each.language for each in rows)
    strokes = dict(zip(dict.fromkeys(each.client for each in rows), ("-", "--", ":"), strict=False))

    def axes(panels: Sequence[Axes]) -> None:
        time, memory = panels
        for each in rows:
            ink, style = colours[each.language], f"o{strokes.get(each.client, '-.')}"
            at = [size.sources for size in each.sizes]
            time.plot(at, [size.ms_per_1000 for size in each.sizes], style, color=ink, ms=5)
            known = [size for size in each.sizes if size.peak_rss_bytes is not None]
            peaks = [(size.peak_rss_bytes or 0) / 2**20 for size in known]
            memory.plot([size.sources for size in known], peaks, style, color=ink, ms=5)
        for on, unit in ((time, "ms per 1,000 sources"), (memory, "peak MiB")):
            on.grid(axis="y")
            on.set_ylabel(unit)
        time.set_yscale("log")
        plain(time.yaxis)
        memory.set_ylim(bottom=0)
        sizes(memory, [size.sources for each in rows for size in each.sizes])
        memory.set_xlabel("sources of the day, logarithmic")
        legend(memory, colours)

    text = (
        "What the first caller waits for. A level line in the upper panel is linear growth of "
        f"time; in the lower one it is memory that does not grow. {_words(strokes)}"
    )
    return Plot(text, draw(2 * _PANEL_IN + _FRAME_IN, axes, panels=2), growth_table(comparisons))


def _words(strokes: dict[str, str]) -> str:
    names = {"-": "solid", "--": "dashed", ":": "dotted"}
    said = [f"{client or 'the rest'} is {names[stroke]}" for client, stroke in strokes.items()]
    return f"Lines: {', '.join(said)}."
