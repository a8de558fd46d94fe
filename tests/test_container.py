"""Properties of container.yaml that no linter checks: rights, repeats, schedule, alarms."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import boto3
import pytest
from aws_cli import Call, commands_of
from template_rules import assert_cfn_lint_finds_nothing, assert_checkov_finds_only, each_partition

from harness.build.transform import deployed as deployed_functions
from harness.build.transform import template as functions
from harness.drill.alarm_settings import read_alarm
from harness.drill.alarms import State, evaluate
from harness.drill.timeline import Sample
from harness.preflight.resolve import load_template, resolved
from harness.toolchain.paths import ROOT

CONTAINER = ROOT / "container.yaml"
KEY = "arn:aws:kms:eu-central-1:111122223333:key/0000-1111"
REPOSITORY = "arn:aws:ecr:eu-central-1:111122223333:repository/team/rosetta-go"
GIVEN = {
    "SourceBucket": "source-bucket",
    "DestinationBucket": "destination-bucket",
    "RepositoryArn": REPOSITORY,
    "ImageDigest": f"sha256:{'0' * 64}",
    "SubnetIds": "subnet-0a,subnet-1b",
    "SecurityGroupIds": "sg-2c",
}
TIMEOUTS = load_template(CONTAINER)["Parameters"]["TaskTimeout"]["AllowedValues"]
#: The rights of the functions that a task has not: nobody sends it messages, ECS writes its logs.
OF_LAMBDA = {"TakeFromQueue", "WriteLogs"}


@cache
def template() -> dict[str, Any]:
    return load_template(CONTAINER)


def deployed(**given: object) -> dict[str, Any]:
    """Logical id -> properties of what these parameters deploy."""
    values = {name: str(value) for name, value in {**GIVEN, **given}.items()}
    return {name: each["Properties"] for name, each in resolved(template(), values).items()}


def statements(role: dict[str, Any]) -> dict[str, Any]:
    (policy,) = role["Policies"]
    assert "ManagedPolicyArns" not in role
    return {each["Sid"]: each for each in policy["PolicyDocument"]["Statement"]}


def definition(**given: object) -> dict[str, Any]:
    """The state machine's one state."""
    text = deployed(**given)["DayStateMachine"]["DefinitionString"]
    machine = json.loads(text)
    (state,) = machine["States"].values()
    return dict(state)


def container(**given: object) -> dict[str, Any]:
    (made,) = deployed(**given)["TaskDefinition"]["ContainerDefinitions"]
    return dict(made)


@pytest.mark.slow
@pytest.mark.timeout(600)
@each_partition
def test_cfn_lint_finds_nothing(region: str) -> None:
    assert_cfn_lint_finds_nothing(CONTAINER, region)


@pytest.mark.slow
def test_checkov_finds_nothing_without_a_reason(tmp_path: Path) -> None:
    assert_checkov_finds_only("container", CONTAINER, tmp_path)


def test_no_partition_is_written_down() -> None:
    resources = CONTAINER.read_text().partition("\nResources:")[2]
    # service principals have no partition
    for service in ("delivery.logs", "ecs-tasks", "events", "scheduler", "states"):
        resources = resources.replace(f"{service}.amazonaws.com", "")
    assert not re.search(r"arn:aws|amazonaws\.com", resources)


def test_the_parameters_that_both_templates_have_are_alike() -> None:
    """But for the VPC, which a task always has, and for limits of a version's description."""
    same = ("Type", "Default", "AllowedPattern", "AllowedValues")
    both = template()["Parameters"].keys() & functions()["Parameters"].keys()
    assert len(both) > 15
    for name in both - {"SubnetIds", "SecurityGroupIds"}:
        ours, theirs = (
            {key: value for key, value in each["Parameters"][name].items() if key in same}
            for each in (template(), functions())
        )
        assert ours == theirs, name


def test_the_task_has_the_functions_settings_and_its_time() -> None:
    names = set(functions()["Globals"]["Function"]["Environment"]["Variables"])
    variables = {each["Name"]: each["Value"] for each in container(TaskTimeout=7200)["Environment"]}
    assert set(variables) == names | {"TASK_TIMEOUT", "AWS_REGION"}
    assert variables["TASK_TIMEOUT"] == "7200"
    assert "Secrets" not in container()


