"""Sends days of the past to the queue, one message each.

The event source mapping decides how many are aggregated at the same time. At most ``most_queued``
messages are in the queue (visible and in flight), by default as many as the mapping surely takes in
a day. So the backfill can be stopped, and no message expires.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from harness.model import HarnessError
from harness.operate.ledger import Ledger, Task
from harness.operate.messages import message
from harness.operate.trails import TrailFinder
from harness.targets.aws.session import Clients, explained
from harness.targets.aws.stack import Stack
from harness.terminal import Progress

_BATCH = 10  # the most that SQS accepts
_POLL_S = 10.0
_QUIET_POLLS = 3  # SQS's counts are approximate: a queue is empty after so many counts of 0


@dataclass(frozen=True, slots=True)
class Depth:
    """The approximate numbers of messages that SQS reports for a queue."""

    waiting: int
    in_flight: int

    @property
    def all(self) -> int:
        return self.waiting + self.in_flight


def days_between(first: date, last: date) -> list[date]:
    """All days from ``first`` to ``last``, inclusive."""
    return [first + timedelta(days=number) for number in range((last - first).days + 1)]


def tasks_for(
    days: Sequence[date], accounts: Sequence[str] | None, *, force: bool = False
) -> list[Task]:
    """A task for each day, or for each account of each day."""
    return [Task(day, account, force) for day in days for account in accounts or (None,)]


def list_accounts(clients: Clients, stack: Stack) -> list[str]:
    """The accounts with a trail in the source bucket, in both layouts."""
    prefix = stack.outputs.get("SourcePrefix", "")
    found = TrailFinder(clients.s3, stack.output("SourceBucket"), prefix).accounts()
    return sorted({each.split("/")[-1] for each in found})


def depth(clients: Clients, queue: str) -> Depth:
    names = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible")
    with explained("sqs:GetQueueAttributes", f"queue {queue}"):
        found = clients.sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=list(names))
    waiting, in_flight = (int(found["Attributes"].get(name, 0)) for name in names)
    return Depth(waiting, in_flight)


@dataclass(slots=True)
class Backfill:
    """Sends tasks to a queue and waits for their end. Tests pass another ``sleep`` and ``now``."""

    clients: Clients
    queue: str
    ledger: Ledger
    most_queued: int
    progress: Progress
    sleep: Callable[[float], None] = time.sleep
    now: Callable[[], float] = time.monotonic

    def send(self, tasks: Sequence[Task]) -> int:
        """Send the unsent tasks while the queue has room, and return their number."""
        left = [task for task in tasks if task not in self.ledger.sent]
        begin = self.now()
        for batch in _batches(left):
            while self._look(begin).all + len(batch) > self.most_queued:
                self.sleep(_POLL_S)
            self._send(batch)
        return len(left)

    def wait_until_empty(self) -> None:
        begin, quiet = self.now(), 0
        while quiet < _QUIET_POLLS:
            quiet = quiet + 1 if self._look(begin).all == 0 else 0
            if quiet < _QUIET_POLLS:
                self.sleep(_POLL_S)

    def _look(self, begin: float) -> Depth:
        found = depth(self.clients, self.queue)
        done = len(self.ledger.sent) - found.all
        minutes = (self.now() - begin) / 60
        self.progress(
            f"{len(self.ledger.sent):,} sent, {found.waiting:,} waiting, {found.in_flight:,} in "
            f"flight, {max(done, 0):,} taken; {minutes:,.0f} min"
        )
        return found

    def _send(self, batch: Sequence[Task]) -> None:
        entries = [{"Id": str(number), **message(task)} for number, task in enumerate(batch)]
        while entries:
            with explained("sqs:SendMessage", f"queue {self.queue}"):
                answer = self.clients.sqs.send_message_batch(QueueUrl=self.queue, Entries=entries)
            failed = {each["Id"]: each for each in answer.get("Failed", ())}
            accepted = [int(each["Id"]) for each in entries if each["Id"] not in failed]
            self.ledger.note(batch[number] for number in accepted)
            for each in failed.values():
                if each.get("SenderFault"):
                    raise HarnessError(f"queue {self.queue} refuses {each}: {each.get('Message')}")
            entries = [each for each in entries if each["Id"] in failed]
            if entries:
                self.sleep(1)


def _batches(tasks: Sequence[Task]) -> Iterator[Sequence[Task]]:
    return (tasks[start : start + _BATCH] for start in range(0, len(tasks), _BATCH))
