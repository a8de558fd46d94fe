"""A custom runtime that has only begun: settings S1 to S9 and triggers T1 to T6, no S3 yet.

Any language can be here: the Runtime API is one GET and one POST in a loop.
"""

import calendar
import json
import os
import re
import urllib.request
from collections.abc import Mapping
from typing import Any, NoReturn

BUCKET = "[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]"
PREFIX = "|.*/"
NUMBERS = {
    "CHUNK_BYTES": (67108864, 1073741824),
    "CONCURRENCY": (16, 256),
    "GZIP_LEVEL": (1, 9),
    "MAX_SOURCE_BYTES": (134217728, 536870912),
}
TEXTS = {  # in the order of the contract's table
    "SRC_BUCKET": ("", BUCKET),
    "SRC_PREFIX": ("", PREFIX),
    "DST_BUCKET": ("", BUCKET),
    "DST_PREFIX": ("", PREFIX),
    **{name: (str(default), "[0-9]{1,10}") for name, (default, _) in NUMBERS.items()},
    "LOG_LEVEL": ("INFO", "DEBUG|INFO|WARN|ERROR"),
}
TIME = re.compile(
    r"([1-9][0-9]{3})-([0-9]{2})-([0-9]{2})T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]Z"
)


def check_settings(env: Mapping[str, str]) -> None:
    for name, (default, pattern) in TEXTS.items():
        value = env.get(name, default)
        if not re.fullmatch(pattern, value, re.DOTALL | re.ASCII):
            raise ValueError(f"BAD_SETTINGS: {name}")
        if name in NUMBERS and not 1 <= int(value) <= NUMBERS[name][1]:
            raise ValueError(f"BAD_SETTINGS: {name}")


def check_trigger(event: object) -> None:
    trigger = unwrapped(event)
    if trigger.get("source") == "aws.scheduler":
        time = trigger.get("time")
        found = TIME.fullmatch(time) if isinstance(time, str) else None
        year, month, day = map(int, found.groups()[:3]) if found else invalid("time")
        first = (year, month, day) == (1000, 1, 1)
    else:
        year, month, day = (integer(trigger, name) for name in ("year", "month", "day"))
        first = False
    if not isinstance(trigger.get("force", False), bool):
        invalid("force")
    if not re.fullmatch("[0-9]{12}", str(trigger.get("account", "0" * 12))):
        invalid("account")
    if first or not 1 <= month <= 12 or not 1 <= day <= calendar.monthrange(year, month)[1]:
        raise ValueError("INVALID_DATE: the calendar has no such day")


def unwrapped(event: object) -> dict[str, Any]:
    if not isinstance(event, dict):
        invalid("event")
    if "Records" not in event:
        return event
    try:
        (record,) = event["Records"]
        body = json.loads(record["body"], parse_constant=int)  # int refuses NaN
    except (TypeError, KeyError, ValueError):
        invalid("Records")
    return body if isinstance(body, dict) else invalid("Records")


def integer(trigger: dict[str, Any], name: str) -> int:
    value = trigger.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value // 1:
        invalid(name)
    return int(value) if name != "year" or 1000 <= value <= 9999 else invalid(name)


def invalid(name: str) -> NoReturn:
    texts = {
        "event": "expected a JSON object",
        "Records": "expected exactly one record whose body is a JSON object",
        "time": "expected yyyy-mm-ddThh:mm:ssZ",
        "year": "expected an integer from 1000 to 9999",
        "force": "expected true or false",
        "account": "expected 12 digits in a string",
    }
    raise ValueError(f"INVALID_EVENT: {name}: {texts.get(name, 'expected an integer')}")


def handle(event: object) -> str:
    try:
        check_settings(os.environ)
        check_trigger(event)
    except ValueError as error:
        return str(error)
    return "INTERNAL: see the log"


def log_end(request_id: str, error: str) -> None:
    phases = ("list", "get", "decode", "compress", "put", "publish")
    line: dict[str, object] = {
        "level": "ERROR",
        "event": "end",
        "request_id": request_id,
        "error": error,
    }
    line |= {"cause": None, "result": None}
    line |= {"phases": {name: {"count": 0, "sum_ms": 0} for name in phases}, "wait_ms": 0}
    print(json.dumps(line), flush=True)


def main() -> None:
    api = f"http://{os.environ['AWS_LAMBDA_RUNTIME_API']}/2018-06-01/runtime/invocation"
    while True:
        with urllib.request.urlopen(f"{api}/next") as answer:  # waits for the next event
            request_id = answer.headers["Lambda-Runtime-Aws-Request-Id"]
            event = json.load(answer)
        error = handle(event)
        log_end(request_id, error)
        body = json.dumps({"errorMessage": error, "errorType": error.partition(":")[0]})
        urllib.request.urlopen(f"{api}/{request_id}/error", data=body.encode()).close()


if __name__ == "__main__":
    main()
