"""The rights of the two roles, tried: each is used, and without it one request fails.

CloudFormation makes the template's roles in ministack, which then checks every signature and every
right (``AUTH=true``). The built artefacts aggregate a day there with the credentials of the
functions' role. ministack is not AWS: it tells nothing about KMS, and answers 404 for a missing key
in any case.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError
from conftest import CLIENT_IDS, EACH_CLIENT, built

from harness.build.transform import BUCKETS, small_body
from harness.drill.message_event import scheduled_message
from harness.model import Artefact
from harness.operate.ledger import Task
from harness.operate.messages import task_of
from harness.targets.local.sandbox import LocalSandbox
from harness.targets.ministack.local_aws import REGION, LocalAws
from harness.targets.ministack.roles import Session, granted, lacking, session_of

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

STACK = "rosetta"
SOURCE, DESTINATION = BUCKETS["SourceBucket"], BUCKETS["DestinationBucket"]
PREFIXES = {"SourcePrefix": "org/", "DestinationPrefix": "day/"}
ROOT_PREFIX = "org/AWSLogs/"
KEY = f"{ROOT_PREFIX}111122223333/CloudTrail/eu-central-1/2024/02/08/a.json"
DAY = {"year": 2024, "month": 2, "day": 8}
FOLDER = "day/2024/02/08/"
SCHEDULE = "Scheduler::Schedule"
#: The resources that need no code, of the kinds that rights are about.
KINDS = ("IAM::Role", "SQS::Queue", "Logs::LogGroup", "Scheduler::ScheduleGroup", SCHEDULE)
POLICIES = {"FunctionRole": "aggregate", "ScheduleRole": "queue-a-day"}


@dataclass(frozen=True, slots=True)
class Deployed:
    """A stack with its queues, and sessions of its two roles."""

    aws: LocalAws
    function: Session
    policy: Mapping[str, Any]
    scheduler: Session
    schedule_policy: Mapping[str, Any]
    ids: Mapping[str, str]

    @property
    def queue(self) -> str:
        return self.ids["DayQueue"]

    def client(self, service: str) -> Any:
        """A client with the rights of the functions' role."""
        return self.function.client(service)

    def without(self, sid: str, action: str) -> None:
        """Take one action away from the functions' role."""
        self.function.allow(lacking(self.policy, sid, action))


@pytest.fixture(scope="module")
def deployed() -> Iterator[Deployed]:
    with LocalAws(auth=True) as aws:
        s3, iam = (aws.client(each) for each in ("s3", "iam"))
        for bucket in (SOURCE, DESTINATION):
            aws.create_bucket(bucket)
        s3.put_object(Bucket=SOURCE, Key=KEY, Body=b'{"Records":[{"n":1},{"n":2}]}')
        parameters = {**BUCKETS, **PREFIXES, "ActiveLanguage": "go"}
        ids = aws.create_stack(STACK, small_body(KINDS), parameters)
        trusted = {
            role: iam.get_role(RoleName=ids[role])["Role"]["AssumeRolePolicyDocument"]["Statement"]
            for role in POLICIES
        }
        assert {role: each[0]["Principal"]["Service"] for role, each in trusted.items()} == {
            "FunctionRole": "lambda.amazonaws.com",
            "ScheduleRole": "scheduler.amazonaws.com",
        }
        function, scheduler = (session_of(aws, ids[role], name) for role, name in POLICIES.items())
        yield Deployed(aws, function, function.policy(), scheduler, scheduler.policy(), ids)


@pytest.fixture(autouse=True)
def all_rights(deployed: Deployed) -> None:
    deployed.function.allow(deployed.policy)
    deployed.scheduler.allow(deployed.schedule_policy)


# ---- the functions ----

#: (statement, action) -> the error of a run without it
NEEDED_BY_A_RUN = {
    ("ListSource", "s3:ListBucket"): f"S3_ERROR: list {ROOT_PREFIX} (AccessDenied)",
    ("ReadSource", "s3:GetObject"): f"S3_ERROR: get {KEY} (AccessDenied)",
    ("ListDestination", "s3:ListBucket"): f"S3_ERROR: list {FOLDER} (AccessDenied)",
    ("WriteDestination", "s3:GetObject"): f"S3_ERROR: get {FOLDER}_manifest.json (AccessDenied)",
    ("WriteDestination", "s3:PutObject"): f"S3_ERROR: put {FOLDER}_claim.json (AccessDenied)",
}


