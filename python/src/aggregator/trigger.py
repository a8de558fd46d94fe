"""Step: trigger (SPEC T1-T8). An event names the day: from SQS, from the scheduler, or by hand.

Holds one event.
"""

import json
import re
from dataclasses import dataclass
from datetime import date, timedelta
from typing import NoReturn

from aggregator.errors import AggregationError

_TIME = re.compile(
    r"([1-9][0-9]{3})-([0-9]{2})-([0-9]{2})T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]Z"
)
_FIRST_DAY = date(1000, 1, 1)


@dataclass(frozen=True, slots=True)
class Day:
    """The UTC day to aggregate; with ``account`` only that account's sources."""

    date: date
    force: bool = False
    account: str | None = None

    @property
    def folder(self) -> str:
        """``yyyy/mm/dd/``, as CloudTrail's keys and ours have it."""
        return f"{self.date:%Y/%m/%d}/"

    def prefix(self, dst_prefix: str) -> str:
        """The day prefix: the folder of everything that a run for this day writes."""
        account = "" if self.account is None else f"{self.account}/"
        return f"{dst_prefix}{account}{self.folder}"


def parse_trigger(event: object) -> Day:
    """Raise ``INVALID_EVENT`` or ``INVALID_DATE``; an event is any value that JSON can hold."""
    if not isinstance(event, dict):
        _refuse("event", "expected a JSON object")
    _refuse_foreign(event)
    trigger = event
    if "Records" in event:
        trigger = _from_sqs(event["Records"])
        _refuse_foreign(trigger)
    scheduled = trigger.get("source") == "aws.scheduler"
    fields = _scheduled_fields(trigger) if scheduled else _named_fields(trigger)
    force = trigger.get("force", False)
    if not isinstance(force, bool):
        _refuse("force", "expected true or false")
    # In the scheduler's own event the account is the one that owns the schedule (T2).
    named = "account" in trigger and not scheduled
    account = _account(trigger["account"]) if named else None
    try:
        day = date(*fields)
        if scheduled:
            day -= timedelta(days=1)
    except (ValueError, OverflowError):
        day = date.min  # which is refused, too
    if day < _FIRST_DAY:
        raise AggregationError("INVALID_DATE", "the calendar has no such day")
    return Day(day, force, account)


def _refuse_foreign(event: dict[str, object]) -> None:
    """Refuse an event that another service sends by itself; the text names its kind (T8)."""
    records = event.get("Records")
    first = records[0] if isinstance(records, list) and records else None
    record = first if isinstance(first, dict) else {}
    if record.get("eventSource") == "aws:s3" or event.get("Event") == "s3:TestEvent":
        kind = "an S3 notification"
    elif record.get("EventSource") == "aws:sns" or event.get("Type") == "Notification":
        kind = "an SNS message"
    elif "detail-type" in event and event.get("source") != "aws.scheduler":
        kind = "an EventBridge event"
    else:
        return
    _refuse("event", f'{kind} names no day: send {{"year": 2024, "month": 2, "day": 8}}')


def _from_sqs(records: object) -> dict[str, object]:
    try:
        [record] = records if isinstance(records, list) else []
        trigger = STRICT_JSON.decode(record["body"])
    except (ValueError, TypeError, KeyError, RecursionError):
        trigger = None
    if not isinstance(trigger, dict):
        _refuse("Records", "expected exactly one record whose body is a JSON object")
    return trigger


def _scheduled_fields(trigger: dict[str, object]) -> tuple[int, int, int]:
    time = trigger.get("time")
    match = _TIME.fullmatch(time) if isinstance(time, str) else None
    if match is None:
        _refuse("time", "expected yyyy-mm-ddThh:mm:ssZ")
    return int(match[1]), int(match[2]), int(match[3])


def _named_fields(trigger: dict[str, object]) -> tuple[int, int, int]:
    year = integer_of(trigger.get("year"))
    if year is None or not 1000 <= year <= 9999:
        _refuse("year", "expected an integer from 1000 to 9999")
    month = integer_of(trigger.get("month"))
    if month is None:
        _refuse("month", "expected an integer")
    day = integer_of(trigger.get("day"))
    if day is None:
        _refuse("day", "expected an integer")
    return year, month, day


def _account(value: object) -> str:
    if not isinstance(value, str) or not re.fullmatch("[0-9]{12}", value):
        _refuse("account", "expected 12 digits in a string")
    return value


def integer_of(value: object) -> int | None:
    """The integer that a JSON number is as an IEEE 754 double (``8``, ``8.0``), or ``None``."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        double = float(value)
    except OverflowError:
        return None
    return int(double) if double.is_integer() else None


def _refuse(member: str, text: str) -> NoReturn:
    raise AggregationError("INVALID_EVENT", f"{member}: {text}")


def _refuse_constant(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


#: Unlike the default it refuses ``NaN``. Integers become doubles, whatever their length.
STRICT_JSON = json.JSONDecoder(parse_int=float, parse_constant=_refuse_constant)
