"""Which alarm tells of which night, and whether that is enough."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Literal

import msgspec

from harness.drill.alarms import (
    BEYOND,
    COMPARISONS,
    STATISTICS,
    Alarm,
    Missing,
    State,
    Transition,
    evaluate,
)
from harness.exercise.nights.night import FIRES, METRICS, Night, at
from harness.model import UsageError

#: Alarms are evaluated from here on. They are well before that.
_BEGIN, _END = -4 * 60, 12 * 60


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One alarm of a learner's file."""

    metric: str
    statistic: str
    comparison: str
    threshold: float
    period_minutes: int
    periods: int
    datapoints: int
    missing: Literal["missing", "ignore", "breaching", "notBreaching"]

    def alarm(self, name: str) -> Alarm:
        for value, known in (
            (self.metric, METRICS),
            (self.statistic, STATISTICS),
            (self.comparison, COMPARISONS),
        ):
            if value not in known:
                raise UsageError(f"[{name}]: {value} is none of {', '.join(known)}")
        if not 1 <= self.datapoints <= self.periods:
            raise UsageError(f"[{name}]: datapoints must be from 1 to periods")
        minutes = self.period_minutes * self.periods
        if self.period_minutes < 1 or minutes > (7 if self.period_minutes >= 60 else 1) * 1440:
            raise UsageError(f"[{name}]: CloudWatch looks at a day, or at a week by the hour")
        return Alarm(
            name,
            METRICS[self.metric],
            self.statistic,
            self.comparison,
            self.threshold,
            timedelta(minutes=self.period_minutes),
            self.periods,
            self.datapoints,
            Missing(self.missing),
        )


def read_alarms(file: Path) -> list[Alarm]:
    """The alarms of a learner's file. Raises ``UsageError`` with the place of a fault."""
    try:
        raw = msgspec.convert(tomllib.loads(file.read_text()), dict[str, Settings])
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise UsageError(f"{file}: {error}") from None
    return [settings.alarm(name) for name, settings in raw.items()]


@dataclass(frozen=True, slots=True)
class Verdict:
    """``told_by`` went off first, ``after`` minutes after the schedule's time."""

    night: Night
    told_by: str | None
    after: int | None
    fault: str | None


def judge_all(
    nights: Sequence[Night], alarms: Sequence[Alarm], *, beyond: int = BEYOND
) -> list[Verdict]:
    """The verdicts. An alarm that goes off in a good night counts in no other."""
    changes = {night.name: _changes(night, alarms, beyond) for night in nights}
    noisy = {
        each.alarm
        for night in nights
        if night.told_within is None
        for _, each in changes[night.name]
    }
    return [
        _verdict(
            night,
            [
                (minute, each)
                for minute, each in changes[night.name]
                if night.told_within is None or each.alarm not in noisy
            ],
        )
        for night in nights
    ]


def _changes(night: Night, alarms: Iterable[Alarm], beyond: int) -> list[tuple[int, Transition]]:
    """The changes of state from OK on, each with its minute."""
    samples = night.samples()
    found = evaluate(alarms, samples, at(_BEGIN), at(_END), before=State.OK, beyond=beyond)
    return [(round((each.at - FIRES) / timedelta(minutes=1)), each) for each in found]


def _verdict(night: Night, steps: Sequence[tuple[int, Transition]]) -> Verdict:
    on = [(minute, change.alarm) for minute, change in steps if change.after is State.ALARM]
    if not on:
        fault = None if night.told_within is None else "no alarm has told of it"
        return Verdict(night, None, None, fault)
    after, told_by = on[0]
    return Verdict(night, told_by, after, _fault(night, told_by, after, _ends(steps)))


def _fault(night: Night, told_by: str, after: int, ends: Sequence[int]) -> str | None:
    if night.told_within is None or after < 0:
        return f"{told_by} went off, and nothing was wrong"
    if after > night.told_within:
        return f"{told_by} told of it {after - night.told_within} minutes too late"
    if early := [each for each in ends if each < night.lasts_until]:
        return f"all alarms were off {night.lasts_until - early[0]} minutes before its end"
    return None


def _ends(steps: Iterable[tuple[int, Transition]]) -> list[int]:
    """The minutes at which the last alarm that was on went off."""
    on: set[str] = set()
    ends = []
    for minute, change in steps:
        was_on = bool(on)
        on = on - {change.alarm} | ({change.alarm} if change.after is State.ALARM else set())
        if was_on and not on:
            ends.append(minute)
    return ends