# ids that keep all tests of this file, and so its one ministack, on one worker (conftest.py)
@pytest.fixture(scope="module", params=EACH_CLIENT, ids=[f"as {each}" for each in CLIENT_IDS])
def function(request: pytest.FixtureRequest, deployed: Deployed) -> Iterator[LocalSandbox]:
    made = built(request.param.language)
    assert isinstance(made, Artefact), made
    env = {
        "AWS_ENDPOINT_URL_S3": deployed.aws.env()["AWS_ENDPOINT_URL"],
        "AWS_REGION": REGION,
        **deployed.function.credentials,
        "SRC_BUCKET": SOURCE,
        "SRC_PREFIX": PREFIXES["SourcePrefix"],
        "DST_BUCKET": DESTINATION,
        "DST_PREFIX": PREFIXES["DestinationPrefix"],
        "S3_CLIENT": request.param.client,
    }
    with LocalSandbox(made, env) as sandbox:
        yield sandbox


def clear(deployed: Deployed) -> None:
    s3 = deployed.aws.client("s3")
    for each in s3.list_objects_v2(Bucket=DESTINATION).get("Contents", ()):
        s3.delete_object(Bucket=DESTINATION, Key=each["Key"])


def keys(deployed: Deployed) -> list[str]:
    found = deployed.aws.client("s3").list_objects_v2(Bucket=DESTINATION).get("Contents", ())
    return [each["Key"].removeprefix(FOLDER) for each in found]


def test_a_run_uses_its_rights_and_fails_without_any_one(
    deployed: Deployed, function: LocalSandbox
) -> None:
    """Every action is taken away in turn, so none is spare."""
    clear(deployed)
    done = function.invoke(DAY)
    assert done.error is None, done.log
    assert keys(deployed) == ["000001.ndjson.gz", "_manifest.json"]
    for (sid, action), error in NEEDED_BY_A_RUN.items():
        clear(deployed)
        deployed.without(sid, action)
        assert function.invoke(DAY).error == error, (sid, action)
        assert "000001.ndjson.gz" not in keys(deployed)
    deployed.without("WriteDestination", "s3:DeleteObject")
    clear(deployed)
    error = str(function.invoke(DAY).error)
    assert error.startswith(f"S3_ERROR: delete {FOLDER}_"), error
    assert error.endswith("-000001.ndjson.gz (AccessDenied)"), error


# ---- the requests that Lambda makes with the role ----


def queued(deployed: Deployed) -> dict[str, str]:
    """A message that was received; its group is its own, so that no other one holds it back."""
    root, new = deployed.aws.client("sqs"), str(uuid4())
    ids = {"MessageGroupId": new, "MessageDeduplicationId": new}
    root.send_message(QueueUrl=deployed.queue, MessageBody=json.dumps(DAY), **ids)
    (message,) = root.receive_message(QueueUrl=deployed.queue)["Messages"]
    return {"QueueUrl": deployed.queue, "ReceiptHandle": message["ReceiptHandle"]}


LOGS = {"logGroupName": f"/aws/lambda/{STACK}/go", "logStreamName": "a"}
LINE = [{"timestamp": 1_800_000_000_000, "message": "x"}]
Ask = Callable[[Deployed], object]
NEEDED_BY_LAMBDA: dict[tuple[str, str], Ask] = {
    ("TakeFromQueue", "sqs:ReceiveMessage"): lambda each: each.client("sqs").receive_message(
        QueueUrl=each.queue
    ),
    ("TakeFromQueue", "sqs:DeleteMessage"): lambda each: each.client("sqs").delete_message(
        **queued(each)
    ),
    ("TakeFromQueue", "sqs:GetQueueAttributes"): lambda each: each.client(
        "sqs"
    ).get_queue_attributes(QueueUrl=each.queue),
    ("WriteLogs", "logs:CreateLogStream"): lambda each: each.client("logs").create_log_stream(
        **LOGS
    ),
    ("WriteLogs", "logs:PutLogEvents"): lambda each: each.client("logs").put_log_events(
        **LOGS, logEvents=LINE
    ),
}


