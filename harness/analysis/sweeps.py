"""The results of sweeps: the best memory size, and the times by requests in flight."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from harness.analysis.intervals import Summary
from harness.analysis.row_summary import summarise_row
from harness.model import Comparison, Row, Variant


@dataclass(frozen=True, slots=True)
class Point:
    """One value of a sweep, with its row and its warm times in ms."""

    value: int
    row: Row
    warm: Summary


@dataclass(frozen=True, slots=True)
class Line:
    """The points of one row, in rising order; ``name`` leaves out the swept value."""

    name: str
    language: str
    points: tuple[Point, ...]


def memory_lines(comparison: Comparison) -> list[Line]:
    """One line for each row that was measured with at least two memory sizes."""
    return _lines(comparison, "memory_mb")


def concurrency_lines(comparison: Comparison) -> list[Line]:
    """One line for each row that was measured with at least two values of CONCURRENCY."""
    return _lines(comparison, "concurrency")


def gb_seconds(point: Point) -> float:
    """The GB-seconds of a warm invocation."""
    return point.value / 1024 * point.warm.median / 1000


@dataclass(frozen=True, slots=True)
class BestMemory:
    name: str
    cheapest: Point
    fastest: Point


def best_memory(comparison: Comparison) -> Iterator[BestMemory]:
    """The cheapest size, by the billed GB-seconds, and the fastest size.

    Sizes above one vCPU are left out, because they shared the cores with the S3 server.
    """
    for line in memory_lines(comparison):
        points = [point for point in line.points if not point.row.is_contended]
        if len(points) > 1:
            yield BestMemory(
                line.name,
                min(points, key=gb_seconds),
                min(points, key=lambda point: point.warm.median),
            )


def pairs_by_tls(comparison: Comparison) -> Iterator[tuple[str, Row, Row]]:
    """(name, over plain HTTP, over TLS), for each row that was measured over both."""
    measured = {row.name: row for row in comparison.rows if row.samples}
    for row in measured.values():
        if row.variant.tls is not False:
            continue
        other = measured.get(replace(row, variant=replace(row.variant, tls=True)).name)
        if other is not None:
            yield replace(row, variant=replace(row.variant, tls=None)).name, row, other


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
