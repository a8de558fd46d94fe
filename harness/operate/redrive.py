"""Lists dead letters, and puts them back into the queue.

There are two dead-letter queues: one for days that failed, one for days that the schedule could not
send.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from harness.operate.ledger import Task
from harness.operate.messages import message, scheduled_task, task_of
from harness.targets.aws.session import Clients, explained
from harness.targets.aws.stack import Stack

_AT_ONCE = 10
_LOOK_S = 60  # a message that was read stays hidden for this time
#: EventBridge Scheduler gives this attribute to its dead letters; the body is its own request.
_FIRED_AT = "SCHEDULED_TIME"


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A message of a dead-letter queue; ``task`` is ``None`` if it names no day."""

    queue: str
    id: str
    body: str
    task: Task | None
    receipt: str

    def __str__(self) -> str:
        return self.body if self.task is None else str(self.task)


def dead_letter_queues(stack: Stack) -> list[str]:
    return [stack.output("DeadLetterQueueUrl"), stack.output("ScheduleDeadLetterQueueUrl")]


def look(clients: Clients, queue: str) -> Iterator[DeadLetter]:
    """Each message of a dead-letter queue, once. SQS hides them for a minute then.

    Of one day, SQS shows no further message before the first ten are deleted.
    """
    seen: set[str] = set()
    while True:
        with explained("sqs:ReceiveMessage", f"queue {queue}"):
            answer = clients.sqs.receive_message(
                QueueUrl=queue,
                MaxNumberOfMessages=_AT_ONCE,
                VisibilityTimeout=_LOOK_S,
                WaitTimeSeconds=1,
                MessageAttributeNames=[_FIRED_AT],
            )
        new = [each for each in answer.get("Messages", ()) if each["MessageId"] not in seen]
        if not new:
            return
        for each in new:
            seen.add(each["MessageId"])
            fired = each.get("MessageAttributes", {}).get(_FIRED_AT)
            task = scheduled_task(fired["StringValue"]) if fired else task_of(each["Body"])
            yield DeadLetter(queue, each["MessageId"], each["Body"], task, each["ReceiptHandle"])


def list_all(clients: Clients, queue: str) -> list[DeadLetter]:
    """Each message of a dead-letter queue; they are visible again at the end."""
    found = list(look(clients, queue))
    for start in range(0, len(found), _AT_ONCE):
        _show_again(clients, queue, found[start : start + _AT_ONCE])
    return found


def redrive(clients: Clients, letter: DeadLetter, queue: str, *, force: bool = False) -> None:
    """Put one message that names a day back into the queue.

    It is sent before it is deleted, so that it can't get lost. StartMessageMoveTask works in the
    background, reports no single message, and leaves the message's group as it is.
    """
    assert letter.task is not None
    task = replace(letter.task, force=force or letter.task.force)
    with explained("sqs:SendMessage", f"queue {queue}"):
        clients.sqs.send_message(QueueUrl=queue, **message(task))
    with explained("sqs:DeleteMessage", f"queue {letter.queue}"):
        clients.sqs.delete_message(QueueUrl=letter.queue, ReceiptHandle=letter.receipt)


def _show_again(clients: Clients, queue: str, letters: Sequence[DeadLetter]) -> None:
    """A receipt that has expired is among the answer's failures: its message is visible anyway."""
    with explained("sqs:ChangeMessageVisibility", f"queue {queue}"):
        clients.sqs.change_message_visibility_batch(
            QueueUrl=queue,
            Entries=[
                {"Id": str(number), "ReceiptHandle": each.receipt, "VisibilityTimeout": 0}
                for number, each in enumerate(letters)
            ],
        )