def is_denied(ask: Ask, deployed: Deployed) -> bool:
    try:
        ask(deployed)
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if "AccessDenied" in code:
            return True
        assert code == "ResourceAlreadyExistsException", code
    return False


def test_lambda_may_take_messages_and_write_logs_and_needs_each_right(deployed: Deployed) -> None:
    for ask in NEEDED_BY_LAMBDA.values():
        assert not is_denied(ask, deployed)
    for sid, action in NEEDED_BY_LAMBDA:
        deployed.without(sid, action)
        denied = {key for key, ask in NEEDED_BY_LAMBDA.items() if is_denied(ask, deployed)}
        assert denied == {(sid, action)}


def test_every_granted_action_was_tried(deployed: Deployed) -> None:
    tried = {*NEEDED_BY_A_RUN, *NEEDED_BY_LAMBDA, ("WriteDestination", "s3:DeleteObject")}
    assert granted(deployed.policy) == tried


# ---- the request of the schedule ----


def may_send(deployed: Deployed, **request: str) -> bool:
    return not is_denied(
        lambda each: each.scheduler.client("sqs").send_message(**request), deployed
    )


def test_the_schedule_may_queue_a_day_or_a_dead_letter_and_needs_each_right(
    deployed: Deployed,
) -> None:
    """ministack fires no schedule whose target is a request of AWS's API, such as this one. So the
    test makes the request that the deployed schedule names, with the rights of its role.
    """
    scheduler, group = deployed.aws.client("scheduler"), deployed.ids["ScheduleGroup"]
    (listed_one,) = scheduler.list_schedules(GroupName=group)["Schedules"]
    schedule = scheduler.get_schedule(Name=listed_one["Name"], GroupName=group)
    assert schedule["State"] == "ENABLED"
    role = schedule["Target"]["RoleArn"].split("/")[-1]
    assert role == deployed.ids["ScheduleRole"]
    (statement,) = deployed.schedule_policy["Statement"]
    assert granted(deployed.schedule_policy) == {("SendDay", "sqs:SendMessage")}

    day = scheduled_message(schedule, "2024-02-09T02:30:00Z")
    letter = {"QueueUrl": deployed.ids["ScheduleDeadLetterQueue"], "MessageBody": "{}"}
    requests = {"day": day, "letter": letter}
    assert [may_send(deployed, **each) for each in requests.values()] == [True, True]
    answer = deployed.aws.client("sqs").receive_message(QueueUrl=deployed.queue)
    (message,) = answer["Messages"]
    assert task_of(message["Body"]) == Task(date(2024, 2, 8))
    for taken, needing in zip(statement["Resource"], requests, strict=True):
        left = [each for each in statement["Resource"] if each != taken]
        less = {**statement, "Resource": left}
        deployed.scheduler.allow({**deployed.schedule_policy, "Statement": [less]})
        day["MessageDeduplicationId"] += "again"
        denied = [name for name, each in requests.items() if not may_send(deployed, **each)]
        assert denied == [needing]


# ---- requests that nobody needs ----

FORBIDDEN: dict[str, Ask] = {
    "read beside the trail": lambda each: each.client("s3").get_object(
        Bucket=SOURCE, Key="org/other/x"
    ),
    "list beside the trail": lambda each: each.client("s3").list_objects_v2(
        Bucket=SOURCE, Prefix="org/other/"
    ),
    "write to the source": lambda each: each.client("s3").put_object(Bucket=SOURCE, Key=KEY),
    "delete a source": lambda each: each.client("s3").delete_object(Bucket=SOURCE, Key=KEY),
    "write beside the destination": lambda each: each.client("s3").put_object(
        Bucket=DESTINATION, Key="other/x"
    ),
    "send a day": lambda each: each.client("sqs").send_message(
        QueueUrl=each.queue, MessageBody="x", MessageGroupId="x", MessageDeduplicationId="x"
    ),
    "make a log group": lambda each: each.client("logs").create_log_group(logGroupName="/x"),
}


@pytest.mark.parametrize("what", FORBIDDEN)
def test_nothing_else_is_allowed(deployed: Deployed, what: str) -> None:
    assert is_denied(FORBIDDEN[what], deployed)
