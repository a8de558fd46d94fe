"""The plots of a comparison. Each has one statement, and a table with the same numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from statistics import median

from matplotlib.axes import Axes
from matplotlib.ticker import StrMethodFormatter

from harness.analysis.intervals import Summary
from harness.analysis.row_summary import RowSummary, by_round
from harness.model import Comparison, Row, SampleKind
from harness.report.formatting import NOT_MEASURED, Table
from harness.report.html_page.drawing import Plot, colours_of, draw, legend
from harness.report.html_page.sweep_plots import sweep_plots
from harness.report.tables import (
    Measured,
    package_name,
    package_table,
    packages,
    phase_names,
    phases_table,
    warm_table,
)

_ROW_IN, _FRAME_IN, _LEGEND_IN = 0.42, 0.75, 0.5
_MANY = 8  # rows; from here on each label has one line
_FAR_APART = 20  # largest by smallest time; above, the scale is logarithmic


def plots(comparison: Comparison, rows: Measured) -> Iterator[Plot]:
    """The plots for which there are values."""
    measured = [(row, found) for row, found in rows if row.samples]
    yield from sweep_plots(comparison, colours_of(rows))
    if any(found.warm for _, found in measured):
        yield _warm(measured)
    if phase_names(measured):
        yield _phases(measured)
    if any(found.first for _, found in measured):
        yield _first(measured)
    if any(found.peak_rss_bytes for _, found in measured):
        yield _memory(measured)
    if packages(rows):
        yield _package(rows)


def _warm(rows: Measured) -> Plot:
    colours = colours_of(rows)
    medians = [found.warm.median for _, found in rows if found.warm is not None]
    is_far = max(medians) > _FAR_APART * min(medians)
    mark = 22 if len(rows) < _MANY else 12

    def axes(panels: Sequence[Axes]) -> None:
        (on,) = panels
        for place, (row, found) in enumerate(rows):
            ink, times = colours[row.language], list(by_round(row.samples).values())
            on.scatter(times, [place] * len(times), color=ink, alpha=0.65, s=26)
            if found.warm is None:
                continue
            if found.warm.interval is not None:
                interval = found.warm.interval
                on.plot([interval.low, interval.high], [place] * 2, color=ink, lw=5)
            on.plot([found.warm.median], [place], "|", color=ink, ms=mark, mew=2.5)
        if is_far:
            on.set_xscale("log")
        _rows_and_unit(on, rows, "ms, logarithmic" if is_far else "ms")

    text = "Each dot is an invocation. The bar is the 95 % bootstrap interval of the median."
    return Plot(text, draw(_height(len(rows)), axes), warm_table(rows))


def _first(rows: Measured) -> Plot:
    colours = colours_of(rows)

    words = 8 if len(rows) < _MANY else 6

    def axes(panels: Sequence[Axes]) -> None:
        (on,) = panels
        for place, (row, found) in enumerate(rows):
            ink = colours[row.language]
            start, first, warm = (each or 0 for each in _first_times(row, found))
            on.barh(place - 0.2, first, 0.36, color=ink, alpha=0.45)
            on.barh(place - 0.2, start, 0.36, color=ink)
            on.barh(place + 0.2, warm, 0.36, color=ink, alpha=0.8)
            on.annotate(" first", (first, place - 0.2), va="center", fontsize=words)
            on.annotate(" warm", (warm, place + 0.2), va="center", fontsize=words)
        on.margins(x=0.12)
        _rows_and_unit(on, rows, "ms")

    table = Table(
        "first",
        "First invocation against warm ones",
        "Medians in ms.",
        ("row", "start", "first", "warm"),
        [(row.name, *map(_number, _first_times(row, found))) for row, found in rows],
    )
    text = (
        "Medians. The dark part of the first invocation is its start: the init, or from a "
        "snapshot the restore. Of the restore of a primed row it is the hooks after it."
    )
    return Plot(text, draw(_height(len(rows), 0.62), axes), table)


def _first_times(row: Row, found: RowSummary) -> tuple[float | None, float | None, float | None]:
    """The medians of start, first and warm."""
    starts = [
        each.start_ms
        for each in row.samples
        if each.kind is SampleKind.COLD and each.start_ms is not None
    ]
    return median(starts) if starts else None, _of(found.first), _of(found.warm)


def _phases(rows: Measured) -> Plot:
    names, colours = phase_names(rows), colours_of(rows)

    def axes(panels: Sequence[Axes]) -> None:
        (on,) = panels
        for row, found in rows:
            sums = [max(found.phases[name].sum_ms, 0.1) for name in names if name in found.phases]
            places = [at for at, name in enumerate(names) if name in found.phases]
            marker = "o" if row.client == rows[0][0].client else "D"
            on.scatter(sums, places, color=colours[row.language], marker=marker, s=48, alpha=0.8)
        on.set_xscale("log")
        on.set_yticks(range(len(names)), names)
        on.set_ylim(len(names) - 0.5, -0.5)
        on.set_xlabel("ms, logarithmic")
        legend(on, colours)

    table = phases_table(rows)
    return Plot(table.text, draw(_height(len(names)) + _LEGEND_IN, axes), table)


def _memory(rows: Measured) -> Plot:
    mebibytes = [
        None if found.peak_rss_bytes is None else found.peak_rss_bytes / 2**20 for _, found in rows
    ]
    table = Table(
        "memory",
        "Memory",
        "Peak in MiB.",
        ("row", "peak"),
        [(row.name, _number(each)) for (row, _), each in zip(rows, mebibytes, strict=True)],
    )
    text = "The largest resident set of the runtime's processes."
    return Plot(text, draw(_height(len(rows)), _bars(rows, mebibytes, "MiB")), table)


def _package(rows: Measured) -> Plot:
    shown, colours = packages(rows), colours_of(rows)

    def axes(panels: Sequence[Axes]) -> None:
        (on,) = panels
        for place, row in enumerate(shown):
            ink = colours[row.language]
            own = None if row.own is None else row.own.unzipped_bytes
            sizes = {"o": own, "s": row.zip_bytes, "D": row.unzipped_bytes}
            seen = {marker: size / 1000 for marker, size in sizes.items() if size}
            on.plot(list(seen.values()), [place] * len(seen), color=ink, lw=2, alpha=0.4)
            for marker, size in seen.items():
                on.plot([size], [place], marker, color=ink, ms=8)
        on.set_xscale("log")
        _rows(on, list(map(package_name, shown)))
        on.set_xlabel("kB, logarithmic")
        on.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))

    text = (
        "A circle is the project's own code, a square is the uploaded zip, and a diamond is the "
        "unpacked zip with all dependencies."
    )
    return Plot(text, draw(_height(len(shown)), axes), package_table(rows))


def _bars(
    rows: Measured, values: Sequence[float | None], unit: str
) -> Callable[[Sequence[Axes]], None]:
    colours = colours_of(rows)

    def axes(panels: Sequence[Axes]) -> None:
        (on,) = panels
        for place, ((row, _), value) in enumerate(zip(rows, values, strict=True)):
            on.barh(place, value or 0, 0.6, color=colours[row.language])
        _rows_and_unit(on, rows, unit)

    return axes


def _rows_and_unit(on: Axes, rows: Measured, unit: str) -> None:
    gap = "\n" if len(rows) < _MANY else " "
    _rows(on, [row.name.replace(" ", gap, 1) for row, _ in rows])
    if on.get_xscale() == "linear":
        on.set_xlim(left=0)
    on.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    on.set_xlabel(unit)


def _rows(on: Axes, names: Sequence[str]) -> None:
    on.set_yticks(range(len(names)), names, fontsize=10 if len(names) < _MANY else 8)
    on.set_ylim(len(names) - 0.5, -0.5)


def _height(rows: int, row_in: float = _ROW_IN) -> float:
    return _FRAME_IN + row_in * max(rows, 2) * (1 if rows < _MANY else 0.6)


def _of(summary: Summary | None) -> float | None:
    return None if summary is None else summary.median


def _number(value: float | None) -> str:
    return NOT_MEASURED if value is None else f"{value:,.0f}"
