"""Lambda's and the scheduler's side of a deployed stack, on the clock of a drill.

The queues are those of the local AWS. It counts the receipts, keeps the groups apart and moves the
dead letters. Only the time that a message stays hidden is the drill's: a message that is due is
shown by ChangeMessageVisibility. Every request has the rights of the role that makes it on AWS.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError

from harness.drill.deployment import Deployment, Queue
from harness.drill.message_event import event_of, scheduled_message
from harness.drill.metrics import SCHEDULER, SQS, Gauge, Recorder, of_function
from harness.drill.sandboxes import Sandboxes
from harness.drill.timeline import LogLine, Metric
from harness.model import Invocation
from harness.operate.backfill import depth
from harness.operate.ledger import Task
from harness.operate.messages import message

DAYS, LETTERS, UNSENT = "QueueUrl", "DeadLetterQueueUrl", "ScheduleDeadLetterQueueUrl"


@dataclass(frozen=True, slots=True)
class Function:
    """A function of a stack, as a mapping names it."""

    language: str
    name: str
    sandboxes: Sandboxes


@dataclass(frozen=True, slots=True)
class Taken:
    """A message that Lambda has taken from the queue for a function."""

    side: Side
    function: Function
    id: str
    receipt: str
    event: bytes
    count: int


@dataclass(slots=True)
class Side:
    """``polls`` is whether the mapping is enabled, ``has_room`` whether Lambda may start a run.

    ``mapped`` is the function whose mapping takes the messages: the active one, unless somebody has
    made another mapping, which is as fast.
    """

    deployment: Deployment
    active: Function
    recorder: Recorder
    mapped: Function
    polls: bool = True
    has_room: bool = True
    sent: dict[str, datetime] = field(default_factory=dict)  # id of a message -> when

    @property
    def days(self) -> Queue:
        return self.deployment.queues[DAYS]

    # ---- who sends ----

    def send(self, task: Task, now: datetime) -> None:
        """An operator queues a day."""
        self._note(self.deployment.clients.sqs, {"QueueUrl": self.days.url, **message(task)}, now)

    def fire(self, now: datetime) -> bool:
        """The schedule's request, if it is enabled. Returns whether the scheduler tries again."""
        return self.deployment.schedule()["State"] == "ENABLED" and self.attempt(now, now)

    def retries(self, fired: datetime) -> list[datetime]:
        """When the scheduler repeats a request. How long it pauses is not documented: the drill
        spreads the attempts over the time that the policy gives them.
        """
        policy = self.deployment.schedule()["Target"]["RetryPolicy"]
        most, age = policy["MaximumRetryAttempts"], policy["MaximumEventAgeInSeconds"]
        return [fired + timedelta(seconds=age * (n + 1) / most) for n in range(most)]

    def attempt(self, fired: datetime, now: datetime) -> bool:
        """Make the request of ``fired``. Returns whether it failed."""
        request = scheduled_message(self.deployment.schedule(), f"{fired:%Y-%m-%dT%H:%M:%SZ}")
        self._count_schedule("InvocationAttemptCount", now)
        try:
            self._note(self.deployment.scheduler.client("sqs"), request, now)
        except ClientError:
            self._count_schedule("TargetErrorCount", now)
            return True
        return False

    def give_up(self, fired: datetime, now: datetime) -> None:
        """The scheduler drops a request, and sends it to its dead letters if it may."""
        self._count_schedule("InvocationDroppedCount", now)
        schedule = self.deployment.schedule()
        time = f"{fired:%Y-%m-%dT%H:%M:%SZ}"
        attribute = {"SCHEDULED_TIME": {"DataType": "String", "StringValue": time}}
        try:
            self.deployment.scheduler.client("sqs").send_message(
                QueueUrl=self.deployment.queues[UNSENT].url,
                MessageBody=schedule["Target"]["Input"],
                MessageAttributes=attribute,
            )
        except ClientError:
            self._count_schedule("InvocationsFailedToBeSentToDeadLetterCount", now)
        else:
            self._count_schedule("InvocationsSentToDeadLetterCount", now)

    def _note(self, sqs: Any, request: dict[str, str], now: datetime) -> None:
        self.sent[sqs.send_message(**request)["MessageId"]] = now

    def _count_schedule(self, name: str, now: datetime) -> None:
        metric = Metric.of(SCHEDULER, name, ScheduleGroup=self.deployment.group)
        self.recorder.count(metric, now, 1)

    # ---- Lambda ----

    def take(self, most: int, now: datetime) -> list[Taken]:
        """Messages of different groups, as the mapping takes them: one for each run."""
        found: list[Taken] = []
        sqs = self.deployment.function.client("sqs")
        while self.polls and len(found) < min(most, self.deployment.most_at_once):
            answer = sqs.receive_message(
                QueueUrl=self.days.url, MaxNumberOfMessages=1, AttributeNames=["All"]
            )
            for each in answer.get("Messages", ()):
                self.sent.setdefault(each["MessageId"], now)
                event = event_of(each, self.days.arn)
                count = int(each["Attributes"]["ApproximateReceiveCount"])
                ids = each["MessageId"], each["ReceiptHandle"]
                found.append(Taken(self, self.mapped, *ids, event, count))
            if not answer.get("Messages"):
                break
        return found

    def throttled(self, taken: Taken, now: datetime) -> None:
        self._count(taken, "Throttles", now, 1, now)

    def measured(
        self, taken: Taken, invocation: Invocation, begin: datetime, end: datetime
    ) -> None:
        """The metrics and the log lines of an invocation."""
        self._count(taken, "Invocations", begin, 1, end)
        self._count(taken, "Errors", begin, float(invocation.error is not None), end)
        self._count(taken, "Duration", begin, (end - begin).total_seconds() * 1000, end)
        group = f"/aws/lambda/{self.deployment.stack.name}/{taken.function.language}"
        for entry in invocation.log:
            line = LogLine(group, end, entry)
            self.recorder.lines.append(line)
            for each in self.deployment.filters:
                if (value := each.counted(line)) is not None:
                    self.recorder.count(each.metric, end, value)

    def delete(self, taken: Taken, now: datetime) -> None:
        """Lambda deletes the message of a run that has succeeded."""
        self.deployment.function.client("sqs").delete_message(
            QueueUrl=self.days.url, ReceiptHandle=taken.receipt
        )
        self.sent.pop(taken.id, None)
        metric = Metric.of(SQS, "NumberOfMessagesDeleted", QueueName=self.days.name)
        self.recorder.count(metric, now, 1)

    def show(self, taken: Taken) -> None:
        """The visibility time-out of a message is over."""
        self.deployment.clients.sqs.change_message_visibility(
            QueueUrl=self.days.url, ReceiptHandle=taken.receipt, VisibilityTimeout=0
        )

    def _count(self, taken: Taken, name: str, at: datetime, value: float, end: datetime) -> None:
        self.recorder.count(of_function(name, taken.function.name), at, value, end)

    # ---- the queues ----

    def observe(self, now: datetime) -> None:
        """Note how the queues stand. A message that is in no day queue any more has no age."""
        for output, queue in self.deployment.queues.items():
            found = depth(self.deployment.clients, queue.url)
            is_days = output == DAYS
            gauge = self.recorder.gauges.setdefault(
                queue.name, Gauge(queue.name, polled=False, active=now)
            )
            is_polled = is_days and self.polls
            counts = found.waiting, found.in_flight
            if gauge.polled or is_polled or (gauge.visible, gauge.hidden) != counts:
                gauge.touch(now)
            gauge.polled = is_polled
            gauge.visible, gauge.hidden = found.waiting, found.in_flight
            if is_days:
                if not found.all:
                    self.sent.clear()
                gauge.oldest = min(self.sent.values(), default=None)

    def is_empty(self) -> bool:
        clients = self.deployment.clients
        return not any(depth(clients, each.url).all for each in self.deployment.queues.values())

    def purge(self) -> None:
        """Leave no message of a drill to the next one."""
        self.sent.clear()
        for queue in self.deployment.queues.values():
            self.deployment.clients.sqs.purge_queue(QueueUrl=queue.url)


def forget(sides: Sequence[Side], taken: Taken) -> None:
    """The message has left the day queue for the dead letters."""
    for side in sides:
        side.sent.pop(taken.id, None)