def test_the_documented_commands_start_a_day() -> None:
    """botocore's models check them; AWS's CLI takes the names of its flags from these."""
    text = (ROOT / "docs/tasks.md").read_text().partition("## Run a day")[2].partition("\n## ")[0]
    execution, task = (Call(words[1:]) for words in commands_of(text))
    assert (execution.method, task.method) == ("start_execution", "run_task")
    make: Any = boto3.client
    ecs, states = (make(each, region_name="eu-central-1") for each in ("ecs", "stepfunctions"))
    day = {"year": 2024, "month": 2, "day": 8}
    assert json.loads(execution.parameters(states)["input"]) == day
    asked = task.parameters(ecs)
    (override,) = asked["overrides"]["containerOverrides"]
    assert override["name"] == container()["Name"]
    assert [json.loads(each) for each in override["command"]] == [day]
    assert asked["networkConfiguration"]["awsvpcConfiguration"].keys() == {
        "subnets",
        "securityGroups",
    }


_STUB = """\
import json, pathlib, sys
log = pathlib.Path({log!r})
with log.open("a") as file:
    file.write(json.dumps(sys.argv[1:]) + "\\n")
number = len(log.read_text().splitlines())
if number == {fails_at}:
    sys.exit(254)
print(5 if number == 5 else 4)
"""


def run_loop(folder: Path, fails_at: int = 0) -> tuple[str, list[list[str]]]:
    """The documented loop over four days: its last words, and all that it asked for.

    The second look finds five executions at work.
    """
    text = (ROOT / "docs/tasks.md").read_text().partition("## Days of the past")[2]
    loop = text.partition("    day=2024-01-20 end=2024-02-09\n")[2].partition("\n\n")[0]
    log = folder / "requests"
    (folder / "stub.py").write_text(_STUB.format(log=str(log), fails_at=fails_at))
    for name, command in (
        ("aws", f"""exec '{sys.executable}' '{folder}/stub.py' "$@\""""),
        ("sleep", f"""echo '["sleep"]' >> '{log}'"""),
    ):
        (folder / name).write_text(f"#!/bin/sh\n{command}\n")
        (folder / name).chmod(0o755)
    done = subprocess.run(
        ["bash", "-c", f"day=2024-02-27 end=2024-03-02\n{loop}"],
        env={"PATH": f"{folder}:{os.environ['PATH']}", "TZ": "America/Los_Angeles"},
        capture_output=True,
        text=True,
        check=True,
    )
    requests = [json.loads(line) for line in log.read_text().splitlines()]
    return done.stdout.splitlines()[-1], requests


def test_the_documented_loop_starts_each_day_once(tmp_path: Path) -> None:
    last, requests = run_loop(tmp_path)
    make: Any = boto3.client
    states = make("stepfunctions", region_name="eu-central-1")
    calls = [Call(each) for each in requests if each != ["sleep"]]
    asked = [(each.method, each.parameters(states)) for each in calls]
    started = [given for method, given in asked if method == "start_execution"]
    days = ["2024-02-27", "2024-02-28", "2024-02-29", "2024-03-01"]
    assert [each["name"] for each in started] == days
    for each in started:
        named = date.fromisoformat(each["name"])
        event = {"year": named.year, "month": named.month, "day": named.day}
        assert json.loads(each["input"]) == event
    assert last == "all before 2024-03-02 are started"
    looks = [given for method, given in asked if method == "list_executions"]
    assert {each["statusFilter"] for each in looks} == {"RUNNING"}
    assert len(looks) == requests.count(["sleep"]) == len(days) + 1


@pytest.mark.parametrize(
    ("fails_at", "day"),
    [(2, "2024-02-27"), (3, "2024-02-27"), (7, "2024-02-28"), (8, "2024-02-28")],
)
def test_the_loop_passes_no_day_over_when_a_request_is_refused(
    fails_at: int, day: str, tmp_path: Path
) -> None:
    """A look or a start: credentials expire, a right is missing, a name was used."""
    last, requests = run_loop(tmp_path, fails_at)
    assert len(requests) == fails_at
    assert last == f"all before {day} are started"


def test_the_image_is_named_by_its_digest() -> None:
    registry = "111122223333.dkr.ecr.eu-central-1.amazonaws.com"
    assert container()["Image"] == f"{registry}/team/rosetta-go@{GIVEN['ImageDigest']}"
    pattern = template()["Parameters"]["ImageDigest"]["AllowedPattern"]
    assert not re.search(pattern, "latest")


