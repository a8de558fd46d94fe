"""What a sweep is about: which memory is best, and what more requests in flight buy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from harness.analysis.intervals import Summary
from harness.analysis.row_summary import summarise_row
from harness.model import Comparison, Row, Variant


@dataclass(frozen=True, slots=True)
class Point:
    """One size of a sweep. ``value`` is what is swept; times in ms."""

    value: int
    row: Row
    warm: Summary


@dataclass(frozen=True, slots=True)
class Line:
    """The sizes of one row of the table, rising; ``name`` leaves out what is swept."""

    name: str
    language: str
    points: tuple[Point, ...]


def memory_lines(comparison: Comparison) -> list[Line]:
    """One for each row that was measured at two sizes of memory or more."""
    return _lines(comparison, "memory_mb")


def concurrency_lines(comparison: Comparison) -> list[Line]:
    """One for each row that was measured at two caps of requests in flight or more."""
    return _lines(comparison, "concurrency")


def gb_seconds(point: Point) -> float:
    """Of a warm invocation at a size of memory."""
    return point.value / 1024 * point.warm.median / 1000


@dataclass(frozen=True, slots=True)
class BestMemory:
    name: str
    cheapest: Point
    fastest: Point


def best_memory(comparison: Comparison) -> Iterator[BestMemory]:
    """The cheapest size, by GB-seconds (what is billed, whatever the price), and the fastest.

    Sizes above one core are left out: they shared it with the S3 server.
    """
    for line in memory_lines(comparison):
        points = [point for point in line.points if not point.row.is_contended]
        if len(points) > 1:
            yield BestMemory(
                line.name,
                min(points, key=gb_seconds),
                min(points, key=lambda point: point.warm.median),
            )


def _lines(comparison: Comparison, swept: str) -> list[Line]:
    found: dict[str, list[Point]] = {}
    languages: dict[str, str] = {}
    for row in comparison.rows:
        warm, value = summarise_row(row, comparison.fixture).warm, getattr(row.variant, swept)
        if warm is None or value is None:
            continue
        others: Mapping[str, None] = {swept: None}
        name = f"{row.language} {row.client} {_without(row.variant, others)}".rstrip()
        found.setdefault(name, []).append(Point(value, row, warm))
        languages[name] = row.language
    return [
        Line(name, languages[name], tuple(sorted(points, key=lambda point: point.value)))
        for name, points in found.items()
        if len(points) > 1
    ]


def _without(variant: Variant, nothing: Mapping[str, None]) -> Variant:
    return replace(variant, **nothing)
