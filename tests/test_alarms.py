"""CloudWatch's rules for alarms, as its user guide tells them, and the template's alarms."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from harness.build.transform import deployed
from harness.drill.alarm_settings import deployed_alarms, read_alarm, template_alarms
from harness.drill.alarms import BEYOND, Alarm, Missing, State, evaluate, next_state
from harness.drill.timeline import Metric, Sample
from harness.model import HarnessError

NIGHT = datetime(2024, 2, 9, tzinfo=UTC)
OK, ALARM, NO_DATA = State.OK, State.ALARM, State.INSUFFICIENT_DATA
KEPT = None  # the state from before
TOPIC = "arn:aws:sns:eu-central-1:111122223333:operators"

#: Five data points, the oldest first (0 is good, X breaching, - missing); N and M; the state by the
#: treatment of missing data: missing, ignore, breaching, notBreaching. The cases are those of the
#: user guide's tables in "Configuring how CloudWatch alarms treat missing data", of its versions.
DOCUMENTED = [
    ("0 - X - X", 3, 3, (OK, OK, OK, OK)),
    ("0 - - - -", 3, 3, (OK, OK, OK, OK)),
    ("- - - - 0", 3, 3, (OK, OK, OK, OK)),
    ("- - - - -", 3, 3, (NO_DATA, KEPT, ALARM, OK)),
    ("0 X X - X", 3, 3, (ALARM, ALARM, ALARM, ALARM)),
    ("- - - - X", 3, 3, (NO_DATA, KEPT, ALARM, OK)),
    ("X - - - -", 3, 3, (ALARM, KEPT, ALARM, OK)),
    ("- - X - -", 3, 3, (ALARM, KEPT, ALARM, OK)),
    ("- - - X -", 3, 3, (NO_DATA, KEPT, ALARM, OK)),
    ("- - - X 0", 3, 3, (OK, OK, OK, OK)),
    ("0 - X - X", 3, 2, (ALARM, ALARM, ALARM, ALARM)),
    ("0 0 X 0 X", 3, 2, (ALARM, ALARM, ALARM, ALARM)),
    ("0 - X - -", 3, 2, (OK, OK, ALARM, OK)),
    ("- - - - 0", 3, 2, (OK, OK, ALARM, OK)),
    ("- - - - X", 3, 2, (NO_DATA, KEPT, ALARM, OK)),
    ("- - - X -", 3, 2, (ALARM, KEPT, ALARM, OK)),
]


def points(text: str) -> list[bool | None]:
    return [{"0": False, "X": True, "-": None}[each] for each in text.split()]


@pytest.mark.parametrize(("text", "periods", "datapoints", "states"), DOCUMENTED)
@pytest.mark.parametrize("before", list(State))
def test_the_documented_cases_of_missing_data(
    text: str, periods: int, datapoints: int, states: Sequence[State | None], before: State
) -> None:
    for missing, expected in zip(Missing, states, strict=True):
        found = next_state(points(text), periods, datapoints, missing, before)
        assert found == (before if expected is KEPT else expected), missing


@pytest.mark.parametrize("missing", list(Missing))
def test_a_point_that_breaches_is_enough_for_one_of_many(missing: Missing) -> None:
    assert next_state(points("- 0 - X 0"), 3, 1, missing, OK) is ALARM
    assert next_state(points("- - X - -"), 5, 1, missing, OK) is ALARM


# ---- the clock ----

ERRORS = Metric.of("AWS/Lambda", "Errors", FunctionName="rosetta-go")


def alarm(**other: Any) -> Alarm:
    given: dict[str, Any] = {
        "name": "Errors",
        "metric": ERRORS,
        "statistic": "Sum",
        "comparison": "GreaterThanThreshold",
        "threshold": 0,
        "period": timedelta(minutes=5),
        "periods": 1,
        "datapoints": 1,
        "missing": Missing.NOT_BREACHING,
    }
    return Alarm(**{**given, **other})


def after(minutes: float) -> datetime:
    return NIGHT + timedelta(minutes=minutes)


def sample(at: float, value: float = 1, late: float = 0, metric: Metric = ERRORS) -> Sample:
    """``at`` and ``late`` in minutes."""
    return Sample(metric, after(at), value, after(at + late))


def changes(
    watching: Alarm, samples: Sequence[Sample], minutes: float, **other: Any
) -> list[tuple[float, State]]:
    """(minute, new state) of each change from OK on."""
    found = evaluate([watching], samples, NIGHT, after(minutes), before=OK, **other)
    return [((each.at - NIGHT) / timedelta(minutes=1), each.after) for each in found]


def test_an_alarm_is_evaluated_each_minute_over_windows_that_end_then() -> None:
    assert changes(alarm(), [sample(31.5)], 90, beyond=0) == [(32, ALARM), (37, OK)]


def test_the_range_holds_a_lone_point_for_longer_than_its_period() -> None:
    """With one point of one it is the most recent real one, until it leaves the range."""
    assert changes(alarm(), [sample(31.5)], 90, beyond=BEYOND) == [(32, ALARM), (47, OK)]
    quiet = [sample(minute, value=0) for minute in range(60)]
    assert changes(alarm(), [*quiet, sample(31.5)], 60) == [(32, ALARM), (37, OK)]


@pytest.mark.parametrize(("periods", "found"), [(1, []), (4, [(47, ALARM)])])
def test_a_late_point_is_seen_only_if_the_range_still_holds_its_time(
    periods: int, found: list[tuple[float, State]]
) -> None:
    """A run of 15 minutes: the point has the time of its begin, and comes with its end."""
    late = [sample(31, late=16)]
    watching = alarm(periods=periods, datapoints=1)
    assert changes(watching, late, 50) == found


def test_other_metrics_and_other_dimensions_are_not_seen() -> None:
    other = Metric.of("AWS/Lambda", "Errors", FunctionName="rosetta-java")
    alias = Metric.of("AWS/Lambda", "Errors", FunctionName="rosetta-go", Resource="rosetta-go:live")
    assert changes(alarm(), [sample(3, metric=other), sample(3, metric=alias)], 30) == []


@pytest.mark.parametrize(
    ("statistic", "breaches"),
    [("Sum", True), ("Maximum", False), ("Minimum", False), ("Average", False)],
)
def test_a_statistic_is_of_all_samples_of_a_period(statistic: str, breaches: bool) -> None:
    two = [sample(3, value=2), sample(4, value=3)]
    found = changes(alarm(statistic=statistic, threshold=4), two, 5)
    assert found == ([(5, ALARM)] if breaches else [])


def multi_day(**other: Any) -> Alarm:
    silence = {"comparison": "LessThanThreshold", "threshold": 1, "missing": Missing.BREACHING}
    hourly = {"period": timedelta(hours=1), "periods": 26, "datapoints": 26}
    return alarm(**{**silence, **hourly, **other})


def hourly(first: int, last: int, *successes: int) -> list[Sample]:
    """A queue's deleted messages for each hour: 1 after a success, else 0."""
    hours = range(first, last + 1)
    return [sample(60 * hour + 30, value=float(hour in successes)) for hour in hours]


