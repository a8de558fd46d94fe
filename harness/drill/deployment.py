"""Deploys the template to a local AWS with rights enforced, and reads the settings of the stack.

Nothing that a drill plays is written down twice: the time-out, the visibility, the schedule, the
rights and the alarms are those of the deployed stack.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from harness.build.transform import small_body
from harness.drill.alarm_settings import deployed_alarms
from harness.drill.alarms import Alarm
from harness.drill.metrics import LogFilter
from harness.model import HarnessError, Implementation
from harness.targets.aws.session import Clients
from harness.targets.aws.stack import Stack, read_stack
from harness.targets.ministack.local_aws import LocalAws
from harness.targets.ministack.roles import Session, session_of

SOURCE, DESTINATION = "night-source", "night-lake"
SOURCE_PREFIX = "org/"
CHUNK_BYTES = 30_000
#: All but the dashboard, and the policy that refuses the queues to plain HTTP.
_KINDS = {
    *("IAM::Role", "SQS::Queue", "Logs::LogGroup", "Logs::MetricFilter"),
    *("CloudWatch::Alarm", "Scheduler::ScheduleGroup", "Scheduler::Schedule"),
    *(f"Lambda::{each}" for each in ("Function", "Version", "Alias", "EventSourceMapping")),
}
_DAILY = re.compile(r"cron\((\d+) (\d+) \* \* \? \*\)")


@dataclass(frozen=True, slots=True)
class Deployment:
    """A deployed stack with one active language.

    ``function`` and ``scheduler`` are sessions of its two roles, whose policies as deployed are
    ``function_policy`` and ``schedule_policy``. ``function_name`` is that of the active function.
    """

    aws: LocalAws
    clients: Clients
    stack: Stack
    language: str
    function_name: str
    function: Session
    function_policy: Mapping[str, Any]
    scheduler: Session
    schedule_policy: Mapping[str, Any]
    variables: Mapping[str, str]
    timeout: timedelta
    queues: Mapping[str, Queue]
    alarms: Sequence[Alarm]
    filters: Sequence[LogFilter]
    most_at_once: int
    most_receipts: int
    group: str

    @property
    def prefix(self) -> str:
        return self.variables["DST_PREFIX"]

    def schedule(self) -> dict[str, Any]:
        """The schedule as it is now."""
        found: dict[str, Any] = self._scheduler.get_schedule(Name=self._name, GroupName=self.group)
        return found

    def next_fire(self, after: datetime) -> datetime:
        """When the schedule fires next. Raises ``HarnessError`` unless it is a daily one."""
        expression = self.schedule()["ScheduleExpression"]
        if (found := _DAILY.fullmatch(expression)) is None:
            raise HarnessError(f"the drill plays a daily schedule, and not {expression}")
        minute, hour = map(int, found.groups())
        fires = after.replace(hour=hour, minute=minute, second=0, microsecond=0)
        return fires if fires > after else fires + timedelta(days=1)

    def enable_schedule(self, *, on: bool) -> None:
        now = self.schedule()
        names = ("Name", "GroupName", "ScheduleExpression", "FlexibleTimeWindow", "Target")
        kept = {name: now[name] for name in names}
        self._scheduler.update_schedule(**kept, State="ENABLED" if on else "DISABLED")

    def restore_rights(self) -> None:
        self.function.allow(self.function_policy)
        self.scheduler.allow(self.schedule_policy)

    @property
    def _scheduler(self) -> Any:
        return self.aws.client("scheduler")

    @property
    def _name(self) -> str:
        (found,) = self._scheduler.list_schedules(GroupName=self.group)["Schedules"]
        return str(found["Name"])


@dataclass(frozen=True, slots=True)
class Queue:
    """A queue of the stack. ``visibility`` is how long a message that was taken stays hidden."""

    url: str
    name: str
    arn: str
    visibility: timedelta


def deploy(aws: LocalAws, name: str, active: Implementation, prefix: str) -> Deployment:
    """Deploy the template with this language active; its chunks go below ``prefix``."""
    language = active.language
    ids = aws.create_stack(
        name,
        small_body(_KINDS),
        {
            "SourceBucket": SOURCE,
            "SourcePrefix": SOURCE_PREFIX,
            "DestinationBucket": DESTINATION,
            "DestinationPrefix": prefix,
            "ActiveLanguage": language,
            "ChunkBytes": str(CHUNK_BYTES),
            "S3Client": active.client,
        },
    )
    _stop_polling(aws)
    clients = aws.clients()
    stack = read_stack(clients, name)
    mapping = aws.client("lambda").get_event_source_mapping(UUID=ids["DayMapping"])
    function_name = mapping["FunctionArn"].split(":")[-2]
    live = clients.functions.get_function_configuration(
        FunctionName=function_name, Qualifier="live"
    )
    roles = {"FunctionRole": "aggregate", "ScheduleRole": "queue-a-day"}
    sessions = {role: session_of(aws, ids[role], policy) for role, policy in roles.items()}
    described = aws.client("cloudwatch").describe_alarms(AlarmNamePrefix=f"{name}-")
    filters = aws.client("logs").describe_metric_filters(
        logGroupName=f"/aws/lambda/{name}/{language}"
    )
    outputs = ("QueueUrl", "DeadLetterQueueUrl", "ScheduleDeadLetterQueueUrl")
    return Deployment(
        aws,
        clients,
        stack,
        language,
        function_name,
        sessions["FunctionRole"],
        sessions["FunctionRole"].policy(),
        sessions["ScheduleRole"],
        sessions["ScheduleRole"].policy(),
        live["Environment"]["Variables"],
        timedelta(seconds=live["Timeout"]),
        {output: _queue(clients, stack.output(output)) for output in outputs},
        deployed_alarms(described["MetricAlarms"], name),
        [LogFilter.read(each) for each in filters["metricFilters"]],
        int(mapping["ScalingConfig"]["MaximumConcurrency"]),
        _most_receipts(clients, stack.output("QueueUrl")),
        ids["ScheduleGroup"],
    )


def _stop_polling(aws: LocalAws) -> None:
    """ministack would take the messages itself, and run the code of one line.

    Its scheduler fires by the clock of the machine, but knows no target of Scheduler's own form
    (``aws-sdk:sqs:sendMessage``): it sends nothing.
    """
    functions = aws.client("lambda")
    for each in functions.list_event_source_mappings()["EventSourceMappings"]:
        functions.update_event_source_mapping(UUID=each["UUID"], Enabled=False)


def _most_receipts(clients: Clients, url: str) -> int:
    asked = ["RedrivePolicy"]
    found = clients.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=asked)["Attributes"]
    return int(json.loads(found["RedrivePolicy"])["maxReceiveCount"])


def _queue(clients: Clients, url: str) -> Queue:
    found = clients.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    arn = found["QueueArn"]
    return Queue(url, arn.split(":")[-1], arn, timedelta(seconds=int(found["VisibilityTimeout"])))
