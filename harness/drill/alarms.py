"""CloudWatch's evaluation of alarms, played over the samples of a drill.

The rules are those of the CloudWatch user guide (docs.aws.amazon.com/AmazonCloudWatch/latest/
monitoring/), in these sections:

- *Alarm evaluation*: an alarm with a period of a minute or more is evaluated every minute, over
  windows that end at that minute. M of the last N data points must breach the threshold.
- *Alarm evaluation*, multi-day alarms: one that looks at more than a day is evaluated once an hour,
  over data up to the full hour.
- *Configuring how CloudWatch alarms treat missing data*: more data points than N are asked for (the
  evaluation range), and those that are missing are filled in only as far as N are not there.
- *Alarm actions*: an action follows a change of the state, and not a state that lasts.
"""

from __future__ import annotations

import operator
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from harness.drill.timeline import Metric, Sample

#: Data points that are asked for beyond N. The user guide says that the number depends on the
#: period, and tells it for one case: 5 data points for N = 3 and periods of 5 minutes.
BEYOND = 2
_MINUTE, _HOUR, _DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
#: In the user guide's example of a multi-day alarm it is evaluated at 10:03, 11:03 and so on.
_PAST_THE_HOUR = timedelta(minutes=3)


class State(StrEnum):
    OK = "OK"
    ALARM = "ALARM"
    INSUFFICIENT_DATA = "INSUFFICIENT_DATA"


class Missing(StrEnum):
    """``TreatMissingData``."""

    MISSING = "missing"
    IGNORE = "ignore"
    BREACHING = "breaching"
    NOT_BREACHING = "notBreaching"


#: A comparison has the value first, then the threshold.
COMPARISONS: Mapping[str, Callable[[float, float], bool]] = {
    "GreaterThanThreshold": operator.gt,
    "GreaterThanOrEqualToThreshold": operator.ge,
    "LessThanThreshold": operator.lt,
    "LessThanOrEqualToThreshold": operator.le,
}
STATISTICS: Mapping[str, Callable[[Sequence[float]], float]] = {
    "Sum": sum,
    "Maximum": max,
    "Minimum": min,
    "Average": lambda values: sum(values) / len(values),
    "SampleCount": len,
}


@dataclass(frozen=True, slots=True)
class Alarm:
    """``datapoints`` of the last ``periods`` must breach (M of N).

    ``actions`` has what is notified when the alarm enters a state; it is empty if the alarm's
    actions are not enabled.
    """

    name: str
    metric: Metric
    statistic: str
    comparison: str
    threshold: float
    period: timedelta
    periods: int
    datapoints: int
    missing: Missing = Missing.MISSING
    description: str = ""
    actions: Mapping[State, Sequence[str]] = field(default_factory=dict)

    def breaches(self, values: Sequence[float]) -> bool | None:
        """Whether the values of one period breach the threshold; ``None`` if there are none."""
        if not values:
            return None
        return COMPARISONS[self.comparison](STATISTICS[self.statistic](values), self.threshold)


@dataclass(frozen=True, slots=True)
class Transition:
    """An alarm's change of state. ``reason`` shows the data points as the user guide does."""

    alarm: str
    at: datetime
    before: State
    after: State
    reason: str
    notified: Sequence[str] = ()


def next_state(
    points: Sequence[bool | None], periods: int, datapoints: int, missing: Missing, before: State
) -> State:
    """The state after one evaluation.

    ``points`` are those of the evaluation range, the oldest first: breaching, not breaching, or
    missing.
    """
    real = [each for each in points if each is not None]
    if len(real) >= periods:
        return _of(sum(real[-periods:]) >= datapoints)
    if missing in (Missing.BREACHING, Missing.NOT_BREACHING):
        filled = (periods - len(real)) * (missing is Missing.BREACHING)
        return _of(sum(real) + filled >= datapoints)
    if sum(real) >= datapoints:
        return State.ALARM
    if not all(real):
        return State.OK
    # every point is breaching or missing: it is an alarm if the oldest is as old as M periods
    age = next((len(points) - place for place, each in enumerate(points) if each), 0)
    if missing is Missing.IGNORE:
        return before
    return State.ALARM if age >= datapoints else State.INSUFFICIENT_DATA


def _of(breaching: bool) -> State:
    return State.ALARM if breaching else State.OK


def evaluate(
    alarms: Iterable[Alarm],
    samples: Sequence[Sample],
    begin: datetime,
    end: datetime,
    *,
    before: State = State.INSUFFICIENT_DATA,
    beyond: int = BEYOND,
) -> list[Transition]:
    """The changes of state from ``begin`` to ``end``, in the order of time.

    Each alarm begins in the state ``before``. An evaluation knows the samples that CloudWatch has
    seen by then.
    """
    own: dict[Metric, list[Sample]] = {}
    for sample in sorted(samples, key=lambda each: each.at):
        own.setdefault(sample.metric, []).append(sample)
    changes = [
        change
        for alarm in alarms
        for change in _changes(
            alarm, _Series(alarm, own.get(alarm.metric, ())), begin, end, before, beyond
        )
    ]
    return sorted(changes, key=lambda each: each.at)


def _changes(
    alarm: Alarm, series: _Series, begin: datetime, end: datetime, state: State, beyond: int
) -> Iterator[Transition]:
    for now, until in _clock(alarm, begin, end):
        points = series.points(until, alarm.periods + beyond, now)
        after = next_state(points, alarm.periods, alarm.datapoints, alarm.missing, state)
        if after != state:
            reason = f"{_shown(points)}: {alarm.datapoints} of {alarm.periods} must breach"
            yield Transition(
                alarm.name, now, state, after, reason, tuple(alarm.actions.get(after, ()))
            )
            state = after


def _clock(alarm: Alarm, begin: datetime, end: datetime) -> Iterator[tuple[datetime, datetime]]:
    """The times of the evaluations, each with the end of the last window."""
    is_multi_day = alarm.period * alarm.periods > _DAY
    step, late = (_HOUR, _PAST_THE_HOUR) if is_multi_day else (_MINUTE, timedelta(0))
    until = begin - (begin - datetime.min.replace(tzinfo=begin.tzinfo)) % step
    while (now := until + late) <= end:
        if now >= begin:
            yield now, until
        until += step


class _Series:
    """The samples of an alarm's metric in the order of time, for windows that end anywhere."""

    def __init__(self, alarm: Alarm, samples: Sequence[Sample]) -> None:
        self._alarm = alarm
        self._samples = samples
        self._times = [each.at for each in samples]

    def points(self, until: datetime, count: int, now: datetime) -> list[bool | None]:
        """The last ``count`` periods before ``until``, the oldest first, as they are known now."""
        period = self._alarm.period
        place = bisect_left(self._times, until - count * period)
        if place == bisect_left(self._times, until):
            return [None] * count
        found = []
        for number in range(count - 1, -1, -1):
            end = bisect_left(self._times, until - number * period, place)
            known = [each.value for each in self._samples[place:end] if each.seen <= now]
            found.append(self._alarm.breaches(known))
            place = end
        return found


def _shown(points: Sequence[bool | None]) -> str:
    """0 is a point within the threshold, X a breaching one, - a missing one."""
    return " ".join({None: "-", True: "X", False: "0"}[each] for each in points)
