"""The measured time of a step, from a stored export of ``compare``."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from harness.analysis.row_summary import RowSummary
from harness.model import Comparison, Role, VerdictKind
from harness.report.tables import Measured, with_summaries


@dataclass(frozen=True, slots=True)
class Bar:
    """One row of a plot; ``share`` is of the longest bar, from 0 to 100."""

    language: str
    client: str
    ms: float
    share: float


@dataclass(frozen=True, slots=True)
class Plot:
    """The time of one phase in each row; ``text`` tells what is measured."""

    title: str
    text: str
    bars: Sequence[Bar]


def _phase(name: str, work: str) -> tuple[str, str, Callable[[RowSummary], float | None]]:
    def take(found: RowSummary) -> float | None:
        return found.phases[name].sum_ms if name in found.phases else None

    return name, f"{work}, summed over a warm invocation", take


_WAIT = ("wait", "the consumer waits for listings and bodies", lambda found: found.wait_ms)
_WARM = (
    "warm",
    "a warm invocation as a whole",
    lambda found: None if found.warm is None else found.warm.median,
)
_DECODE = _phase("decode", "inflating and splitting")
#: step -> its measured values. The other steps are not measured by themselves.
_OF_STEPS: Mapping[str, Sequence[tuple[str, str, Callable[[RowSummary], float | None]]]] = {
    "lister": [_phase("list", "requests for pages, side by side")],
    "reader": [_phase("get", "requests for bodies, side by side"), _WAIT],
    "inflater": [_DECODE],
    "splitter": [_DECODE],
    "writer": [
        _phase("compress", "compressing the records"),
        _phase("put", "requests that put a chunk"),
    ],
    "publisher": [_phase("publish", "the whole publication")],
    "handler": [_WARM],
}


def plots(comparison: Comparison) -> dict[str, list[Plot]]:
    """step -> its plots; a value that the export lacks has none."""
    rows = [
        (row, found)
        for row, found in with_summaries(comparison)
        if row.role is Role.LANGUAGE and row.verdict.kind is VerdictKind.MATCH
    ]
    return {
        step: [plot for value in values for plot in _plot(rows, *value)]
        for step, values in _OF_STEPS.items()
    }


def _plot(
    rows: Measured, title: str, text: str, take: Callable[[RowSummary], float | None]
) -> Iterator[Plot]:
    values = [(row, ms) for row, found in rows if (ms := take(found)) is not None]
    longest = max((ms for _, ms in values), default=0)
    if longest > 0:
        bars = [Bar(row.language, row.client, ms, 100 * ms / longest) for row, ms in values]
        yield Plot(title, text, bars)
