"""The break-even of each layout, and one paragraph that says which to choose for whom."""

from __future__ import annotations

import math
from collections.abc import Mapping
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
    """One paragraph, of this run's figures alone."""
    made = [each.name for each in outcome.layouts if outcome.making[each.name].dollars > 0]
    sentences = [
        _of_question(outcome, question, cheapest)
        for question in outcome.questions()
        if (cheapest := _cheapest(outcome, question)) is not None
    ]
    paid = {
        name: [n for q in outcome.questions() if (n := break_even(outcome, name, q)) is not None]
        for name in made
    }
    for name, counts in paid.items():
        if counts:
            sentences.append(
                f"{name} has paid for its making after {min(counts):,} to {max(counts):,} queries, "
                "by the question."
            )
        elif any(dollars(outcome.of(RAW, each)) is not None for each in outcome.questions()):
            sentences.append(f"{name} never pays for its making by these questions.")
    never = [each for each in outcome.asked if each.wrong is not None]
    if never:
        names = ", ".join(dict.fromkeys(each.layout for each in never))
        sentences.append(f"Not for every question: {names}.")
    return " ".join(sentences)


def _cheapest(outcome: Outcome, question: str) -> Mapping[str, float] | None:
    """The price of each layout, the best first; of almost equal ones, the one made cheaply."""
    prices = {
        each.name: price
        for each in outcome.layouts
        if (price := dollars(outcome.of(each.name, question))) is not None
    }
    if not prices:
        return None
    close = [name for name in prices if prices[name] <= min(prices.values()) * (1 + _ALMOST)]
    best = min(close, key=lambda name: (outcome.making[name].dollars, prices[name]))
    return {best: prices.pop(best), **prices}


def _of_question(outcome: Outcome, question: str, prices: Mapping[str, float]) -> str:
    best, price = next(iter(prices.items()))
    told = f"For {question!r} choose {best} (${price * 1000:,.3f} per 1,000 queries"
    if RAW in prices and best != RAW:
        told += f", {prices[RAW] / price:,.0f} times less than the sources"
    return f"{told})."
