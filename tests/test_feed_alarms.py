"""The alarms of feed.yaml by CloudWatch's rules: what fires in a night, and what keeps quiet.

The samples are what the services would send by their documentation. The alarm on a share of two
metrics is left out: the evaluation knows single metrics only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta

import pytest
from test_feed_template import DELIVERIES, of_type

from harness.drill.alarm_settings import read_alarm
from harness.drill.alarms import Alarm, State, evaluate
from harness.drill.timeline import Sample

BEGIN = datetime(2024, 2, 8, tzinfo=UTC)
MINUTES = 120
MATH = "ThrottledRecordsAlarm"

#: The value of a metric in a minute, or ``None`` where the service sends none.
type Course = Callable[[int], float | None]


def alarms(delivery: str) -> dict[str, Alarm]:
    found = of_type("CloudWatch::Alarm", Delivery=delivery, QuietMinutes=15)
    return {name: read_alarm(name, each) for name, each in found.items() if name != MATH}


def night(delivery: str, courses: Mapping[str, Course]) -> dict[str, list[tuple[int, State]]]:
    """alarm -> its changes with their minute. Courses by the name of an alarm replace the calm."""
    found = alarms(delivery)
    calm: Mapping[str, Course] = {
        "NoTaskAlarm": lambda _: 4.0,
        "NoRecordsAlarm": lambda _: 600.0,
        "WriteThrottleAlarm": lambda _: 0.0,
        "IteratorAgeAlarm": lambda _: 1_000.0,
        "WriterErrorsAlarm": lambda minute: 0.0 if minute % 5 == 0 else None,
        "FreshnessAlarm": lambda minute: 60.0 * (minute % 5),
        "DeliveryAlarm": lambda minute: 1.0 if minute % 5 == 0 else None,
    }
    samples = [
        sample
        for name, alarm in found.items()
        if name in courses or name in calm
        for sample in _samples(alarm, courses.get(name, calm.get(name, lambda _: None)))
    ]
    end = BEGIN + timedelta(minutes=MINUTES)
    changes: dict[str, list[tuple[int, State]]] = {}
    begin = BEGIN + timedelta(minutes=30)
    for each in evaluate(found.values(), samples, begin, end, before=State.OK):
        minute = int((each.at - BEGIN).total_seconds() // 60)
        changes.setdefault(each.alarm, []).append((minute, each.after))
    return changes


def _samples(alarm: Alarm, course: Course) -> Iterable[Sample]:
    for minute in range(MINUTES):
        value = course(minute)
        if value is not None:
            at = BEGIN + timedelta(minutes=minute)
            yield Sample(alarm.metric, at, value, at + timedelta(minutes=1))


def stops(value: float, first: int, last: int) -> Course:
    """The value, but nothing from one minute to another."""
    return lambda minute: None if first <= minute < last else value


def within(value: float | None, first: int, last: int, otherwise: float | None) -> Course:
    return lambda minute: value if first <= minute < last else otherwise


@pytest.mark.parametrize("delivery", DELIVERIES)
def test_a_calm_night_wakes_nobody(delivery: str) -> None:
    assert night(delivery, {}) == {}


def test_a_client_that_does_not_come_back_is_told_twice() -> None:
    changes = night(
        "function", {"NoTaskAlarm": stops(4.0, 40, 90), "NoRecordsAlarm": stops(600.0, 40, 90)}
    )
    assert changes.keys() == {"NoTaskAlarm", "NoRecordsAlarm"}
    (fired, alarm), (ended, ok) = changes["NoTaskAlarm"]
    assert (alarm, ok) == (State.ALARM, State.OK)
    assert 45 <= fired <= 48
    assert 90 < ended < 100
    (quiet, _), _ = changes["NoRecordsAlarm"]
    assert 55 <= quiet <= 58


def test_a_deployment_and_a_short_pause_of_the_stream_wake_nobody() -> None:
    courses = {"NoTaskAlarm": stops(4.0, 40, 43), "NoRecordsAlarm": stops(600.0, 40, 52)}
    assert night("function", courses) == {}


def test_a_burst_is_repeated_in_silence_and_a_stream_too_small_is_told() -> None:
    assert night("function", {"WriteThrottleAlarm": within(50.0, 40, 44, 0.0)}) == {}
    bursts: Mapping[str, Course] = {"WriteThrottleAlarm": lambda minute: 50.0 * (minute % 2)}
    assert night("function", bursts) == {}
    changes = night("function", {"WriteThrottleAlarm": within(50.0, 40, 60, 0.0)})
    ((fired, _), (ended, _)) = changes["WriteThrottleAlarm"]
    assert 50 <= fired <= 52
    assert 60 < ended < 64


def test_a_delivery_that_fails_is_told_by_its_errors_and_then_by_its_age() -> None:
    def age(minute: int) -> float:
        return 60_000.0 * (minute - 40) if minute >= 40 else 1_000.0

    changes = night(
        "function", {"WriterErrorsAlarm": within(1.0, 45, 120, 0.0), "IteratorAgeAlarm": age}
    )
    ((errors, _),), ((behind, _),) = changes["WriterErrorsAlarm"], changes["IteratorAgeAlarm"]
    assert 45 < errors <= 51
    assert 60 <= behind <= 63


@pytest.mark.parametrize("delivery", DELIVERIES)
def test_a_stream_that_nobody_reads_is_told(delivery: str) -> None:
    """Nobody calls GetRecords, so its age has no values, and the delivery has no errors."""
    silent = {name: stops(0.0, 40, MINUTES) for name in ("IteratorAgeAlarm", "WriterErrorsAlarm")}
    of_firehose = {
        "FreshnessAlarm": stops(0.0, 40, MINUTES),
        "DeliveryAlarm": stops(1.0, 40, MINUTES),
    }
    changes = night(delivery, silent | of_firehose)
    assert changes.keys() == {"IteratorAgeAlarm"}
    ((fired, alarm),) = changes["IteratorAgeAlarm"]
    assert alarm == State.ALARM
    assert 45 <= fired <= 50


def test_firehose_that_can_not_put_is_told_by_its_success_and_then_by_its_age() -> None:
    def age(minute: int) -> float:
        return 60.0 * (minute - 40) if minute >= 40 else 60.0

    courses: Mapping[str, Course] = {
        "FreshnessAlarm": age,
        "DeliveryAlarm": lambda minute: None if minute % 5 else float(minute < 45),
    }
    changes = night("firehose", courses)
    assert changes.keys() == {"FreshnessAlarm", "DeliveryAlarm"}
    assert 45 < changes["DeliveryAlarm"][0][0] <= 51
    assert 55 <= changes["FreshnessAlarm"][0][0] <= 63


def test_a_position_that_stays_old_is_told_and_a_single_failure_is_not() -> None:
    assert night("function", {"PositionAlarm": within(3.0, 40, 45, None)}) == {}
    changes = night("function", {"PositionAlarm": within(60.0, 40, 80, None)})
    assert changes.keys() == {"PositionAlarm"}
    ((fired, alarm), (ended, ok)) = changes["PositionAlarm"]
    assert (alarm, ok) == (State.ALARM, State.OK)
    assert 51 <= fired <= 57
    assert 80 < ended <= 100


@pytest.mark.parametrize("name", ["GapAlarm", "OtherRecordsAlarm"])
def test_one_missing_or_strange_message_is_enough(name: str) -> None:
    changes = night("function", {name: within(1.0, 40, 41, None)})
    assert changes.keys() == {name}
    ((fired, alarm), (ended, ok)) = changes[name]
    assert (alarm, ok) == (State.ALARM, State.OK)
    assert 41 <= fired <= 42
    assert 55 <= ended <= 57  # the point is seen as long as it is in the evaluation range
