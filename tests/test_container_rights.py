"""The rights of container.yaml's two roles of a task, tried as test_rights.py does it.

CloudFormation makes the roles in ministack, which checks every signature and every right. The built
artefacts run there as tasks (SPEC K) with the credentials of the task role. ministack's own ECS
needs Docker, so nothing here asks it to run a task.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from botocore.exceptions import ClientError
from conftest import IMPLEMENTATIONS, built
from test_container import GIVEN, container, definition, template
from test_rights import DAY, DESTINATION, FOLDER, KEY, NEEDED_BY_A_RUN, PREFIXES, SOURCE

from harness.model import Artefact
from harness.targets.local.runtimes import task_command
from harness.targets.ministack.local_aws import REGION, LocalAws
from harness.targets.ministack.roles import Session, granted, lacking, session_of

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

STACK = "rosetta-tasks"
POLICIES = {"TaskRole": "aggregate", "ExecutionRole": "start"}
S3_ERROR = 17  # K3
METRIC_MATH = "FailedDayAlarm"  # ministack knows none


@dataclass(frozen=True, slots=True)
class Deployed:
    """The two roles of a task, each with a session, and the policies that they came with."""

    aws: LocalAws
    sessions: Mapping[str, Session]
    policies: Mapping[str, Mapping[str, Any]]

    def client(self, service: str) -> Any:
        """A client with the rights of the execution role."""
        return self.sessions["ExecutionRole"].client(service)


def as_of_ministack(policy: Mapping[str, Any]) -> dict[str, Any]:
    """ministack checks the rights on a log group's streams without the ``:*`` of AWS."""
    changed: dict[str, Any] = json.loads(json.dumps(policy).replace(':*"', '"'))
    return changed


@pytest.fixture(scope="module")
def deployed() -> Iterator[Deployed]:
    with LocalAws(auth=True) as aws:
        for bucket in (SOURCE, DESTINATION):
            aws.create_bucket(bucket)
        body = b'{"Records":[{"n":1},{"n":2}]}'
        aws.client("s3").put_object(Bucket=SOURCE, Key=KEY, Body=body)
        whole = template()
        kept = {name: each for name, each in whole["Resources"].items() if name != METRIC_MATH}
        parameters = {**GIVEN, **PREFIXES, "Schedule": "On"}
        ids = aws.create_stack(STACK, json.dumps({**whole, "Resources": kept}), parameters)
        sessions = {role: session_of(aws, ids[role], name) for role, name in POLICIES.items()}
        policies = {role: as_of_ministack(each.policy()) for role, each in sessions.items()}
        yield Deployed(aws, sessions, policies)


@pytest.fixture(autouse=True)
def all_rights(deployed: Deployed) -> None:
    for role, session in deployed.sessions.items():
        session.allow(deployed.policies[role])


def run(deployed: Deployed, language: str) -> subprocess.CompletedProcess[str]:
    """The end of a task with the credentials of the task role."""
    artefact = built(language)
    assert isinstance(artefact, Artefact), artefact
    env = {
        "PATH": "/usr/bin:/bin",
        "AWS_ENDPOINT_URL_S3": deployed.aws.env()["AWS_ENDPOINT_URL"],
        "AWS_REGION": REGION,
        **deployed.sessions["TaskRole"].credentials,
        "SRC_BUCKET": SOURCE,
        "SRC_PREFIX": PREFIXES["SourcePrefix"],
        "DST_BUCKET": DESTINATION,
        "DST_PREFIX": PREFIXES["DestinationPrefix"],
        "S3_CLIENT": "light",
    }
    folder = artefact.folder.resolve()
    command = task_command(artefact.implementation, folder, 512, json.dumps(DAY))
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False)


# ids that keep all tests of this file, and so its one ministack, on one worker (conftest.py)
@pytest.mark.parametrize("language", [f"as {each}" for each in IMPLEMENTATIONS])
def test_a_task_of_each_language_has_the_rights_that_it_needs(
    deployed: Deployed, language: str
) -> None:
    done = run(deployed, language.removeprefix("as "))
    assert done.returncode == 0, done.stdout + done.stderr
    listed = deployed.aws.client("s3").list_objects_v2(Bucket=DESTINATION, Prefix=FOLDER)
    keys = [found["Key"].removeprefix(FOLDER) for found in listed["Contents"]]
    assert keys == ["000001.ndjson.gz", "_manifest.json"]


