"""The plots of a comparison: each says one thing, and has a table that says the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from matplotlib.axes import Axes
from matplotlib.ticker import StrMethodFormatter

from harness.cells import NOT_MEASURED, megabytes
from harness.figures import Figures, by_round
from harness.model import Row
from harness.page.drawing import Plot, colour, draw
from harness.statistics import Summary

Measured = Sequence[tuple[Row, Figures]]
_ROW_IN, _FRAME_IN = 0.42, 0.75


def plots(rows: Measured) -> Iterator[Plot]:
    """Those for which something was measured."""
    measured = [(row, found) for row, found in rows if row.samples]
    if any(found.warm for _, found in measured):
        yield _warm(measured)
        yield _phases(measured)
    if any(found.first for _, found in measured):
        yield _first(measured)
    if any(found.peak_rss_bytes for _, found in measured):
        yield _memory(measured)
    if any(row.zip_bytes for row, _ in rows):
        yield _package(rows)


def _warm(rows: Measured) -> Plot:
    def axes(on: Axes) -> None:
        for place, (row, found) in enumerate(rows):
            times = list(by_round(row.samples).values())
            on.scatter(times, [place] * len(times), color=colour(place), alpha=0.5, s=26)
            if found.warm is None:
                continue
            if found.warm.interval is not None:
                interval = found.warm.interval
                on.plot([interval.low, interval.high], [place] * 2, color=colour(place), lw=5)
            on.plot([found.warm.median], [place], "|", color=colour(place), ms=22, mew=2.5)
        _rows_and_unit(on, [row for row, _ in rows], "ms")

    return Plot(
        "warm",
        "Warm duration",
        "Each dot is an invocation, the bar the median with its 95 % bootstrap interval.",
        draw(_height(len(rows)), axes),
        ("", "n", "median ms", "95 %", "min", "max", "MAD", "p95"),
        [(row.name, *_summary_cells(found.warm)) for row, found in rows],
    )


def _first(rows: Measured) -> Plot:
    def axes(on: Axes) -> None:
        for place, (_, found) in enumerate(rows):
            init, first, warm = (_of(each) or 0 for each in (found.init, found.first, found.warm))
            on.barh(place - 0.2, first, 0.36, color=colour(place), alpha=0.45)
            on.barh(place - 0.2, init, 0.36, color=colour(place))
            on.barh(place + 0.2, warm, 0.36, color=colour(place), alpha=0.8)
            on.annotate(" first", (first, place - 0.2), va="center", fontsize=8)
            on.annotate(" warm", (warm, place + 0.2), va="center", fontsize=8)
        on.margins(x=0.12)
        _rows_and_unit(on, [row for row, _ in rows], "ms")

    return Plot(
        "first",
        "First invocation against warm ones",
        "Medians. The dark beginning of the first invocation is its init.",
        draw(_height(len(rows), 0.62), axes),
        ("", "init ms", "first ms", "warm ms"),
        [
            (row.name, *(_number(_of(each)) for each in (found.init, found.first, found.warm)))
            for row, found in rows
        ],
    )


def _phases(rows: Measured) -> Plot:
    names = list(next((found.phases for _, found in rows if found.phases), {}))

    def axes(on: Axes) -> None:
        for place, (row, found) in enumerate(rows):
            sums = [max(found.phases[name].sum_ms, 0.1) for name in names if name in found.phases]
            places = [at for at, name in enumerate(names) if name in found.phases]
            on.scatter(sums, places, color=colour(place), label=row.name, s=48, alpha=0.85)
        on.set_xscale("log")
        on.set_yticks(range(len(names)), names)
        on.set_ylim(len(names) - 0.5, -0.5)
        on.set_xlabel("ms, logarithmic")
        on.legend(loc="upper center", bbox_to_anchor=(0.5, -0.24), ncols=2, fontsize=8)

    return Plot(
        "phases",
        "Time per phase",
        "Sums of a warm invocation's operations, which overlap: no parts of the duration.",
        draw(_height(len(names)) + 0.75, axes),
        ("", *(f"{name} ms" for name in names), "consumer's wait ms"),
        [
            (
                row.name,
                *(
                    _number(found.phases[name].sum_ms if name in found.phases else None)
                    for name in names
                ),
                _number(found.wait_ms),
            )
            for row, found in rows
        ],
    )


def _memory(rows: Measured) -> Plot:
    mebibytes = [
        None if found.peak_rss_bytes is None else found.peak_rss_bytes / 2**20 for _, found in rows
    ]
    return Plot(
        "memory",
        "Memory",
        "The largest resident set of the runtime's processes.",
        draw(_height(len(rows)), _bars([row for row, _ in rows], mebibytes, "MiB")),
        ("", "peak MiB"),
        [(row.name, _number(each)) for (row, _), each in zip(rows, mebibytes, strict=True)],
    )


def _package(rows: Measured) -> Plot:
    def axes(on: Axes) -> None:
        for place, (row, _) in enumerate(rows):
            on.barh(place, (row.unzipped_bytes or 0) / 1e6, 0.6, color=colour(place), alpha=0.35)
            on.barh(place, (row.zip_bytes or 0) / 1e6, 0.6, color=colour(place))
        _rows_and_unit(on, [row for row, _ in rows], "MB")

    return Plot(
        "package",
        "Package",
        "The dark part is the zip that is uploaded, the light bar what it unpacks to.",
        draw(_height(len(rows)), axes),
        ("", "zip MB", "unzipped MB"),
        [(row.name, megabytes(row.zip_bytes), megabytes(row.unzipped_bytes)) for row, _ in rows],
    )


def _bars(rows: Sequence[Row], values: Sequence[float | None], unit: str) -> Callable[[Axes], None]:
    def axes(on: Axes) -> None:
        for place, value in enumerate(values):
            on.barh(place, value or 0, 0.6, color=colour(place))
        _rows_and_unit(on, rows, unit)

    return axes


def _rows_and_unit(on: Axes, rows: Sequence[Row], unit: str) -> None:
    on.set_yticks(range(len(rows)), [row.name.replace(" ", "\n") for row in rows])
    on.set_ylim(len(rows) - 0.5, -0.5)
    on.set_xlim(left=0)
    on.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    on.set_xlabel(unit)


def _height(rows: int, row_in: float = _ROW_IN) -> float:
    return _FRAME_IN + row_in * max(rows, 2)


def _of(summary: Summary | None) -> float | None:
    return None if summary is None else summary.median


def _summary_cells(summary: Summary | None) -> tuple[str, ...]:
    if summary is None:
        return (NOT_MEASURED,) * 7
    interval = summary.interval
    return (
        str(summary.n),
        _number(summary.median),
        NOT_MEASURED if interval is None else f"{interval.low:,.0f} to {interval.high:,.0f}",
        *(_number(each) for each in (summary.min, summary.max, summary.mad, summary.p95)),
    )


def _number(value: float | None, digits: int = 0) -> str:
    return NOT_MEASURED if value is None else f"{value:,.{digits}f}"
