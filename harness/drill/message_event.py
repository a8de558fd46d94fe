"""Messages as AWS hands them on: Lambda's event, and the request of EventBridge Scheduler."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

_TIME = "<aws.scheduler.scheduled-time>"
_SEND = "arn:aws:scheduler:::aws-sdk:sqs:sendMessage"


def event_of(message: Mapping[str, Any], queue_arn: str) -> bytes:
    """The event of a batch of one, from a message as ReceiveMessage answers it."""
    record = {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": message["Attributes"],
        "messageAttributes": {},
        "md5OfBody": message["MD5OfBody"],
        "eventSource": "aws:sqs",
        "eventSourceARN": queue_arn,
        "awsRegion": queue_arn.split(":")[3],
    }
    return json.dumps({"Records": [record]}).encode()


def scheduled_message(schedule: Mapping[str, Any], time: str) -> dict[str, str]:
    """The parameters of the SendMessage that EventBridge Scheduler makes at ``time``."""
    assert schedule["Target"]["Arn"] == _SEND
    text: str = schedule["Target"]["Input"]
    request: dict[str, str] = json.loads(text.replace(_TIME, time))
    assert json.loads(request["MessageBody"])
    return request