@pytest.mark.parametrize(("sid", "action"), NEEDED_BY_A_RUN)
def test_a_task_fails_without_any_one_right(deployed: Deployed, sid: str, action: str) -> None:
    listed = deployed.aws.client("s3").list_objects_v2(Bucket=DESTINATION).get("Contents", ())
    for each in listed:
        deployed.aws.client("s3").delete_object(Bucket=DESTINATION, Key=each["Key"])
    deployed.sessions["TaskRole"].allow(lacking(deployed.policies["TaskRole"], sid, action))
    done = run(deployed, "go")
    assert done.returncode == S3_ERROR
    assert json.loads(done.stdout.splitlines()[-1])["error"] == NEEDED_BY_A_RUN[sid, action]


def test_cloudformation_resolves_the_templates_text_as_the_tests_do(deployed: Deployed) -> None:
    """The image, and the definition with its numbers and lists."""
    states, ecs = (deployed.aws.client(each) for each in ("stepfunctions", "ecs"))
    (machine,) = states.list_state_machines()["stateMachines"]
    told = states.describe_state_machine(stateMachineArn=machine["stateMachineArn"])["definition"]
    (state,) = json.loads(told)["States"].values()
    expected = definition()
    for mine in (expected, state):
        for name in ("Cluster", "TaskDefinition"):  # the one has them by name
            assert mine["Parameters"].pop(name)
    assert state == expected
    task = ecs.describe_task_definition(taskDefinition=STACK)["taskDefinition"]
    assert task["containerDefinitions"][0]["image"] == container()["Image"]


def test_the_task_role_has_the_tried_rights_only(deployed: Deployed) -> None:
    tried = {*NEEDED_BY_A_RUN, ("WriteDestination", "s3:DeleteObject")}
    assert granted(deployed.policies["TaskRole"]) == tried


LOGS = {"logGroupName": f"/ecs/{STACK}", "logStreamName": "day/task/a"}
LINE = [{"timestamp": 1_800_000_000_000, "message": "x"}]
type Ask = Callable[[Deployed], object]
OF_ECS: dict[str, Ask] = {
    "logs:CreateLogStream": lambda each: each.client("logs").create_log_stream(**LOGS),
    "logs:PutLogEvents": lambda each: each.client("logs").put_log_events(**LOGS, logEvents=LINE),
    "ecr:GetAuthorizationToken": lambda each: each.client("ecr").get_authorization_token(),
}
OF_THE_CODE: dict[str, Ask] = {
    "read a source": lambda each: each.client("s3").get_object(Bucket=SOURCE, Key=KEY),
    "list the sources": lambda each: each.client("s3").list_objects_v2(Bucket=SOURCE),
    "write a chunk": lambda each: each.client("s3").put_object(
        Bucket=DESTINATION, Key=f"{FOLDER}x"
    ),
    "make a log group": lambda each: each.client("logs").create_log_group(logGroupName="/x"),
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


def test_ecs_may_log_in_and_write_logs_and_needs_each_right(deployed: Deployed) -> None:
    session, policy = deployed.sessions["ExecutionRole"], deployed.policies["ExecutionRole"]
    denied = {name for name, ask in OF_ECS.items() if is_denied(ask, deployed)}
    assert not denied
    sids = {action: sid for sid, action in granted(policy)}
    for action in OF_ECS:
        session.allow(lacking(policy, sids[action], action))
        denied = {name for name, ask in OF_ECS.items() if is_denied(ask, deployed)}
        assert denied == {action}


@pytest.mark.parametrize("what", OF_THE_CODE)
def test_ecs_may_do_nothing_that_is_the_code_s(deployed: Deployed, what: str) -> None:
    assert is_denied(OF_THE_CODE[what], deployed)
