"""The break-even of each layout, and one paragraph that says which to choose for whom."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import median

from harness.query.measure import Asked, Outcome

#: The layout that costs nothing to make.
RAW = "raw"
#: Prices of queries that differ by no more are almost equal.
_ALMOST = 0.1


def dollars(asked: Asked | None) -> float | None:
    """The modelled price of one query; ``None`` without an answer."""
    if asked is None or not asked.samples:
        return None
    return median(each.dollars for each in asked.samples)


def break_even(outcome: Outcome, layout: str, question: str) -> int | None:
    """After so many queries the layout has paid for its making; ``None`` is never, or not known."""
    raw = dollars(outcome.of(RAW, question))
    own = dollars(outcome.of(layout, question))
    if raw is None or own is None or own >= raw:
        return None
    return math.ceil(outcome.making[layout].dollars / (raw - own))


def advice(outcome: Outcome) -> str:
    """One paragraph, of this run's figures alone: which layout to choose for which questions."""
    chosen: dict[str, list[str]] = {}
    for question in outcome.questions():
        if (best := _cheapest(outcome, question)) is not None:
            chosen.setdefault(best, []).append(question)
    sentences = [_of_layout(outcome, name, asked) for name, asked in chosen.items()]
    paid = {
        each.name: [
            n for q in outcome.questions() if (n := break_even(outcome, each.name, q)) is not None
        ]
        for each in outcome.layouts
        if outcome.making[each.name].dollars > 0
    }
    if (counts := [each for found in paid.values() for each in found]) and min(counts) > 1:
        sentences.append(
            f"For fewer than {min(counts):,} queries no layout pays: leave the sources as they are."
        )
    spans = [
        f"{name} after {_span(found, ',')}" if found else f"{name} never"
        for name, found in paid.items()
        if any(
            dollars(outcome.of(RAW, each)) is not None
            and dollars(outcome.of(name, each)) is not None
            for each in outcome.questions()
        )
    ]
    if spans:
        sentences.append(f"By the question, so many queries pay for a layout: {'; '.join(spans)}.")
    never = [each for each in outcome.asked if each.wrong is not None]
    if never:
        names = ", ".join(dict.fromkeys(each.layout for each in never))
        sentences.append(f"Not for every question: {names}.")
    return " ".join(sentences)


def _cheapest(outcome: Outcome, question: str) -> str | None:
    """The layout with the best price; of almost equal ones, the one that is made cheaply."""
    prices = {
        each.name: price
        for each in outcome.layouts
        if (price := dollars(outcome.of(each.name, question))) is not None
    }
    if not prices:
        return None
    close = [name for name in prices if prices[name] <= min(prices.values()) * (1 + _ALMOST)]
    return min(close, key=lambda name: (outcome.making[name].dollars, prices[name]))


def _of_layout(outcome: Outcome, name: str, asked: Sequence[str]) -> str:
    """The questions for which a layout is the best."""
    prices = {each: dollars(outcome.of(name, each)) or 0.0 for each in asked}
    told = f"For {_and([repr(each) for each in asked])} choose {name} ($"
    told += f"{_span([1000 * each for each in prices.values()], '.3f')} per 1,000 queries"
    times = [
        raw / price
        for each, price in prices.items()
        if name != RAW and (raw := dollars(outcome.of(RAW, each))) is not None
    ]
    if times:
        told += f", {_span(times, ',.0f')} times less than the sources"
    return f"{told})."


def _span(values: Sequence[float], form: str) -> str:
    low, high = format(min(values), form), format(max(values), form)
    return low if low == high else f"{low} to {high}"


def _and(words: Sequence[str]) -> str:
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
