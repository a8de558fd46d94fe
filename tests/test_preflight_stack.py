"""`preflight --stack`: what AWS tells of a stack, and the faults of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pytest
import requests
from fake_aws import Refused
from fake_ecs import (
    CLUSTER,
    IMAGE,
    LOG_GROUP,
    MACHINE,
    REPOSITORY,
    SERVICE,
    TASK,
    FakeEcs,
    allow,
    role_arn,
)

from harness.cli import main
from harness.model import HarnessError
from harness.preflight.check import faults_of
from harness.preflight.stack import read_deployment


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> FakeEcs:
    made = FakeEcs()
    monkeypatch.setattr("harness.preflight.stack.open_services", made.services)
    monkeypatch.setattr("harness.preflight.stack._fetched", made.fetched)
    return made


def faults() -> list[tuple[str, str]]:
    found = faults_of(read_deployment("tasks", None))
    return [(each.rule.name, each.place) for each in found]


def test_a_stack_without_a_fault_is_only_read(aws: FakeEcs) -> None:
    assert faults() == []
    asked = {name for name, _ in aws.done}
    assert {name for name in asked if not name.startswith(("Describe", "Get", "List"))} == {
        "BatchGetImage"
    }


def no_route(aws: FakeEcs) -> None:
    aws.routes.clear()


def a_dead_route(aws: FakeEcs) -> None:
    aws.routes[0]["State"] = "blackhole"


def an_internet_gateway(aws: FakeEcs) -> None:
    aws.routes[0] = {"DestinationCidrBlock": "0.0.0.0/0", "GatewayId": "igw-0", "State": "active"}


def endpoints_without_logs(aws: FakeEcs) -> None:
    aws.routes.clear()
    for each in ("ecr.api", "ecr.dkr"):
        aws.add_endpoint(each)
    aws.add_endpoint("s3", VpcEndpointType="Gateway", RouteTableIds=["rtb-0"], Groups=[])


def an_endpoint_without_dns(aws: FakeEcs) -> None:
    endpoints_without_logs(aws)
    aws.add_endpoint("logs", PrivateDnsEnabled=False)


def https_stays_in(aws: FakeEcs) -> None:
    aws.egress = [{"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "IpRanges": []}]


def no_log_group(aws: FakeEcs) -> None:
    aws.groups.remove("/ecs/tasks")


def no_image(aws: FakeEcs) -> None:
    aws.manifests.clear()


def no_repository(aws: FakeEcs) -> None:
    aws.refuse["BatchGetImage"] = Refused("RepositoryNotFoundException")


def another_architecture(aws: FakeEcs) -> None:
    aws.architecture = "amd64"


def an_index_of_another_architecture(aws: FakeEcs) -> None:
    platform = {"os": "linux", "architecture": "amd64"}
    (digest,) = aws.manifests
    aws.manifests[digest] = {"manifests": [{"platform": platform}]}


def a_tag(aws: FakeEcs) -> None:
    aws.task["containerDefinitions"][0]["image"] = IMAGE.partition("@")[0] + ":latest"


def no_right_to_pull(aws: FakeEcs) -> None:
    aws.managed = allow(["logs:*"], "*")


def no_right_to_log(aws: FakeEcs) -> None:
    aws.managed = allow(["ecr:*"], "*")


def no_trust(aws: FakeEcs) -> None:
    aws.trust["Statement"][0]["Principal"] = {"Service": "lambda.amazonaws.com"}
    aws.task["taskRoleArn"] = aws.task["executionRoleArn"]


def no_right_to_pass(aws: FakeEcs) -> None:
    aws.rights["machine"] = allow(["iam:PassRole"], role_arn("start"))


def a_service(aws: FakeEcs) -> None:
    aws.members.append(("AWS::ECS::Service", SERVICE))
    aws.service = {
        "serviceArn": SERVICE,
        "taskDefinition": TASK,
        "healthCheckGracePeriodSeconds": 0,
        "loadBalancers": [{"containerName": "task", "containerPort": 80}],
        "deploymentConfiguration": {"deploymentCircuitBreaker": {"enable": True, "rollback": True}},
        "networkConfiguration": {
            "awsvpcConfiguration": {"subnets": ["subnet-1"], "securityGroups": ["sg-0"]}
        },
    }


def by_event(role: str) -> dict[str, Any]:
    """The target of a schedule or of a rule that runs the task in a subnet."""
    network = {"Subnets": ["subnet-0"], "SecurityGroups": ["sg-0"], "AssignPublicIp": "DISABLED"}
    return {
        "Arn": CLUSTER,
        "RoleArn": role_arn(role),
        "EcsParameters": {
            "TaskDefinitionArn": TASK,
            "LaunchType": "FARGATE",
            "NetworkConfiguration": {"awsvpcConfiguration": network},
        },
    }


def a_schedule(aws: FakeEcs) -> None:
    aws.members[1] = ("AWS::Scheduler::Schedule", "nightly")
    aws.schedules = {
        ("tasks", "nightly"): by_event("machine"),
        ("default", "nightly-of-others"): by_event("gone"),
    }


def a_schedule_without_a_way_or_a_right(aws: FakeEcs) -> None:
    a_schedule(aws)
    no_route(aws)
    no_right_to_pass(aws)


def a_rule(aws: FakeEcs) -> None:
    aws.members[1] = ("AWS::Events::Rule", "bus|hourly")
    log = {"Id": "log", "Arn": LOG_GROUP}
    aws.rules["bus", "hourly"] = [log, {"Id": "task", **by_event("machine")}]


def a_rule_without_a_way_or_a_right(aws: FakeEcs) -> None:
    a_rule(aws)
    no_route(aws)
    no_right_to_pass(aws)


def no_way(network: str) -> set[tuple[str, str]]:
    return {(f"no-way-to-{each}", network) for each in ("registry", "s3", "logs")}


MAY_NOT_PASS = ("no-right-to-pass-role", f"{role_arn('machine')}.Policies")
BY_EVENT = "EcsParameters.NetworkConfiguration.AwsvpcConfiguration"
DAY = f"{MACHINE}.DefinitionString.States.RunDay.Parameters.NetworkConfiguration"
NETWORK = f"{DAY}.AwsvpcConfiguration"
BOX = f"{TASK}.ContainerDefinitions[0]"


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (no_route, no_way(NETWORK)),
        (a_dead_route, no_way(NETWORK)),
        (an_internet_gateway, {("no-public-address", f"{NETWORK}.AssignPublicIp")}),
        (endpoints_without_logs, {("no-way-to-logs", NETWORK)}),
        (
            an_endpoint_without_dns,
            {("endpoint-without-private-dns", "vpce-logs.PrivateDnsEnabled")},
        ),
        (https_stays_in, {("no-https-out", NETWORK)}),
        (no_log_group, {("no-log-group", f"{BOX}.LogConfiguration.Options.awslogs-group")}),
        (no_image, {("no-image", f"{BOX}.Image")}),
        (no_repository, {("no-image", f"{BOX}.Image")}),
        (another_architecture, {("wrong-architecture", f"{BOX}.Image")}),
        (an_index_of_another_architecture, {("wrong-architecture", f"{BOX}.Image")}),
        (a_tag, {("tag-that-can-move", f"{BOX}.Image")}),
        (no_right_to_pull, {("no-right-to-pull", f"{role_arn('start')}.Policies")}),
        (no_right_to_log, {("no-right-to-log", f"{role_arn('start')}.Policies")}),
        (
            no_trust,
            {("role-without-trust", f"{role_arn('start')}.AssumeRolePolicyDocument")},
        ),
        (no_right_to_pass, {MAY_NOT_PASS}),
        (a_schedule, set()),
        (
            a_schedule_without_a_way_or_a_right,
            {*no_way(f"nightly.Target.{BY_EVENT}"), MAY_NOT_PASS},
        ),
        (a_rule, set()),
        (
            a_rule_without_a_way_or_a_right,
            {*no_way(f"bus|hourly.Targets[1].{BY_EVENT}"), MAY_NOT_PASS},
        ),
        (a_service, {("no-grace-period", f"{SERVICE}.HealthCheckGracePeriodSeconds")}),
    ],
    ids=lambda each: each.__name__.replace("_", "-") if callable(each) else "",
)
def test_a_stack_with_a_fault(
    aws: FakeEcs, change: Callable[[FakeEcs], None], expected: set[tuple[str, str]]
) -> None:
    change(aws)
    assert set(faults()) == expected


def test_an_immutable_tag_is_no_fault(aws: FakeEcs) -> None:
    a_tag(aws)
    aws.mutability = "IMMUTABLE"
    assert faults() == []


def test_an_image_that_may_not_be_read_is_told(aws: FakeEcs) -> None:
    aws.refuse["BatchGetImage"] = Refused("AccessDeniedException")
    deployment = read_deployment("tasks", None)
    assert faults_of(deployment) == []
    assert list(deployment.unknown) == [f"the image {IMAGE} (AccessDeniedException)"]


def test_a_layer_that_can_not_be_read_is_told(
    aws: FakeEcs, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(_: str) -> dict[str, str]:
        raise requests.ConnectionError

    monkeypatch.setattr("harness.preflight.stack._fetched", refused)
    deployment = read_deployment("tasks", None)
    assert faults_of(deployment) == []
    assert list(deployment.unknown) == [f"the image {IMAGE} (ConnectionError)"]


def test_an_image_is_looked_for_in_the_region_of_its_registry(
    aws: FakeEcs, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def services(region: str | None, names: Iterable[str]) -> dict[str, Any]:
        asked.append(region)
        return aws.services(region, names)

    monkeypatch.setattr("harness.preflight.stack.open_services", services)
    read_deployment("tasks", None)
    aws.task["containerDefinitions"][0]["image"] = IMAGE.replace("eu-central-1", "us-east-1")
    read_deployment("tasks", None)
    assert asked == [None, None, "us-east-1"]


def test_the_rights_on_a_repository_and_on_log_streams_are_enough(aws: FakeEcs) -> None:
    aws.task["containerDefinitions"][0]["image"] = IMAGE.replace(
        ".dkr.ecr.eu-central-1.amazonaws.com", ".dkr-ecr.eu-central-1.on.aws"
    )
    statements = [
        *allow(["ecr:GetAuthorizationToken"], "*")["Statement"],
        *allow(["ecr:Batch*", "ecr:GetDownloadUrlForLayer"], REPOSITORY)["Statement"],
        *allow(["logs:*"], LOG_GROUP.replace(":*", ":log-stream:task/*"))["Statement"],
    ]
    aws.managed = {"Statement": statements}
    assert faults() == []
    statements[1]["Resource"] = REPOSITORY + "-of-others"
    assert faults() == [("no-right-to-pull", f"{role_arn('start')}.Policies")]


def test_what_was_never_made_or_is_deleted_is_not_read(aws: FakeEcs) -> None:
    aws.members += [("AWS::ECS::Service", None), ("AWS::ECS::TaskDefinition", "gone")]
    aws.states["gone"] = "DELETE_COMPLETE"
    assert faults() == []


def test_a_role_that_is_deleted_is_a_fault(aws: FakeEcs) -> None:
    aws.refuse["GetRole"] = Refused("NoSuchEntity")
    names = ("ExecutionRoleArn", "TaskRoleArn")
    assert faults() == [("role-without-trust", f"{TASK}.{each}") for each in names]


def test_a_missing_right_of_the_reader_is_named(aws: FakeEcs) -> None:
    aws.refuse["DescribeStateMachine"] = Refused("AccessDeniedException")
    with pytest.raises(HarnessError, match="give yourself states:DescribeStateMachine"):
        read_deployment("tasks", None)


def test_a_task_that_nothing_in_the_stack_runs_is_told(aws: FakeEcs) -> None:
    del aws.members[1]
    deployment = read_deployment("tasks", None)
    assert faults_of(deployment) == []
    assert list(deployment.unknown) == [f"the network of {TASK}, which nothing here runs"]


def test_a_schedule_whose_group_is_not_known_is_told(aws: FakeEcs) -> None:
    a_schedule(aws)
    aws.schedules["default", "nightly"] = by_event("machine")
    deployment = read_deployment("tasks", None)
    assert faults_of(deployment) == []
    assert next(iter(deployment.unknown)) == "the schedule nightly, which is in several groups"


def test_a_stack_without_tasks_is_named(aws: FakeEcs) -> None:
    aws.members = [("AWS::SQS::Queue", "dead")]
    with pytest.raises(HarnessError, match="no task definition of ECS"):
        read_deployment("tasks", None)


def test_the_command_reads_the_stack(aws: FakeEcs, capsys: pytest.CaptureFixture[str]) -> None:
    no_image(aws)
    assert main(["preflight", "--stack", "tasks"]) == 1
    assert "stack tasks: 1 fault" in capsys.readouterr().out
