"""Lists the messages of the dead-letter queue, and puts them back into the queue."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

from harness.targets.aws.session import Clients, explained

_AT_ONCE = 10
_LOOK_S = 30  # a message that was read stays hidden for this time


@dataclass(frozen=True, slots=True)
class Failed:
    """A message of the dead-letter queue; ``body`` is the trigger as it was sent."""

    id: str
    body: str
    receipt: str

    def __str__(self) -> str:
        try:
            event = json.loads(self.body)
            day = f"{event['year']:04d}-{event['month']:02d}-{event['day']:02d}"
            return f"{day} {event.get('account', '')}".rstrip()
        except (ValueError, KeyError, TypeError):
            return self.body  # a schedule's event, or a message that was sent by hand


def look(clients: Clients, queue: str) -> Iterator[Failed]:
    """Each message of the dead-letter queue, once. SQS hides them for half a minute then."""
    seen: set[str] = set()
    while True:
        with explained("sqs:ReceiveMessage", f"queue {queue}"):
            answer = clients.sqs.receive_message(
                QueueUrl=queue,
                MaxNumberOfMessages=_AT_ONCE,
                VisibilityTimeout=_LOOK_S,
                WaitTimeSeconds=1,
            )
        new = [each for each in answer.get("Messages", ()) if each["MessageId"] not in seen]
        if not new:
            return
        for each in new:
            seen.add(each["MessageId"])
            yield Failed(each["MessageId"], each["Body"], each["ReceiptHandle"])


def redrive(clients: Clients, failed: Failed, dead_letters: str, queue: str) -> None:
    """Put one message back. It is sent before it is deleted, so that it can't get lost.

    StartMessageMoveTask works in the background and reports no single message, so it does not fit.
    """
    with explained("sqs:SendMessage", f"queue {queue}"):
        clients.sqs.send_message(QueueUrl=queue, MessageBody=failed.body)
    with explained("sqs:DeleteMessage", f"queue {dead_letters}"):
        clients.sqs.delete_message(QueueUrl=dead_letters, ReceiptHandle=failed.receipt)
