"""The picture of docs/lambda-or-fargate.md: the cost of a day by its size."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator, NullLocator

from harness.analysis.crossover import (
    DEPLOYED_MB,
    DEPLOYED_TASK,
    NIGHTS,
    Assumptions,
    Work,
    cheaper_from,
    endpoints_month,
    most_in_a_run,
    on_fargate,
    on_lambda,
)
from harness.report.html_page.drawing import colours_of_names, draw, legend, plain

_HEIGHT_IN = 3.6
_POINTS = 121
_LEAST, _MOST = 1_000, 10_000_000
_FUNCTION, _TASK, _NETWORK = "Lambda", "task", "task, with three endpoints"


def pictures(work: Work, given: Assumptions) -> Mapping[str, str]:
    """scheme -> SVG."""
    at = [round(_LEAST * (_MOST / _LEAST) ** (n / (_POINTS - 1))) for n in range(_POINTS)]
    colours = colours_of_names((_FUNCTION, _TASK, _NETWORK))
    most = most_in_a_run(work, DEPLOYED_MB, given)
    idle = endpoints_month() / NIGHTS

    def function(sources: int) -> float:
        return on_lambda(work, sources, DEPLOYED_MB, given).dollars

    def task(sources: int, *, has_address: bool = True) -> float:
        return on_fargate(work, sources, DEPLOYED_TASK, given, has_address=has_address).dollars

    def axes(panels: Sequence[Axes]) -> None:
        (on,) = panels
        one, more = [n for n in at if n <= most], [n for n in at if n > most]
        on.plot(one, [function(n) for n in one], "-", color=colours[_FUNCTION])
        on.plot(more, [function(n) for n in more], ":", color=colours[_FUNCTION])
        on.plot(at, [task(n) for n in at], "-", color=colours[_TASK])
        networked = [task(n, has_address=False) + idle for n in at]
        on.plot(at, networked, "-", color=colours[_NETWORK])
        crossover = cheaper_from(work, DEPLOYED_MB, DEPLOYED_TASK, given)
        if crossover is not None:
            on.plot([crossover], [task(crossover)], "o", color=colours[_TASK], ms=7)
        on.set_xscale("log")
        on.set_yscale("log")
        on.grid(axis="y")
        on.xaxis.set_major_locator(LogLocator())
        on.xaxis.set_minor_locator(NullLocator())
        on.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
        plain(on.yaxis, (1,))
        on.set_xlabel("sources of the day, logarithmic")
        on.set_ylabel("US dollars for the day")
        legend(on, colours, strokes=dict.fromkeys(colours, "-"))

    images = draw(_HEIGHT_IN, axes)
    return {
        scheme: base64.b64decode(images[scheme, "wide"].partition(",")[2]).decode()
        for scheme in ("light", "dark")
    }
