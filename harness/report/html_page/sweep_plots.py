"""The plots of sweeps: memory with its cost, and concurrency for each latency to S3."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from matplotlib.axes import Axes

from harness.analysis.sweeps import Line, Point, concurrency_lines, gb_seconds, memory_lines
from harness.model import Comparison
from harness.report.html_page.drawing import Colours, Plot, draw, legend, plain, sizes
from harness.report.sweep_tables import concurrency_table, memory_table

_PANEL_IN, _FRAME_IN = 1.9, 0.8
_STYLES = ("-", "--", ":", "-.")


def sweep_plots(comparison: Comparison, colours: Colours) -> Iterator[Plot]:
    if memory := memory_lines(comparison):
        yield _memory(comparison, memory, colours)
    if concurrency := concurrency_lines(comparison):
        yield _concurrency(comparison, concurrency, colours)


def _memory(comparison: Comparison, lines: Sequence[Line], colours: Colours) -> Plot:
    def axes(panels: Sequence[Axes]) -> None:
        time, cost = panels
        _draw(time, lines, colours, lambda point: point.warm.median, "warm ms")
        _draw(cost, lines, colours, gb_seconds, "GB-s")
        time.set_yscale("log")
        plain(time.yaxis)
        cost.set_ylim(bottom=0)
        sizes(cost, _values(lines))
        cost.set_xlabel("MB of memory")
        legend(cost, colours)

    text = "Above are the warm medians, below the billed GB-seconds: memory times duration."
    images = draw(2 * _PANEL_IN + _FRAME_IN, axes, panels=2)
    return Plot(text, images, memory_table(comparison))


def _concurrency(comparison: Comparison, lines: Sequence[Line], colours: Colours) -> Plot:
    latencies = list(dict.fromkeys(_latency(line) for line in lines))

    def axes(panels: Sequence[Axes]) -> None:
        for on, latency in zip(panels, latencies, strict=True):
            shown = [line for line in lines if _latency(line) == latency]
            _draw(on, shown, colours, lambda point: point.warm.median, "warm ms")
            on.set_yscale("log")
            plain(on.yaxis)
            is_late = latency not in (None, "0ms")
            title = f"{latency} to S3 added" if is_late else "no latency added"
            on.set_title(title, fontsize=9, loc="left")
        sizes(panels[-1], _values(lines))
        panels[-1].set_xlabel("most requests in flight")
        legend(panels[-1], colours)

    text = "Warm medians, one panel for each latency to S3. A falling line saves time."
    images = draw(len(latencies) * _PANEL_IN + _FRAME_IN, axes, panels=len(latencies))
    return Plot(text, images, concurrency_table(comparison))


def _latency(line: Line) -> str | None:
    return line.points[0].row.variant.s3_latency


def _draw(
    on: Axes,
    lines: Sequence[Line],
    colours: Colours,
    value: Callable[[Point], float],
    unit: str,
) -> None:
    """Draw one line for each. Lines of the same language have different strokes."""
    seen: dict[str, int] = {}
    for line in lines:
        style = _STYLES[seen.setdefault(line.language, 0) % len(_STYLES)]
        seen[line.language] += 1
        at, values = [each.value for each in line.points], list(map(value, line.points))
        on.plot(at, values, f"o{style}", color=colours[line.language], ms=5)
    on.grid(axis="y")
    on.set_ylabel(unit)


def _values(lines: Sequence[Line]) -> list[int]:
    return [point.value for line in lines for point in line.points]
