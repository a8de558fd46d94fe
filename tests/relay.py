"""Simulates Lambda's side of a queue: messages of a real queue go to a sandbox, by SQS's rules.

A message whose invocation succeeds is deleted. One whose invocation fails stays, hidden until its
visibility time-out, and is received again until the queue's redrive policy moves it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from harness.drill.message_event import event_of
from harness.model import Invocation
from harness.verify.vectors.judge import Function


@dataclass(frozen=True, slots=True)
class Relay:
    """Brings one queue's messages to one function, one at a time (``BatchSize`` 1)."""

    sqs: Any
    queue_url: str
    queue_arn: str
    function: Function

    def deliver(self) -> Invocation | None:
        """Receive a message, invoke, and delete it on success; ``None`` without a message.

        After a failure the message becomes visible again at once.
        """
        answer = self.sqs.receive_message(
            QueueUrl=self.queue_url, MaxNumberOfMessages=1, AttributeNames=["All"]
        )
        for message in answer.get("Messages", ()):
            handle = {"QueueUrl": self.queue_url, "ReceiptHandle": message["ReceiptHandle"]}
            invocation = self.function.invoke(event_of(message, self.queue_arn))
            if invocation.error is None:
                self.sqs.delete_message(**handle)
            else:
                self.sqs.change_message_visibility(**handle, VisibilityTimeout=0)
            return invocation
        return None

    def drain(self) -> list[Invocation]:
        """Deliver until the queue is empty."""
        invocations = []
        while (invocation := self.deliver()) is not None:
            invocations.append(invocation)
            assert len(invocations) < 100, "the queue never ends"
        return invocations