def test_the_code_has_the_rights_of_the_functions_on_the_buckets() -> None:
    given = {
        **{name: GIVEN[name] for name in ("SourceBucket", "DestinationBucket")},
        **{"SourcePrefix": "org/", "DestinationPrefix": "day/"},
        **{"SourceKmsKeyArn": KEY, "DestinationKmsKeyArn": KEY},
    }
    (policy,) = deployed_functions(**given)["FunctionRole"]["Policies"]
    theirs = {each["Sid"]: each for each in policy["PolicyDocument"]["Statement"]}
    ours = statements(deployed(**given)["TaskRole"])
    text = json.dumps({sid: theirs[sid] for sid in theirs.keys() - OF_LAMBDA}, sort_keys=True)
    assert json.dumps(ours, sort_keys=True) == text.replace("${AWS::Partition}", "aws")


def test_ecs_may_pull_the_one_image_and_write_the_one_log() -> None:
    rights = statements(deployed()["ExecutionRole"])
    assert {sid: (each["Action"], each["Resource"]) for sid, each in rights.items()} == {
        "LogInToRegistry": ("ecr:GetAuthorizationToken", "*"),
        "PullImage": (
            ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"],
            REPOSITORY,
        ),
        "WriteLogs": (["logs:CreateLogStream", "logs:PutLogEvents"], "${LogGroup.Arn}"),
    }


def test_every_role_is_bounded_and_trusts_a_service_of_this_account_only() -> None:
    boundary = "arn:aws:iam::111122223333:policy/company/boundary"
    made = deployed(Schedule="On", PermissionsBoundaryArn=boundary)
    roles = {name: each for name, each in made.items() if name.endswith("Role")}
    assert len(roles) == 4
    for role in roles.values():
        assert role["PermissionsBoundary"] == boundary
        (trust,) = role["AssumeRolePolicyDocument"]["Statement"]
        assert trust["Condition"]["StringEquals"] == {"aws:SourceAccount": "${AWS::AccountId}"}
    assert "PermissionsBoundary" not in deployed()["TaskRole"]


def test_the_state_machine_runs_the_family_s_newest_revision_and_may() -> None:
    """A day that is repeated after an update finds the older revision deregistered."""
    made = deployed()
    asked = definition()["Parameters"]
    assert asked["TaskDefinition"] == made["TaskDefinition"]["Family"]
    rights = statements(made["StateMachineRole"])
    assert rights["RunTask"]["Resource"].endswith(f":task-definition/{asked['TaskDefinition']}:*")
    roles = [made["TaskDefinition"][each] for each in ("ExecutionRoleArn", "TaskRoleArn")]
    assert rights["GiveRoles"]["Resource"] == roles
    assert template()["Resources"]["DayStateMachine"]["DependsOn"] == "TaskDefinition"


def test_an_execution_s_input_is_the_event_of_the_task() -> None:
    asked = definition()["Parameters"]
    (override,) = asked["Overrides"]["ContainerOverrides"]
    assert override == {
        "Name": container()["Name"],
        "Command.$": "States.Array(States.JsonToString($))",
    }
    network = asked["NetworkConfiguration"]["AwsvpcConfiguration"]
    assert network == {
        "Subnets": ["subnet-0a", "subnet-1b"],
        "SecurityGroups": ["sg-2c"],
        "AssignPublicIp": "DISABLED",
    }


@pytest.mark.parametrize("timeout", TIMEOUTS)
def test_the_last_task_begins_when_the_claim_of_any_killed_one_has_expired(timeout: int) -> None:
    """The pause before it is longer than the claim of the task before it, and so of all."""
    state = definition(TaskTimeout=timeout)
    assert state["TimeoutSeconds"] == timeout + 600
    (retry,) = state["Retry"]
    assert retry["ErrorEquals"] == ["States.ALL"]
    pauses = [
        retry["IntervalSeconds"] * retry["BackoffRate"] ** n for n in range(retry["MaxAttempts"])
    ]
    assert pauses[-1] > timeout + 60  # W11
    assert deployed(TaskTimeout=timeout)["SlowDayAlarm"]["Threshold"] == timeout * 1000 * 4 / 5


