"""Plots for slides, from a stored export of ``compare``."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from harness.analysis.intervals import Summary
from harness.model import Comparison, Role, VerdictKind
from harness.report.tables import Measured, with_summaries
from harness.teaching.document import NAMES


@dataclass(frozen=True, slots=True)
class Bar:
    """``share`` is of the longest bar, from 0 to 100. A ``faint`` bar is the lesser of a pair."""

    language: str
    label: str
    ms: float
    share: float
    faint: bool


@dataclass(frozen=True, slots=True)
class Bars:
    title: str
    bars: Sequence[Bar]


type _Values = Iterator[tuple[str, str, Summary | None, bool]]


def _clients(rows: Measured) -> _Values:
    for row, found in rows:
        yield row.language, row.client, found.cpu, row.client == "sdk"


def _starts(rows: Measured) -> _Values:
    for row, found in rows:
        if row.client == "light":
            yield row.language, "first", found.first, False
            yield row.language, "warm", found.warm, True


_PLOTS: Mapping[str, tuple[str, Callable[[Measured], _Values]]] = {
    "cpu": ("CPU of a warm invocation, in ms", _clients),
    "starts": ("A first invocation with its init, and a warm one, of light, in ms", _starts),
}
NAMED = tuple(_PLOTS)


def plot(name: str, comparison: Comparison) -> Bars:
    """Raises ``KeyError`` for an unknown name. A row that was not measured has no bar."""
    title, take = _PLOTS[name]
    measured = [
        (row, found)
        for row, found in with_summaries(comparison)
        if row.role is Role.LANGUAGE and row.verdict.kind is VerdictKind.MATCH
    ]
    values = [
        (language, label, found.median, faint)
        for language, label, found, faint in take(measured)
        if found is not None
    ]
    longest = max((ms for _, _, ms, _ in values), default=0)
    return Bars(
        title,
        [
            Bar(language, f"{NAMES[language]} {label}", ms, 100 * ms / longest, faint)
            for language, label, ms, faint in values
        ],
    )
