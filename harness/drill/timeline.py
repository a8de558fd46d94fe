"""The records of a drill, in times of its clock: samples as CloudWatch has them, and log lines."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Self


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric by its whole name. ``dimensions`` are sorted pairs."""

    namespace: str
    name: str
    dimensions: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, namespace: str, name: str, **dimensions: str) -> Self:
        return cls(namespace, name, tuple(sorted(dimensions.items())))


@dataclass(frozen=True, slots=True)
class Sample:
    """One datum. ``at`` is its timestamp, ``seen`` the time from which CloudWatch has it.

    The two differ for Lambda, whose metrics bear the time at which an invocation began and come
    when it has ended.
    """

    metric: Metric
    at: datetime
    value: float
    seen: datetime


@dataclass(frozen=True, slots=True)
class LogLine:
    """A JSON line of a function's log."""

    group: str
    at: datetime
    entry: Mapping[str, object]


@dataclass(slots=True)
class Timeline:
    """All times are in UTC. ``begin`` and ``end`` bound the drill."""

    begin: datetime
    end: datetime
    samples: list[Sample] = field(default_factory=list)
    lines: list[LogLine] = field(default_factory=list)
