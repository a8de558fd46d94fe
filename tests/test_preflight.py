"""`preflight`: a template that breaks each rule, and templates that break none."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

import make_rules
import pytest
from test_container import GIVEN

from harness.cli import main
from harness.model import HarnessError, UsageError
from harness.preflight.check import RULES, faults_of, read_template
from harness.preflight.model import Fault
from harness.preflight.resolve import load_template, resolved
from harness.toolchain.paths import ROOT

CONTAINER = ROOT / "container.yaml"
SERVICE = Path(__file__).parent / "preflight/service.yaml"
GONE = object()
TASK = "Resources.TaskDefinition.Properties"
BOX = f"{TASK}.ContainerDefinitions.0"
NETWORK = "Resources.Service.Properties.NetworkConfiguration.AwsvpcConfiguration"
TO_GATEWAY = {
    "Type": "AWS::EC2::Route",
    "Properties": {
        "RouteTableId": {"Ref": "Table"},
        "DestinationCidrBlock": "0.0.0.0/0",
        "GatewayId": {"Ref": "Gateway"},
    },
}
NO_ENDPOINTS = {
    f"Resources.{name}Endpoint": GONE for name in ("S3", "EcrApi", "EcrDkr", "Logs", "Secrets")
}
PASSED = "Resources.StateMachineRole.Properties.Policies.0.PolicyDocument.Statement.3.Resource"
type Change = Mapping[str, object]
load = cache(load_template)


def changed(template: Mapping[str, Any], change: Change) -> dict[str, Any]:
    """The template with other values at some paths."""
    made = deepcopy(dict(template))
    for path, value in change.items():
        *way, last = path.split(".")
        node: Any = made
        for each in way:
            node = node[int(each)] if isinstance(node, list) else node[each]
        if value is GONE:
            del node[last]
        elif isinstance(node, list):
            node[int(last)] = value
        else:
            node[last] = value
    return made


def faults(folder: Path, base: Path, change: Change, **given: str) -> list[Fault]:
    path = folder / "template.json"
    path.write_text(json.dumps(changed(load(base), change), default=str))
    values = {**(GIVEN if base == CONTAINER else {}), **given}
    return faults_of(read_template(path, values))


@pytest.mark.parametrize("base", [CONTAINER, SERVICE, ROOT / "feed.yaml"], ids=lambda b: b.name)
def test_a_template_without_a_fault(base: Path, tmp_path: Path) -> None:
    assert faults(tmp_path, base, {}) == []


#: (rule, place, template, what is changed in it); each rule has one or more.
BROKEN: list[tuple[str, str, Path, Change]] = [
    (
        "no-way-to-registry",
        "Service.NetworkConfiguration.AwsvpcConfiguration",
        SERVICE,
        {"Resources.EcrDkrEndpoint": GONE},
    ),
    (
        "no-way-to-s3",
        "Service.NetworkConfiguration.AwsvpcConfiguration",
        SERVICE,
        {"Resources.S3Endpoint.Properties.RouteTableIds": []},
    ),
    (
        "no-way-to-logs",
        "Service.NetworkConfiguration.AwsvpcConfiguration",
        SERVICE,
        {"Resources.LogsEndpoint": GONE},
    ),
    (
        "no-way-to-secrets",
        "Service.NetworkConfiguration.AwsvpcConfiguration",
        SERVICE,
        {"Resources.SecretsEndpoint.Properties.VpcId": "vpc-0"},
    ),
    (
        "no-public-address",
        "Service.NetworkConfiguration.AwsvpcConfiguration.AssignPublicIp",
        SERVICE,
        {**NO_ENDPOINTS, "Resources.Route": TO_GATEWAY},
    ),
    (
        "endpoint-without-private-dns",
        "EcrApiEndpoint.PrivateDnsEnabled",
        SERVICE,
        {"Resources.EcrApiEndpoint.Properties.PrivateDnsEnabled": GONE},
    ),
    (
        "endpoint-closed",
        "LogsEndpoint.SecurityGroupIds",
        SERVICE,
        {"Resources.LogsEndpoint.Properties.SecurityGroupIds": [{"Ref": "TaskGroup"}]},
    ),
    (
        "no-https-out",
        "Service.NetworkConfiguration.AwsvpcConfiguration",
        SERVICE,
        {
            "Resources.TaskGroup.Properties.SecurityGroupEgress.0.ToPort": 443,
            "Resources.TaskGroup.Properties.SecurityGroupEgress.0.FromPort": 443,
            "Resources.TaskGroup.Properties.SecurityGroupEgress.0.IpProtocol": "udp",
        },
    ),
    (
        "no-execution-role",
        "TaskDefinition.ExecutionRoleArn",
        SERVICE,
        {f"{TASK}.ExecutionRoleArn": GONE},
    ),
    (
        "role-without-trust",
        "TaskRole.AssumeRolePolicyDocument",
        CONTAINER,
        {
            "Resources.TaskRole.Properties.AssumeRolePolicyDocument.Statement.0.Principal": {
                "Service": "ecs.amazonaws.com"
            }
        },
    ),
    (
        "no-right-to-pull",
        "ExecutionRole.Policies",
        CONTAINER,
        {
            "Resources.ExecutionRole.Properties.Policies.0.PolicyDocument.Statement.1.Resource": (
                "arn:aws:ecr:eu-central-1:111122223333:repository/another"
            )
        },
    ),
    (
        "no-right-to-log",
        "ExecutionRole.Policies",
        CONTAINER,
        {
            "Resources.ExecutionRole.Properties.Policies.0.PolicyDocument.Statement.2.Resource": {
                "Fn::GetAtt": ["EndsLogGroup", "Arn"]
            }
        },
    ),
    ("no-right-to-secret", "ExecutionRole.Policies", SERVICE, {"Resources.ReadPassword": GONE}),
    (
        "rights-of-the-code-on-the-execution-role",
        "ExecutionRole.Policies",
        CONTAINER,
        {
            f"{TASK}.TaskRoleArn": GONE,
            "Resources.ExecutionRole.Properties.Policies.0.PolicyDocument.Statement.0": {
                "Effect": "Allow",
                "Action": ["ecr:GetAuthorizationToken", "s3:PutObject"],
                "Resource": "*",
            },
        },
    ),
    (
        "no-right-to-pass-role",
        "StateMachineRole.Policies",
        CONTAINER,
        {
            PASSED: {"Fn::GetAtt": ["TaskRole", "Arn"]},
        },
    ),
    (
        "no-log-group",
        "TaskDefinition.ContainerDefinitions[0].LogConfiguration.Options.awslogs-group",
        SERVICE,
        {f"{BOX}.LogConfiguration.Options.awslogs-group": "/ecs/wbe"},
    ),
    (
        "no-right-to-make-log-group",
        "ExecutionRole.Policies",
        SERVICE,
        {f"{BOX}.LogConfiguration.Options.awslogs-create-group": "true"},
    ),
    (
        "no-log",
        "TaskDefinition.ContainerDefinitions[0].LogConfiguration",
        SERVICE,
        {f"{BOX}.LogConfiguration": GONE},
    ),
    (
        "tag-that-can-move",
        "TaskDefinition.ContainerDefinitions[0].Image",
        SERVICE,
        {"Resources.Repository.Properties.ImageTagMutability": GONE},
    ),
    ("no-such-size", "TaskDefinition.Memory", CONTAINER, {"Parameters.Memory.Default": 1024}),
    ("no-size", "TaskDefinition.Cpu", SERVICE, {f"{TASK}.Cpu": GONE}),
    (
        "container-above-task",
        "TaskDefinition.ContainerDefinitions[0].Memory",
        CONTAINER,
        {f"{BOX}.Memory": 4096},
    ),
    ("no-awsvpc", "TaskDefinition.NetworkMode", CONTAINER, {f"{TASK}.NetworkMode": "bridge"}),
    (
        "no-circuit-breaker",
        "Service.DeploymentConfiguration.DeploymentCircuitBreaker",
        SERVICE,
        {"Resources.Service.Properties.DeploymentConfiguration": GONE},
    ),
    (
        "no-grace-period",
        "Service.HealthCheckGracePeriodSeconds",
        SERVICE,
        {"Resources.Service.Properties.HealthCheckGracePeriodSeconds": GONE},
    ),
    (
        "no-start-period",
        "TaskDefinition.ContainerDefinitions[0].HealthCheck.StartPeriod",
        SERVICE,
        {f"{BOX}.HealthCheck.StartPeriod": GONE},
    ),
    (
        "target-group-of-instances",
        "TargetGroup.TargetType",
        SERVICE,
        {"Resources.TargetGroup.Properties.TargetType": GONE},
    ),
    (
        "no-network-configuration",
        "Service.NetworkConfiguration",
        SERVICE,
        {"Resources.Service.Properties.NetworkConfiguration": GONE},
    ),
    (
        "stop-timeout-too-long",
        "TaskDefinition.ContainerDefinitions[0].StopTimeout",
        CONTAINER,
        {f"{BOX}.StopTimeout": 300},
    ),
    (
        "secret-in-plain-text",
        "TaskDefinition.ContainerDefinitions[0].Environment[0]",
        SERVICE,
        {f"{BOX}.Environment.0": {"Name": "DB_PASSWORD", "Value": {"Ref": "DatabasePassword"}}},
    ),
]
#: Rules that need to look into the image.
BY_IMAGE = {"no-image", "wrong-architecture"}


def test_each_rule_has_a_template_that_breaks_it() -> None:
    names = [rule.name for rules in RULES.values() for rule in rules]
    assert len(set(names)) == len(names)
    assert {name for name, *_ in BROKEN} == set(names) - BY_IMAGE


@pytest.mark.parametrize(("name", "place", "base", "change"), BROKEN, ids=[b[0] for b in BROKEN])
def test_a_broken_template_has_this_fault_only(
    name: str, place: str, base: Path, change: Change, tmp_path: Path
) -> None:
    found = faults(tmp_path, base, change)
    assert [(each.rule.name, each.place) for each in found] == [(name, place)], found
    assert found[0].detail


#: What looks broken at first, and is not.
WHOLE: dict[str, Change] = {
    "a NAT gateway in place of the endpoints": {
        **NO_ENDPOINTS,
        "Resources.Route": changed(
            TO_GATEWAY, {"Properties.GatewayId": GONE, "Properties.NatGatewayId": {"Ref": "Nat"}}
        ),
    },
    "a public address in place of the endpoints": {
        **NO_ENDPOINTS,
        "Resources.Route": TO_GATEWAY,
        f"{NETWORK}.AssignPublicIp": "ENABLED",
    },
    "subnets that are made elsewhere": {**NO_ENDPOINTS, f"{NETWORK}.Subnets": ["subnet-0a"]},
    "a policy that is made elsewhere": {
        "Resources.ReadPassword": GONE,
        "Resources.ExecutionRole.Properties.ManagedPolicyArns": [
            "arn:aws:iam::111122223333:policy/start"
        ],
    },
    "an endpoint open for the group of the task": {
        "Resources.EndpointGroup.Properties.SecurityGroupIngress": [
            {"IpProtocol": "-1", "SourceSecurityGroupId": {"Ref": "TaskGroup"}}
        ]
    },
    "a role that is made elsewhere": {f"{TASK}.ExecutionRoleArn": "arn:aws:iam::1:role/x"},
    "the deployments of CodeDeploy": {
        "Resources.Service.Properties.DeploymentConfiguration": GONE,
        "Resources.Service.Properties.DeploymentController": {"Type": "CODE_DEPLOY"},
    },
}


@pytest.mark.parametrize("what", WHOLE)
def test_no_fault_where_there_is_none(what: str, tmp_path: Path) -> None:
    assert faults(tmp_path, SERVICE, WHOLE[what]) == []


# ---- the image in a folder ----


def write_layout(folder: Path, architecture: str, with_index: bool) -> str:
    """An OCI layout of one image, without layers; its digest."""
    blobs = folder / "blobs/sha256"
    blobs.mkdir(parents=True)

    def put(value: Mapping[str, object]) -> str:
        text = json.dumps(value)
        digest = hashlib.sha256(text.encode()).hexdigest()
        (blobs / digest).write_text(text)
        return f"sha256:{digest}"

    config = put({"os": "linux", "architecture": architecture})
    named = put({"config": {"digest": config}, "layers": []})
    if with_index:
        named = put({"manifests": [{"digest": named}]})
    (folder / "index.json").write_text(json.dumps({"manifests": [{"digest": named}]}))
    return named


@pytest.mark.parametrize("with_index", [False, True])
@pytest.mark.parametrize(("architecture", "wrong"), [("arm64", False), ("amd64", True)])
def test_an_image_of_another_architecture(
    architecture: str, wrong: bool, with_index: bool, tmp_path: Path
) -> None:
    digest = write_layout(tmp_path, architecture, with_index)
    deployment = read_template(CONTAINER, {**GIVEN, "ImageDigest": digest}, tmp_path)
    found = [(each.rule.name, each.place) for each in faults_of(deployment)]
    place = "TaskDefinition.ContainerDefinitions[0].Image"
    assert found == ([("wrong-architecture", place)] if wrong else [])


def test_an_image_for_two_architectures_is_an_index_or_two(tmp_path: Path) -> None:
    digests = [write_layout(tmp_path / each, each, False) for each in ("amd64", "arm64")]
    both = tmp_path / "both"
    (both / "blobs").mkdir(parents=True)
    for each in ("amd64", "arm64"):
        shutil.copytree(tmp_path / each / "blobs", both / "blobs", dirs_exist_ok=True)
    index = json.dumps({"manifests": [{"digest": each} for each in digests]}).encode()
    (both / "index.json").write_bytes(index)
    whole = f"sha256:{hashlib.sha256(index).hexdigest()}"
    found = {
        digest: [
            each.rule.name
            for each in faults_of(read_template(CONTAINER, {**GIVEN, "ImageDigest": digest}, both))
        ]
        for digest in (whole, *digests)
    }
    assert found == {whole: [], digests[0]: ["wrong-architecture"], digests[1]: []}


def test_an_image_that_no_container_names_is_refused(tmp_path: Path) -> None:
    write_layout(tmp_path, "arm64", False)
    with pytest.raises(UsageError, match="no container has this image"):
        read_template(CONTAINER, GIVEN, tmp_path)


def test_an_image_that_is_damaged_is_refused(tmp_path: Path) -> None:
    digest = write_layout(tmp_path, "arm64", False)
    blob = tmp_path / "blobs/sha256" / digest.removeprefix("sha256:")
    blob.write_bytes(blob.read_bytes() + b" ")
    with pytest.raises(HarnessError, match="has another hash than its name"):
        read_template(CONTAINER, {**GIVEN, "ImageDigest": digest}, tmp_path)


def test_a_folder_without_an_image_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is no OCI layout: No such file"):
        read_template(CONTAINER, GIVEN, tmp_path)


# ---- templates as data ----


def test_functions_and_conditions_are_evaluated() -> None:
    template = {
        "Parameters": {
            "Stage": {"Type": "String", "Default": "test"},
            "Names": {"Type": "CommaDelimitedList", "Default": "a, b"},
            "Key": {"Type": "String"},
        },
        "Mappings": {"Sizes": {"test": {"Cpu": 256}}},
        "Conditions": {
            "IsTest": {"Fn::Equals": [{"Ref": "Stage"}, "test"]},
            "Never": {"Fn::And": [{"Condition": "IsTest"}, {"Fn::Not": [{"Condition": "IsTest"}]}]},
        },
        "Resources": {
            "Gone": {"Type": "A", "Condition": "Never"},
            "Kept": {
                "Type": "A",
                "Properties": {
                    "Cpu": {"Fn::FindInMap": ["Sizes", {"Ref": "Stage"}, "Cpu"]},
                    "Second": {"Fn::Select": [1, {"Ref": "Names"}]},
                    "Text": {"Fn::Sub": ["${Stage}-${x}-${AWS::Region}-${!y}", {"x": 1}]},
                    "Part": {"Fn::Select": [1, {"Fn::Split": [":", "a:b"]}]},
                    "Unknown": {"Fn::Select": [1, {"Fn::Split": [":", {"Ref": "Key"}]}]},
                    "Attribute": {"Fn::GetAtt": ["Other", "Arn"]},
                    "Absent": {"Fn::If": ["Never", 1, {"Ref": "AWS::NoValue"}]},
                    "Joined": {"Fn::Join": ["/", {"Ref": "Names"}]},
                },
            },
        },
    }
    found = resolved(template, {})
    assert found == {
        "Kept": {
            "Type": "A",
            "Properties": {
                "Cpu": 256,
                "Second": "b",
                "Text": "test-1-${AWS::Region}-${y}",
                "Part": "b",
                "Unknown": "${Key[1]}",
                "Attribute": "${Other.Arn}",
                "Joined": "a/b",
            },
        }
    }
    with pytest.raises(UsageError, match="no parameter Other: it has Stage, Names, Key"):
        resolved(template, {"Other": "x"})


@pytest.mark.parametrize("text", ["Resources: [1]", "just text", "Resources: {"])
def test_a_file_that_is_no_template_is_named(text: str, tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_text(text)
    with pytest.raises(UsageError, match=r"x\.yaml is not a template"):
        load_template(path)


# ---- the page, the command ----


def test_the_page_has_the_rules() -> None:
    """`python -m tests.make_rules` in `.venv` writes them anew."""
    assert make_rules.PAGE.read_text() == make_rules.page()


def test_the_command_tells_place_error_and_remedy(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    export = tmp_path / "faults.json"
    words = ["preflight", "--template", str(CONTAINER), "--parameters"]
    words += [f"{name}={value}" for name, value in GIVEN.items()]
    assert main([*words, "--export-json", str(export)]) == 0
    assert "no fault" in capsys.readouterr().out
    assert json.loads(export.read_text())["faults"] == []
    assert main([*words, "Memory=1024", "--export-json", str(export)]) == 1
    told = " ".join(capsys.readouterr().out.split())
    assert "no-such-size TaskDefinition.Memory: 1024 CPU, 1024 memory" in told
    assert "No Fargate configuration exists for given values" in told
    (fault,) = json.loads(export.read_text())["faults"]
    assert (fault["rule"], fault["place"]) == ("no-such-size", "TaskDefinition.Memory")
    assert fault["sources"]


def test_the_export_does_not_replace_the_template(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    template = tmp_path / "container.yaml"
    template.write_text(CONTAINER.read_text())
    assert main(["preflight", "--template", str(template), "--export-json", str(template)]) == 2
    assert "would replace the input" in capsys.readouterr().err
    assert template.read_text() == CONTAINER.read_text()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--parameters", "Memory"], "Memory is not of the form NAME=VALUE"),
        (["--parameters", "Other=1"], "the template has no parameter Other"),
        (["--region", "eu-central-1"], "--region is that of a stack"),
        (["--export-json", "/no/such/folder/file"], "can't be written"),
        (["--stack", "x", "--parameters", "Memory=1"], "--parameters"),
        (["--stack", "x", "--image", "y"], "--image"),
        (["--stack", "x", "--template", "y"], "--template"),
        (["--template", "/nowhere/x.yaml"], "/nowhere/x.yaml can't be read: No such file"),
        (["--export-json", "/nowhere/faults.json"], "/nowhere/faults.json can't be written"),
    ],
)
def test_arguments_that_contradict_each_other_are_refused(
    words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["preflight", *words]) == 2
    assert message in capsys.readouterr().err