def test_an_alarm_over_more_than_a_day_is_evaluated_once_an_hour() -> None:
    """The last success is in the hour from 02:00: 26 full hours without one end at 05:00."""
    found = changes(multi_day(), hourly(-30, 40, -22, 2), 60 * 40)
    assert found == [(60 * 29 + 3, ALARM)]


def test_the_documented_example_of_a_multi_day_alarm() -> None:
    """A job runs every three days at 10:00. It fails at 10:02, and succeeds at 11:43."""
    watching = multi_day(periods=72, datapoints=72)
    silent = [sample(60 * hour + 1, value=0) for hour in range(-72, 24)]
    done = [sample(602 - 72 * 60), sample(11 * 60 + 43)]
    assert changes(watching, [*silent, *done], 24 * 60) == [
        (11 * 60 + 3, ALARM),
        (12 * 60 + 3, OK),
    ]


def test_an_alarm_over_a_day_is_evaluated_each_minute() -> None:
    day = alarm(period=timedelta(hours=1), periods=24, datapoints=24)
    assert changes(day, [sample(60 * hour) for hour in range(-23, 1)], 30) == [(1, ALARM)]


def test_silence_without_any_data_is_told_later_than_silence_of_zeros() -> None:
    """A success stays in the range for two hours more, if nothing else fills it."""
    found = changes(multi_day(), [sample(-60 * 22 + 30), sample(60 * 2 + 30)], 60 * 40)
    assert found == [(60 * 31 + 3, ALARM)]


# ---- actions ----


def test_a_change_of_state_is_notified_and_a_state_that_lasts_is_not() -> None:
    watching = alarm(actions={ALARM: (TOPIC,)}, periods=12)
    found = evaluate([watching], [sample(3), sample(20)], NIGHT, after(200))
    assert [(each.before, each.after, each.notified) for each in found] == [
        (NO_DATA, OK, ()),
        (OK, ALARM, (TOPIC,)),
        (ALARM, OK, ()),
    ]
    assert "X" in found[1].reason
    assert "1 of 12" in found[1].reason


def test_changes_of_several_alarms_are_in_the_order_of_time() -> None:
    fast, slow = alarm(name="fast"), alarm(name="slow", period=timedelta(minutes=10))
    found = evaluate([slow, fast], [sample(3)], NIGHT, after(60), before=OK, beyond=0)
    assert [each.alarm for each in found] == ["slow", "fast", "fast", "slow"]


