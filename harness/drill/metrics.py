"""The metrics that SQS, Lambda, EventBridge Scheduler and the log would send in a drill's times.

- SQS sends its counts and the age of the oldest message once a minute, as long as a queue is
  active: it has messages, or something is asked of it, or has been within six hours. A queue that
  is activated sends nothing for up to 15 minutes: here always. A count is sent if it is 0, too.
  Lambda polls the day queue all the time. The age is sent while there is a message. A FIFO queue
  does not skip a message that was received often (Amazon SQS developer guide, *Available CloudWatch
  metrics*).
- Lambda sends a datum for each invocation, at the time when it began (Lambda developer guide,
  *Types of metrics*).
- A metric filter sends a datum for each line that fits (CloudWatch Logs user guide).

Every datum is there a minute after the end of what it counts.
"""

from __future__ import annotations

import operator
import re
from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from harness.drill.timeline import LogLine, Metric, Sample

MINUTE = timedelta(minutes=1)
_ACTIVE = timedelta(hours=6)
#: How long a queue that was at rest sends no metrics.
WAKES = timedelta(minutes=15)
SQS, LAMBDA, SCHEDULER = "AWS/SQS", "AWS/Lambda", "AWS/Scheduler"


@dataclass(slots=True)
class Gauge:
    """A queue as it stands. ``oldest`` is when its oldest message was sent."""

    name: str
    polled: bool
    active: datetime
    visible: int = 0
    hidden: int = 0
    oldest: datetime | None = None
    awake: datetime | None = None  # no metrics before

    def sends(self, now: datetime) -> bool:
        return self._is_active(now) and (self.awake is None or now >= self.awake)

    def touch(self, now: datetime) -> None:
        """Something is asked of the queue. To be called before its counts change."""
        if not self._is_active(now):
            self.awake = now + WAKES
        self.active = now

    def _is_active(self, now: datetime) -> bool:
        has_messages = bool(self.visible or self.hidden)
        return self.polled or has_messages or now - self.active <= _ACTIVE


@dataclass(slots=True)
class Recorder:
    """Collects samples. The queues are sampled each minute up to the time of :meth:`advance`."""

    now: datetime
    gauges: dict[str, Gauge] = field(default_factory=dict)
    samples: dict[Metric, list[Sample]] = field(default_factory=dict)
    lines: list[LogLine] = field(default_factory=list)

    def count(
        self, metric: Metric, at: datetime, value: float, end: datetime | None = None
    ) -> None:
        """A datum of something that began ``at`` and has ended at ``end``."""
        stamp = at.replace(second=0, microsecond=0)
        sample = Sample(metric, stamp, value, (end or at) + MINUTE)
        self.samples.setdefault(metric, []).append(sample)

    def advance(self, to: datetime) -> None:
        """Sample the queues as they stand, at each full minute up to ``to``."""
        minute = self.now.replace(second=0, microsecond=0) + MINUTE
        while minute <= to:
            for gauge in self.gauges.values():
                if gauge.sends(minute):
                    self._sample(gauge, minute)
            minute += MINUTE
        self.now = to

    def between(self, metric: Metric, begin: datetime, end: datetime) -> Sequence[Sample]:
        """The samples of a metric whose timestamps lie in a span."""
        found = sorted(self.samples.get(metric, ()), key=lambda each: each.at)
        first = bisect_left(found, begin, key=lambda each: each.at)
        return [each for each in found[first:] if each.at <= end]

    def _sample(self, gauge: Gauge, at: datetime) -> None:
        values = {
            "ApproximateNumberOfMessagesVisible": gauge.visible,
            "ApproximateNumberOfMessagesNotVisible": gauge.hidden,
            "NumberOfMessagesDeleted": 0,  # a deletion adds its own sample
        }
        if gauge.oldest is not None:
            values["ApproximateAgeOfOldestMessage"] = int((at - gauge.oldest).total_seconds())
        for name, value in values.items():
            self.count(Metric.of(SQS, name, QueueName=gauge.name), at, value)


def of_function(name: str, function: str) -> Metric:
    """A metric of the alias of a function."""
    return Metric.of(LAMBDA, name, FunctionName=function, Resource=f"{function}:live")


# ---- metric filters ----

_TERM = re.compile(r'\$\.(?P<path>[\w.]+) (?P<sign><=|>=|!=|=|<|>) (?P<value>"[^"]*"|-?\d+)')
_SIGNS: Mapping[str, Callable[[Any, Any], bool]] = {
    **{"=": operator.eq, "!=": operator.ne, "<": operator.lt, ">": operator.gt},
    **{"<=": operator.le, ">=": operator.ge},
}


@dataclass(frozen=True, slots=True)
class LogFilter:
    """A metric filter of a log group. Its pattern has terms between ``&&``, and no other form."""

    group: str
    pattern: str
    metric: Metric
    value: str

    @classmethod
    def read(cls, described: Mapping[str, Any]) -> LogFilter:
        """One of the answer of DescribeMetricFilters."""
        (made,) = described["metricTransformations"]
        metric = Metric.of(made["metricNamespace"], made["metricName"])
        return cls(
            described["logGroupName"], described["filterPattern"], metric, made["metricValue"]
        )

    def counted(self, line: LogLine) -> float | None:
        """The value that this line adds, or ``None`` if it does not fit."""
        terms = self.pattern.strip("{} ").split(" && ")
        if line.group != self.group or not all(_holds(term, line.entry) for term in terms):
            return None
        value = self.value
        return float(_found(value[2:], line.entry) if value.startswith("$.") else value)


def _holds(term: str, entry: Mapping[str, object]) -> bool:
    parts = _TERM.fullmatch(term)
    if parts is None:
        raise ValueError(f"a metric filter has a term that the drill does not know: {term}")
    actual, text = _found(parts["path"], entry), parts["value"]
    wanted: object = text[1:-1] if text.startswith('"') else int(text)
    if actual is None or isinstance(actual, str) != isinstance(wanted, str):
        return False
    return _SIGNS[parts["sign"]](actual, wanted)


def _found(path: str, entry: object) -> Any:
    for name in path.split("."):
        entry = entry.get(name) if isinstance(entry, Mapping) else None
    return entry
