"""One night: what happened in it, as the samples that CloudWatch gets."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

import msgspec

from harness.drill.metrics import WAKES
from harness.drill.timeline import Metric, Sample

NIGHTS = Path(__file__).with_name("nights.toml")
FIRES = datetime(2024, 2, 9, 2, 30, tzinfo=UTC)
#: Minutes of the first and the last sample.
FIRST, LAST = -30 * 60, 14 * 60
_MINUTE = timedelta(minutes=1)
_SOURCES = 340
_WAKES = WAKES // _MINUTE

_LIVE = {"FunctionName": "rosetta-go", "Resource": "rosetta-go:live"}
#: The names in a learner's file, and the metrics as the template's alarms name them.
METRICS: Mapping[str, Metric] = {
    "errors": Metric.of("AWS/Lambda", "Errors", **_LIVE),
    "duration": Metric.of("AWS/Lambda", "Duration", **_LIVE),
    "throttles": Metric.of("AWS/Lambda", "Throttles", **_LIVE),
    "deleted": Metric.of("AWS/SQS", "NumberOfMessagesDeleted", QueueName="rosetta-DayQueue"),
    "dead_letters": Metric.of(
        "AWS/SQS", "ApproximateNumberOfMessagesVisible", QueueName="rosetta-DayDeadLetterQueue"
    ),
    "attempts": Metric.of(
        "AWS/Scheduler", "InvocationAttemptCount", ScheduleGroup="rosetta-ScheduleGroup"
    ),
    "sources": Metric.of("lambda-rosetta-stone/rosetta", "Sources"),
}


class Night(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Times are minutes after the schedule's time. ``nights.toml`` explains the members."""

    name: str
    about: str
    runs: Sequence[tuple[int, int, Literal["ok", "error", "throttled"]]]
    hint: str
    attempts: Sequence[int] = (-1440, 0)
    dead_letters: tuple[int, int] | None = None
    sources: int = _SOURCES
    backfill: bool = False
    told_within: int | None = None
    lasts_until: int = 0

    def samples(self) -> list[Sample]:
        return [*self._of_function(), *self._of_queues(), *self._of_schedule()]

    def _of_function(self) -> Iterator[Sample]:
        """A datum has the time at which the run began. It comes when the run has ended."""
        for begin, seconds, end in self.runs:
            if end == "throttled":
                yield _sample("throttles", begin, 1)
                continue
            yield _sample("errors", begin, float(end == "error"), seconds)
            yield _sample("duration", begin, seconds * 1000, seconds)
            if end == "ok":
                sources = self.sources if begin >= 0 else _SOURCES
                yield _sample("sources", _ended(begin, seconds), sources)

    def _of_queues(self) -> Iterator[Sample]:
        """Lambda polls the queue of days all the time, so it sends zeros, too."""
        done = {_ended(begin, seconds) for begin, seconds, end in self.runs if end == "ok"}
        if self.backfill:
            done |= set(range(-600, LAST, 7))
        for minute in range(FIRST, LAST):
            yield _sample("deleted", minute, float(minute in done))
        if self.dead_letters:
            begin, end = self.dead_letters
            for minute in range(begin + _WAKES, LAST):
                yield _sample("dead_letters", minute, float(minute < end))

    def _of_schedule(self) -> Iterator[Sample]:
        for minute in self.attempts:
            yield _sample("attempts", minute, 1)


def _ended(begin: int, seconds: int) -> int:
    return begin + seconds // 60


def at(minute: float) -> datetime:
    return FIRES + minute * _MINUTE


def _sample(name: str, minute: int, value: float, seconds: int = 0) -> Sample:
    """It is there a minute after the end of what it counts."""
    return Sample(METRICS[name], at(minute), value, at(minute + seconds / 60 + 1))


def load_nights() -> list[Night]:
    return msgspec.convert(tomllib.loads(NIGHTS.read_text())["night"], list[Night])
