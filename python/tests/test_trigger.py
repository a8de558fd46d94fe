import json
from datetime import date

import pytest

from aggregator.errors import AggregationError
from aggregator.trigger import Day, parse_trigger

DAY = {"year": 2024, "month": 2, "day": 8}


def sqs(body: object) -> dict[str, object]:
    return {"Records": [{"messageId": "m", "body": body}]}


@pytest.mark.parametrize(
    "event",
    [
        DAY,
        {"year": 2024.0, "month": 2e0, "day": 8},
        sqs(json.dumps(DAY)),
        {"source": "aws.scheduler", "time": "2024-02-09T00:00:00Z"},
        sqs('{"source":"aws.scheduler","time":"2024-02-09T23:59:59Z"}'),
        DAY | {"source": "by hand", "time": 5},
        {
            "source": "aws.scheduler",
            "detail-type": "Scheduled Event",
            "account": "111122223333",
            "time": "2024-02-09T00:00:00Z",
        },
    ],
)
def test_ways_to_name_a_day(event: object) -> None:
    assert parse_trigger(event) == Day(date(2024, 2, 8))


def test_prefix_of_a_day() -> None:
    assert parse_trigger(DAY).prefix("out/") == "out/2024/02/08/"
    day = parse_trigger(DAY | {"account": "012345678901", "force": True})
    assert (day.force, day.prefix("")) == (True, "012345678901/2024/02/08/")


@pytest.mark.parametrize(
    ("event", "member"),
    [
        ([], "event"),
        (None, "event"),
        ({"Records": []}, "Records"),
        ({"Records": [{"body": "{}"}, {"body": "{}"}]}, "Records"),
        ({"Records": {"body": "{}"}}, "Records"),
        ({"Records": ["body"]}, "Records"),
        (sqs(DAY), "Records"),
        (sqs("[]"), "Records"),
        (sqs('{"year":NaN}'), "Records"),
        (sqs('\ufeff{"year":1}'), "Records"),
        (sqs('{"a":' * 100_000), "Records"),
        ({"source": "aws.scheduler"}, "time"),
        ({"source": "aws.scheduler", "time": "2024-02-09T24:00:00Z"}, "time"),
        ({"source": "aws.scheduler", "time": "2024-02-09T00:00:00Z\n"}, "time"),
        ({"source": "aws.scheduler", "time": "0999-02-09T00:00:00Z"}, "time"),
        (DAY | {"year": True}, "year"),
        (DAY | {"year": "2024"}, "year"),
        (DAY | {"year": 999}, "year"),
        (DAY | {"year": float("nan"), "month": "x"}, "year"),
        (DAY | {"month": 2.5}, "month"),
        (DAY | {"month": 10**400}, "month"),
        (sqs('{"year":2024,"month":%s,"day":8}' % ("1" * 5000)), "month"),
        (DAY | {"day": None}, "day"),
        (DAY | {"day": float("inf")}, "day"),
        (DAY | {"day": 31, "force": 1}, "force"),
        (DAY | {"force": None}, "force"),
        (DAY | {"account": 123456789012}, "account"),
        (DAY | {"account": "12345678901²"}, "account"),
        (DAY | {"account": None}, "account"),
    ],
)
def test_fault_names_the_member(event: object, member: str) -> None:
    with pytest.raises(AggregationError, match=f"^INVALID_EVENT: {member}: expected "):
        parse_trigger(event)


S3_EVENT = {"Records": [{"eventSource": "aws:s3", "s3": {}}, {}]}
SNS_EVENT = {"Records": [{"EventSource": "aws:sns", "Sns": {}}]}


@pytest.mark.parametrize(
    ("event", "kind"),
    [
        (S3_EVENT, "an S3 notification"),
        ({"Event": "s3:TestEvent", "Service": "Amazon S3"}, "an S3 notification"),
        (SNS_EVENT, "an SNS message"),
        ({"Type": "Notification", "Message": json.dumps(DAY)}, "an SNS message"),
        ({"detail-type": "Object Created", "source": "aws.s3"}, "an EventBridge event"),
        ({"detail-type": "Mine"} | DAY, "an EventBridge event"),
    ],
)
def test_events_of_other_services_are_named(event: dict[str, object], kind: str) -> None:
    text = 'names no day: send {"year": 2024, "month": 2, "day": 8}'
    for received in (event, sqs(json.dumps(event))):
        with pytest.raises(AggregationError) as caught:
            parse_trigger(received)
        assert str(caught.value) == f"INVALID_EVENT: event: {kind} {text}"


@pytest.mark.parametrize(
    "event",
    [
        DAY | {"day": 30},
        DAY | {"month": 0},
        DAY | {"month": -1e300},
        {"source": "aws.scheduler", "time": "2023-02-29T00:00:00Z"},
        {"source": "aws.scheduler", "time": "1000-01-01T00:00:00Z"},
    ],
)
def test_day_that_the_calendar_lacks(event: object) -> None:
    with pytest.raises(AggregationError, match=r"^INVALID_DATE: the calendar has no such day$"):
        parse_trigger(event)