def test_the_schedule_begins_the_day_before_and_only_if_asked() -> None:
    made = deployed(Schedule="On")
    target = made["DailySchedule"]["Target"]
    assert target["Arn"] == "${DayStateMachine}"
    time = "<aws.scheduler.scheduled-time>"
    assert json.loads(target["Input"]) == {"source": "aws.scheduler", "time": time}  # T2
    assert target["DeadLetterConfig"]["Arn"] == "${ScheduleDeadLetterQueue.Arn}"
    default = template()["Parameters"]["ScheduleExpression"]["Default"]
    assert default == functions()["Parameters"]["ScheduleExpression"]["Default"]
    gone = made.keys() - deployed().keys()
    assert gone == {
        *("ScheduleGroup", "DailySchedule", "ScheduleRole", "NoDayAlarm", "ScheduleDroppedAlarm")
    }


def test_the_end_of_each_task_is_kept_and_a_bad_one_counted() -> None:
    made = deployed()
    pattern = made["EndsRule"]["EventPattern"]
    assert pattern["detail"] == {"clusterArn": ["${Cluster.Arn}"], "lastStatus": ["STOPPED"]}
    assert made["EndsLogGroup"]["LogGroupName"].startswith("/aws/events/")
    (metric,) = made["FailedTasksMetric"]["MetricTransformations"]
    alarm = made["FailedTaskAlarm"]
    assert (alarm["Namespace"], alarm["MetricName"]) == (
        metric["MetricNamespace"],
        metric["MetricName"],
    )


def test_an_attempt_that_makes_no_task_is_counted_too() -> None:
    """The dimension has the account and the region, which the state's own ARN leaves out."""
    alarm = deployed()["FailedAttemptAlarm"]
    (dimension,) = alarm["Dimensions"]
    place = "${AWS::Region}:${AWS::AccountId}"
    resource = definition()["Resource"].replace(":states:::", f":states:{place}:")
    assert resource == f"arn:aws:states:{place}:ecs:runTask.sync"
    assert dimension == {"Name": "ServiceIntegrationResourceArn", "Value": resource}
    assert (alarm["MetricName"], alarm["Statistic"]) == ("ServiceIntegrationsFailed", "Sum")


def test_silence_is_told_as_late_as_the_page_says() -> None:
    """A state machine at rest sends no metrics, so its last success is the last datum."""
    alarm = read_alarm("NoDayAlarm", deployed(Schedule="On")["NoDayAlarm"])
    last = datetime(2024, 2, 8, 2, 40, tzinfo=UTC)
    success, end = Sample(alarm.metric, last, 1, last), last + timedelta(days=3)
    hours = {}
    for beyond in (0, 2):
        found = evaluate([alarm], [success], last, end, before=State.OK, beyond=beyond)
        at = next(each.at for each in found if each.after is State.ALARM)
        hours[beyond] = (at - last) // timedelta(hours=1)
    text = f"for {hours[0]} to {hours[2]} hours"
    assert text in alarm.description
    assert text in (ROOT / "docs/tasks.md").read_text()


def test_the_page_names_the_exit_codes_of_too_little_memory() -> None:
    spec = (ROOT / "SPEC.md").read_text()
    codes = re.search(r"allocation that failed \(E10\), it is (\d+), in Go (\d+), and (\d+)", spec)
    assert codes
    other, go, v8 = codes.groups()
    row = f"exit code {other} (Java, Python), {go} (Go), {v8} (JavaScript) |"
    assert row in (ROOT / "docs/tasks.md").read_text()


def test_every_alarm_notifies_the_topic_of_its_begin_and_its_end() -> None:
    topic = "arn:aws:sns:eu-central-1:111122223333:operators"
    asked = deployed(Schedule="On", AlarmTopicArn=topic)
    plain = deployed(Schedule="On")
    alarms = {name for name in asked if name.endswith("Alarm")}
    assert len(alarms) == 7
    for name in alarms:
        assert asked[name]["AlarmActions"] == asked[name]["OKActions"] == [topic]
        assert "AlarmActions" not in plain[name]


def test_a_key_encrypts_both_logs() -> None:
    for name in ("LogGroup", "EndsLogGroup"):
        assert deployed(LogKmsKeyArn=KEY)[name]["KmsKeyId"] == KEY
        assert "KmsKeyId" not in deployed()[name]
