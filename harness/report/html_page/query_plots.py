"""The plots of ``query``: requests, bytes and time by layout, and the break-even of each layout."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from statistics import median

from matplotlib.axes import Axes

from harness.analysis.intervals import summarise
from harness.query.choice import RAW, break_even, dollars
from harness.query.engine import Spent
from harness.query.measure import Outcome
from harness.query.tables import pays_after
from harness.report.formatting import NOT_MEASURED, Table
from harness.report.html_page.drawing import (
    Plot,
    colours_of_names,
    draw,
    grid_colour,
    legend,
    plain,
)

_ROW_IN, _PANEL_IN, _FRAME_IN = 0.55, 1.7, 1.2
_STROKES = ("-", "--", ":")
_WIDE = 30  # largest by smallest value; above, an axis has powers of ten only
_FEWEST, _MOST = 100, 1_000_000  # queries on the axis of the break-even


@dataclass(frozen=True, slots=True)
class _Measure:
    """``least`` is the smallest value that a logarithmic axis shows."""

    id: str
    title: str
    unit: str
    value: Callable[[Spent], float]
    least: float
    digits: int = 0


_MEASURES = (
    _Measure("requests", "Requests of a query", "requests", lambda s: sum(s.requests.values()), 1),
    _Measure("bytes", "Bytes that a query reads", "MB", lambda s: s.read_bytes / 1e6, 0.01, 2),
    _Measure("time", "Time of a query", "ms", lambda s: s.total_ms, 1),
)


def query_plots(outcome: Outcome) -> Iterator[Plot]:
    """The plots for which there are values."""
    if not any(each.samples for each in outcome.asked):
        return
    for measure in _MEASURES:
        yield _dots(outcome, measure)
    yield _break_even(outcome)


def _dots(outcome: Outcome, measure: _Measure) -> Plot:
    """A dot for each question in the row of its layout."""
    names = [each.name for each in outcome.layouts]
    questions = outcome.questions()
    colours = colours_of_names(questions)

    def axes(panels: Sequence[Axes]) -> None:
        (on,) = panels
        for number, question in enumerate(questions):
            shift = (number + 0.5) / len(questions) * 0.8 - 0.4
            for place, name in enumerate(names):
                values = _values(outcome, name, question, measure)
                summary = summarise([max(each, measure.least) for each in values])
                if summary is None:
                    continue
                ink, at = colours[question], place + shift
                if summary.interval is not None:
                    on.plot([summary.interval.low, summary.interval.high], [at, at], color=ink)
                on.plot([summary.median], [at], "o", color=ink, ms=5)
        on.set_xscale("log")
        on.set_yticks(range(len(names)), [each.replace(" ", "\n", 1) for each in names], fontsize=9)
        on.set_ylim(len(names) - 0.5, -0.5)
        for place in range(1, len(names)):
            on.axhline(place - 0.5, lw=0.8, color=grid_colour())
        low, high = on.get_xlim()
        plain(on.xaxis, (1,) if high > _WIDE * low else (1, 2, 5))
        on.set_xlabel(f"{measure.unit}, logarithmic")
        legend(on, colours, 2)

    table = Table(
        measure.id,
        measure.title,
        f"Medians, in {measure.unit}.",
        ("layout", *questions),
        [(name, *(_cell(outcome, name, each, measure) for each in questions)) for name in names],
    )
    text = "A dot is the median for one question; a line through it is its 95 % interval."
    if measure.least < 1:
        text += f" Less than {measure.least:g} {measure.unit} stands at {measure.least:g}."
    height = _FRAME_IN + _ROW_IN * max(len(names), 2)
    return Plot(text, draw(height, axes), table)


def _values(outcome: Outcome, layout: str, question: str, measure: _Measure) -> list[float]:
    asked = outcome.of(layout, question)
    return [] if asked is None else [measure.value(each) for each in asked.samples]


def _cell(outcome: Outcome, layout: str, question: str, measure: _Measure) -> str:
    values = _values(outcome, layout, question, measure)
    return f"{median(values):,.{measure.digits}f}" if values else NOT_MEASURED


def _break_even(outcome: Outcome) -> Plot:
    names, questions = [each.name for each in outcome.layouts], outcome.questions()
    answered = {each.layout for each in outcome.asked if each.samples}
    colours = colours_of_names(name for name in names if name in answered)
    strokes = {name: _STROKES[place // 6 % 3] for place, name in enumerate(colours)}
    paid = [n for name in names for q in questions if (n := break_even(outcome, name, q))]
    most = min(max([_FEWEST, *(10 * each for each in paid)]), _MOST)

    def axes(panels: Sequence[Axes]) -> None:
        for on, question in zip(panels, questions, strict=True):
            for name in names:
                price = dollars(outcome.of(name, question))
                if price is None:
                    continue
                made, ink = outcome.making[name].dollars, colours[name]
                at = [most ** (step / 60) for step in range(61)]
                on.plot(at, [made + price * n for n in at], strokes[name], color=ink, lw=1.5)
                after = break_even(outcome, name, question)
                if name != RAW and after is not None and after <= most:
                    on.plot([after], [made + price * after], "o", color=ink, ms=5)
            on.set_xscale("log")
            on.set_yscale("log")
            on.grid(axis="y")
            plain(on.yaxis, (1,))
            on.set_title(question, fontsize=9, loc="left")
            on.set_ylabel("$")
        plain(panels[-1].xaxis, (1,))
        panels[-1].set_xlabel("queries, logarithmic")
        legend(panels[-1], colours, 2, strokes)

    table = Table(
        "break-even",
        "Break-even",
        "The number of queries after which a layout has paid for its making.",
        ("layout", *questions),
        [
            (name, *(pays_after(outcome, name, each) or NOT_MEASURED for each in questions))
            for name in names
        ],
    )
    text = (
        "Dollars for the making of a layout and for so many queries of it. A dot is the place "
        "where a layout has paid for its making, against the same queries of the sources."
    )
    legend_in = 0.2 * (len(names) + 1) // 2
    height = _FRAME_IN + legend_in + _PANEL_IN * len(questions)
    return Plot(text, draw(height, axes, panels=len(questions)), table)
