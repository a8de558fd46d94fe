"""Outcomes of ``query`` that nobody measured."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

from harness.query.engine import Spent
from harness.query.layout import Layout
from harness.query.measure import Asked, Making, Outcome

DAYS = (date(2024, 2, 1), date(2024, 2, 2), date(2024, 2, 3))


def spent(requests: Mapping[str, int], read_bytes: int, total_ms: float = 10.0) -> Spent:
    return Spent(requests, read_bytes, 1.0, total_ms, 5.0, 1000)


def layout(name: str) -> Layout:
    return Layout(name, f"about {name}", lambda _engine, _days: [], name, f"bucket/{name}/")


def outcome(*asked: Asked, making: Mapping[str, Making]) -> Outcome:
    chosen = [layout(name) for name in making]
    return Outcome(DAYS, 6, 60, 5000, chosen, making, asked, None, None)


def _asked(name: str, question: str, gets: int, read_bytes: int, ms: float) -> Asked:
    samples = [spent({"GET": gets, "LIST": 3}, read_bytes, ms * k) for k in (1, 1.1, 0.9, 1.2, 1)]
    return Asked(name, question, samples)


#: Three layouts, two questions, and one refusal.
OUTCOME = outcome(
    _asked("raw", "one day", 500, 1_000_000, 900),
    _asked("chunks", "one day", 1, 700_000, 60),
    _asked("injected", "one day", 1, 700_000, 50),
    _asked("raw", "no condition", 5000, 10_000_000, 7000),
    _asked("chunks", "no condition", 10, 7_000_000, 450),
    Asked("injected", "no condition", wrong="the engine refuses it: name a day"),
    making={
        "raw": Making(objects=5000, stored_bytes=10_000_000),
        "chunks": Making(0.0035, 1.5, {"GET": 5000, "LIST": 300}, 10, 7_000_000),
        "injected": Making(0.0035, 1.5, {"GET": 5000, "LIST": 300}, 10, 7_000_000),
    },
)
