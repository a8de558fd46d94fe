"""Messages of the queue: from a task to a message, and back.

The queue is FIFO, and a message's group is its day and account. SQS hands out the messages of one
group one after another, so a day never runs twice at the same time.
"""

from __future__ import annotations

import json
import re
from datetime import UTC, date, datetime, timedelta
from uuid import uuid4

from harness.model import HarnessError
from harness.operate.ledger import Task
from harness.targets.aws.stack import Stack

_ACCOUNT = re.compile("[0-9]{12}")
_EARLIEST = date(1000, 1, 1)


def message(task: Task) -> dict[str, str]:
    """The parameters of ``SendMessage`` for a task.

    Every message gets a new id: SQS drops a message whose id it has seen within five minutes.
    """
    return {
        "MessageBody": json.dumps(task.event()),
        "MessageGroupId": task.group,
        "MessageDeduplicationId": str(uuid4()),
    }


def task_of(body: str) -> Task | None:
    """The task that a message's body names (SPEC T2 to T4), or ``None``."""
    try:
        trigger = json.loads(body)
    except ValueError:
        return None
    if not isinstance(trigger, dict):
        return None
    if trigger.get("source") == "aws.scheduler":
        return scheduled_task(trigger.get("time"))
    account, force = trigger.get("account"), trigger.get("force", False)
    if "account" in trigger and not (isinstance(account, str) and _ACCOUNT.fullmatch(account)):
        return None
    if not isinstance(force, bool):
        return None
    try:
        day = date(*(_whole(trigger.get(name)) for name in ("year", "month", "day")))
    except (ValueError, OverflowError):
        return None
    return Task(day, account, force) if day >= _EARLIEST else None


def scheduled_task(time: object) -> Task | None:
    """The task of a schedule that fired at ``time``: the UTC day before."""
    try:
        fired = datetime.fromisoformat(str(time))
        day = fired.astimezone(UTC).date() - timedelta(days=1)
    except (ValueError, OverflowError):
        return None
    return Task(day) if fired.tzinfo is not None and day >= _EARLIEST else None


def day_queue(stack: Stack) -> str:
    """The URL of the queue. Raises ``HarnessError`` if the stack's queue is not FIFO yet."""
    queue = stack.output("QueueUrl")
    if not queue.endswith(".fifo"):
        raise HarnessError(
            f"stack {stack.name} has the queue of an older template: deploy this template as "
            "docs/deploy.md, section Update, tells"
        )
    return queue


def _whole(number: object) -> int:
    if isinstance(number, bool) or not isinstance(number, int | float) or number != int(number):
        raise ValueError(number)
    return int(number)