# ---- the template's alarms ----


def by_name(**given: object) -> dict[str, Alarm]:
    return {each.name: each for each in template_alarms(deployed(ActiveLanguage="go", **given))}


def test_the_templates_alarms_are_read_with_the_parameters() -> None:
    found = by_name(Timeout=300, AlarmTopicArn=TOPIC)
    slow = found["DurationAlarm"]
    assert slow.threshold == 240_000
    assert slow.metric == Metric.of(
        "AWS/Lambda", "Duration", FunctionName="rosetta-go", Resource="rosetta-go:live"
    )
    assert (slow.periods, slow.datapoints, slow.period) == (12, 1, timedelta(minutes=5))
    assert slow.actions == {ALARM: (TOPIC,), OK: (TOPIC,)}
    queue = found["DeadLetterAlarm"]
    assert queue.metric == Metric.of(
        "AWS/SQS", "ApproximateNumberOfMessagesVisible", QueueName="rosetta-DayDeadLetterQueue"
    )
    assert found["NoDayAlarm"].missing is Missing.BREACHING
    assert not by_name()["NoDayAlarm"].actions


@pytest.mark.parametrize("active", ["none", "python"])
def test_alarms_that_are_not_deployed_are_not_read(active: str) -> None:
    found = {each.name for each in template_alarms(deployed(ActiveLanguage=active))}
    assert ("ErrorsAlarm" in found) == (active != "none")
    assert ("IdlePythonAlarm" in found) == (active == "none")


PROPERTIES: dict[str, Any] = {
    "AlarmName": "rosetta-NoDayAlarm-1ABC",
    "Namespace": "AWS/SQS",
    "MetricName": "NumberOfMessagesDeleted",
    "Dimensions": [{"Name": "QueueName", "Value": "q"}],
    "Statistic": "Sum",
    "Period": 3600,
    "EvaluationPeriods": 26,
    "ComparisonOperator": "LessThanThreshold",
    "Threshold": 1.0,
}


def test_a_deployed_alarm_has_the_name_of_the_template_and_the_defaults_of_the_service() -> None:
    (found,) = deployed_alarms([PROPERTIES], "rosetta")
    assert (found.name, found.datapoints, found.missing) == ("NoDayAlarm", 26, Missing.MISSING)


def test_actions_that_are_not_enabled_notify_nobody() -> None:
    asked = {**PROPERTIES, "AlarmActions": [TOPIC]}
    assert read_alarm("a", asked).actions == {ALARM: (TOPIC,)}
    assert read_alarm("a", {**asked, "ActionsEnabled": False}).actions == {}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"Metrics": [{"Id": "a", "Expression": "FILL(b, 0)"}]}, "can't evaluate Metrics"),
        ({"ExtendedStatistic": "p99"}, "can't evaluate ExtendedStatistic"),
        ({"EvaluationWindow": {"WallClockWindow": {}}}, "can't evaluate EvaluationWindow"),
        ({"Statistic": "p99"}, "can't evaluate p99"),
        ({"ComparisonOperator": "GreaterThanUpperThreshold"}, "GreaterThanUpperThreshold"),
        ({"TreatMissingData": "bad"}, "'bad' is not a valid Missing"),
        ({"Period": 10}, "a period of 10 s"),
    ],
)
def test_what_is_not_known_is_an_error(change: dict[str, Any], message: str) -> None:
    with pytest.raises(HarnessError, match=message):
        read_alarm("a", {**PROPERTIES, **change})


# ---- what the template's alarms see ----


def failing(**given: object) -> Iterator[Sample]:
    """A day that fails at each of its five receipts, 90 minutes apart, after 200 s each."""
    errors = by_name(**given)["ErrorsAlarm"].metric
    for receipt in range(5):
        yield sample(150 + 90 * receipt, late=5, metric=errors)


@pytest.mark.parametrize("beyond", [0, BEYOND, 10])
def test_the_alarm_on_errors_lasts_as_long_as_a_day_fails(beyond: int) -> None:
    """How far the range goes beyond N, which is not documented, changes its end alone."""
    errors = by_name()["ErrorsAlarm"]
    first, last = changes(errors, list(failing()), 24 * 60, beyond=beyond)
    assert first == (155, ALARM)
    assert last == (150 + 4 * 90 + 120 + 5 * beyond + 1, OK)


def test_an_hour_would_end_while_the_day_is_hidden() -> None:
    """Why ErrorsAlarm looks at two hours."""
    errors = by_name()["ErrorsAlarm"]
    hour = alarm(metric=errors.metric, periods=12)
    assert [state for _, state in changes(hour, list(failing()), 12 * 60)] == [ALARM, OK] * 5
