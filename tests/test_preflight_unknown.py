"""`preflight` and templates of others: what is not known is told, is no fault, and breaks nothing.

The templates of test_preflight.py are changed here to what works in another way.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from test_container import GIVEN
from test_preflight import (
    BOX,
    CONTAINER,
    GONE,
    NETWORK,
    NO_ENDPOINTS,
    PASSED,
    SERVICE,
    TASK,
    TO_GATEWAY,
    Change,
    changed,
    load,
    write_layout,
)

from harness.cli import main
from harness.model import UsageError
from harness.preflight.check import deployed, faults_of, read_template

REF: dict[str, Any] = {"Ref": "Given"}
GIVEN_PARAMETER = {"Parameters.Given": {"Type": "String"}}
REGISTRY = "${AWS::AccountId}.dkr.ecr.${AWS::Region}.amazonaws.com"
INGRESS = "Resources.EndpointGroup.Properties.SecurityGroupIngress"
TRUST = "Resources.ExecutionRole.Properties.AssumeRolePolicyDocument"
TRUSTING = {"Effect": "Allow", "Principal": {"Service": "ecs-tasks.amazonaws.com"}}
LOG: dict[str, Any] = {"LogDriver": "awslogs", "Options": {"awslogs-group": {"Ref": "Logs"}}}


def judged(base: Path, change: Change, given: Mapping[str, str]) -> tuple[set[str], list[str]]:
    """The rules that a template breaks, and what is not known of it."""
    deployment = deployed(changed(load(base), change), given)
    found = {each.rule.name for each in faults_of(deployment)}
    return found, list(deployment.unknown)


def rule_of_events(task: str) -> Change:
    """A rule that runs a task, and its role without a right."""
    network = {"AwsVpcConfiguration": {"Subnets": [{"Ref": "Subnet"}]}}
    ecs = {"TaskDefinitionArn": task, "LaunchType": "FARGATE", "NetworkConfiguration": network}
    role = {"Fn::GetAtt": ["Caller", "Arn"]}
    return {
        f"{TASK}.Family": "web",
        "Resources.Caller": {"Type": "AWS::IAM::Role", "Properties": {}},
        "Resources.Rule": {
            "Type": "AWS::Events::Rule",
            "Properties": {"Targets": [{"RoleArn": role, "EcsParameters": ecs}]},
        },
    }


#: Changes of the service -> the rules that it then breaks.
CASES: dict[str, tuple[Change, set[str]]] = {
    "roles of a nested stack": (
        {
            f"{TASK}.ExecutionRoleArn": {"Fn::GetAtt": ["Roles", "Outputs.Exec"]},
            "Resources.Roles": {"Type": "AWS::CloudFormation::Stack", "Properties": {}},
        },
        set(),
    ),
    "a log group of a nested stack": (
        {
            f"{BOX}.LogConfiguration.Options.awslogs-group": {
                "Fn::GetAtt": ["Nested", "Outputs.Group"]
            },
            "Resources.Nested": {"Type": "AWS::CloudFormation::Stack", "Properties": {}},
        },
        set(),
    ),
    "a VPC that is a parameter": (
        {
            **NO_ENDPOINTS,
            **GIVEN_PARAMETER,
            "Resources.Subnet.Properties.VpcId": REF,
            "Resources.TableOfSubnet": GONE,
        },
        set(),
    ),
    "a VPC that is a parameter, with its own way to the internet gateway": (
        {
            **NO_ENDPOINTS,
            **GIVEN_PARAMETER,
            "Resources.Subnet.Properties.VpcId": REF,
            "Resources.Route": TO_GATEWAY,
        },
        set(),
    ),
    "a route table that is a parameter": (
        {
            **NO_ENDPOINTS,
            **GIVEN_PARAMETER,
            "Resources.TableOfSubnet.Properties.RouteTableId": REF,
        },
        set(),
    ),
    "a service on instances": (
        {
            **NO_ENDPOINTS,
            "Resources.Route": TO_GATEWAY,
            f"{TASK}.RequiresCompatibilities": ["EC2", "FARGATE"],
            "Resources.Service.Properties.LaunchType": "EC2",
        },
        set(),
    ),
    "a service on Fargate by a capacity provider": (
        {
            **NO_ENDPOINTS,
            "Resources.Route": TO_GATEWAY,
            f"{TASK}.RequiresCompatibilities": GONE,
            "Resources.Service.Properties.LaunchType": GONE,
            "Resources.Service.Properties.CapacityProviderStrategy": [
                {"CapacityProvider": "FARGATE_SPOT"}
            ],
        },
        {"no-public-address"},
    ),
    "a route to the internet gateway in one of two cases": (
        {
            **NO_ENDPOINTS,
            **GIVEN_PARAMETER,
            "Conditions": {"Public": {"Fn::Equals": [REF, "yes"]}},
            "Resources.Route": {**TO_GATEWAY, "Condition": "Public"},
            "Resources.Other": changed(
                TO_GATEWAY, {"Properties.GatewayId": GONE, "Properties.NatGatewayId": "nat-0"}
            ),
        },
        set(),
    ),
    "the ARN of a secret": (
        {f"{BOX}.Environment.0": {"Name": "DB_SECRET_ARN", "Value": "db-AbCdEf"}},
        set(),
    ),
    "the address of a token": (
        {f"{BOX}.Environment.0": {"Name": "TOKEN_URL", "Value": "https://x.invalid"}},
        set(),
    ),
    "a reference to a secret": (
        {f"{BOX}.Environment.0": {"Name": "DB_SECRET", "Value": {"Ref": "Password"}}},
        set(),
    ),
    "a password without a word boundary": (
        {f"{BOX}.Environment.0": {"Name": "DBPASSWORD", "Value": "hunter2"}},
        {"secret-in-plain-text"},
    ),
    "a password by its short name": (
        {f"{BOX}.Environment.0": {"Name": "DB_PASS", "Value": "hunter2"}},
        {"secret-in-plain-text"},
    ),
    "the attribute of a VPC in place of its reference": (
        {"Resources.LogsEndpoint.Properties.VpcId": {"Fn::GetAtt": ["Vpc", "VpcId"]}},
        set(),
    ),
    "an endpoint that is open to a prefix list": (
        {
            INGRESS: [
                {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "SourcePrefixListId": "pl-0"}
            ]
        },
        set(),
    ),
    "an endpoint that is open to an address in a block": (
        {f"{INGRESS}.0.CidrIp": "10.0.0.1/16"},
        set(),
    ),
    "an endpoint that is open to another block": (
        {f"{INGRESS}.0.CidrIp": "10.9.0.1/16"},
        {"endpoint-closed"},
    ),
    "a subnet whose block is not known": (
        {"Resources.Subnet.Properties.CidrBlock": GONE},
        set(),
    ),
    "a rule that runs a task of elsewhere": (rule_of_events("other:3"), set()),
    "a rule that runs a revision": (rule_of_events("web:3"), {"no-right-to-pass-role"}),
    "a repository by its reference": (
        {f"{BOX}.Image": {"Fn::Sub": f"{REGISTRY}/${{Repository}}:v1"}},
        set(),
    ),
    "a digest that is a parameter": (
        {**GIVEN_PARAMETER, f"{BOX}.Image": {"Fn::Sub": f"{REGISTRY}/other@${{Given}}"}},
        set(),
    ),
    "a tag that is a parameter": (
        {**GIVEN_PARAMETER, f"{BOX}.Image": {"Fn::Sub": f"{REGISTRY}/other:${{Given}}"}},
        {"tag-that-can-move"},
    ),
    "an image that is a parameter": ({**GIVEN_PARAMETER, f"{BOX}.Image": REF}, set()),
    "a task definition that does not name Fargate": (
        {
            f"{TASK}.RequiresCompatibilities": GONE,
            f"{TASK}.ExecutionRoleArn": GONE,
            f"{TASK}.Cpu": GONE,
            f"{TASK}.NetworkMode": GONE,
        },
        {"no-execution-role", "no-size", "no-awsvpc"},
    ),
    "a network mode that is a parameter": (
        {**GIVEN_PARAMETER, f"{TASK}.NetworkMode": REF},
        set(),
    ),
    "a policy for a role by its name": (
        {
            "Resources.ExecutionRole.Properties.RoleName": "web",
            "Resources.ReadPassword.Properties.Roles": ["web"],
        },
        set(),
    ),
    "a denial of what is not known": (
        {
            **GIVEN_PARAMETER,
            "Resources.ReadPassword.Properties.PolicyDocument.Statement": [
                {"Effect": "Allow", "Action": "secretsmanager:*", "Resource": "*"},
                {"Effect": "Deny", "Action": "secretsmanager:*", "Resource": REF},
            ],
        },
        set(),
    ),
    "policies as JSON": (
        {
            TRUST: json.dumps({"Statement": [TRUSTING]}),
            "Resources.TaskRole.Properties.AssumeRolePolicyDocument": json.dumps(
                {"Statement": [{**TRUSTING, "Principal": {"Service": "lambda.amazonaws.com"}}]}
            ),
        },
        {"role-without-trust"},
    ),
    "properties without a value": ({"Resources.Logs.Properties": None}, set()),
}


@pytest.mark.parametrize("what", CASES)
def test_a_template_breaks_these_rules(what: str) -> None:
    change, expected = CASES[what]
    assert judged(SERVICE, change, {})[0] == expected


#: Changes of the service that leave something unknown -> its name in the last line.
UNREAD: dict[str, tuple[Change, str]] = {
    "a parameter": (GIVEN_PARAMETER, "Given"),
    "a loop": ({"Resources.Fn::ForEach::Each": ["X", ["a"], {}]}, "Fn::ForEach::Each"),
    "a macro": (
        {f"{TASK}.ContainerDefinitions": {"Fn::Transform": {"Name": "Macro"}}},
        "TaskDefinition.ContainerDefinitions",
    ),
    "a macro in a property": (
        {f"{BOX}.LogConfiguration": {"Fn::Transform": {"Name": "Macro"}}},
        "TaskDefinition",
    ),
    "properties of a macro": (
        {TASK: {"Fn::Transform": {"Name": "Macro"}, "Family": "web"}},
        "TaskDefinition",
    ),
    "a subnet by a number that is a parameter": (
        {**GIVEN_PARAMETER, f"{NETWORK}.Subnets": [{"Fn::Select": [REF, ["a", "b"]]}]},
        "the ways out of Fn::Select Ref Given a b",
    ),
    "a subnet of elsewhere": ({f"{NETWORK}.Subnets": ["subnet-0"]}, "the ways out of subnet-0"),
    "a task that somebody runs by hand": (
        {"Resources.Service": GONE},
        "the network of TaskDefinition, which nothing here runs",
    ),
    "a role of elsewhere": (
        {f"{TASK}.ExecutionRoleArn": "arn:aws:iam::1:role/x"},
        "arn:aws:iam::1:role/x",
    ),
    "a policy that can't be read": (
        {"Resources.ReadPassword.Properties.PolicyDocument": "{"},
        "ExecutionRole.Policies",
    ),
    "a definition that can't be read": (
        {
            "Resources.Machine": {
                "Type": "AWS::StepFunctions::StateMachine",
                "Properties": {"DefinitionString": "{"},
            }
        },
        "Machine.DefinitionString",
    ),
}


@pytest.mark.parametrize("what", UNREAD)
def test_what_is_not_known_is_told_and_no_fault(what: str) -> None:
    change, name = UNREAD[what]
    found, unknown = judged(SERVICE, change, {})
    assert found == set()
    assert name in unknown


def test_a_condition_that_is_not_known_is_neither_true_nor_false() -> None:
    is_test = {"Fn::Equals": [REF, "test"]}
    for condition in (is_test, {"Fn::Not": [is_test]}, {"Fn::And": [is_test, is_test]}):
        change = {
            **GIVEN_PARAMETER,
            "Conditions": {"Silent": condition},
            f"{BOX}.LogConfiguration": {"Fn::If": ["Silent", {"Ref": "AWS::NoValue"}, LOG]},
        }
        found, unknown = judged(SERVICE, change, {})
        assert found == set()
        assert "Given" in unknown
    assert judged(SERVICE, change, {"Given": "test"})[0] == {"no-log"}
    assert judged(SERVICE, change, {"Given": "live"})[0] == set()


@pytest.mark.parametrize("partition", ["aws-us-gov", "aws-cn"])
def test_a_repository_of_another_partition(partition: str) -> None:
    arn = f"arn:{partition}:ecr:us-gov-west-1:111122223333:repository/rosetta-go"
    assert judged(CONTAINER, {}, {**GIVEN, "RepositoryArn": arn})[0] == set()


def test_the_digest_may_be_given_later() -> None:
    given = {name: value for name, value in GIVEN.items() if name != "ImageDigest"}
    assert judged(CONTAINER, {}, given) == (
        set(),
        ["ImageDigest", *judged(CONTAINER, {}, GIVEN)[1]],
    )


def test_a_number_that_is_not_known_hides_no_state_machine() -> None:
    change = {
        "Parameters.TaskTimeout.Default": GONE,
        PASSED: {"Fn::GetAtt": ["TaskRole", "Arn"]},
    }
    found, unknown = judged(CONTAINER, change, GIVEN)
    assert found == {"no-right-to-pass-role"}
    assert "TaskTimeout" in unknown


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"TaskTimeout": "5000"}, "TaskTimeout=5000: allowed are 3600, 7200"),
        ({"ImageDigest": "latest"}, "ImageDigest=latest: it must be sha256 and 64"),
        ({"Memory": "511"}, "Memory=511: its value must be at least 512"),
        ({"Memory": "122881"}, "Memory=122881: its value must be at most 122880"),
        ({"Memory": "much"}, "Memory=much: it must be a number"),
    ],
)
def test_a_value_that_the_template_does_not_allow(value: dict[str, str], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        judged(CONTAINER, {}, {**GIVEN, **value})


def test_an_image_in_a_folder_is_not_that_of_a_sidecar(tmp_path: Path) -> None:
    layout = tmp_path / "layout"
    layout.mkdir()
    digest = write_layout(layout, "amd64", False)
    template = tmp_path / "template.json"
    box = load(CONTAINER)["Resources"]["TaskDefinition"]["Properties"]["ContainerDefinitions"][0]
    sidecar = {**box, "Name": "sidecar", "Image": "sidecar:1"}
    change = {f"{TASK}.ContainerDefinitions": [sidecar, box]}
    template.write_text(json.dumps(changed(load(CONTAINER), change), default=str))
    deployment = read_template(template, {**GIVEN, "ImageDigest": digest}, layout)
    (name,) = deployment.images
    assert name.endswith(digest)
    without = {name: value for name, value in GIVEN.items() if name != "ImageDigest"}
    with pytest.raises(UsageError, match="not known which container has this image"):
        read_template(template, without, layout)


def test_the_flag_for_parameters_may_be_repeated(capsys: pytest.CaptureFixture[str]) -> None:
    words = [f"--parameters={name}={value}" for name, value in GIVEN.items()]
    again = ["--parameters", "Memory=1024", "--parameters", "Cpu=1024"]
    assert main(["preflight", *words, *again]) == 1
    told = " ".join(capsys.readouterr().out.split())
    assert "no-such-size" in told
    assert "container.yaml: 1 fault; not known: " in told


# ---- any form of any property ----

ODD: list[object] = [
    None,
    "odd",
    7,
    [],
    {},
    [None],
    [["odd"]],
    [{"Odd": 1}],
    {"Odd": [{}]},
    {"Ref": "Odd"},
    {"Fn::Transform": {"Name": "Macro"}},
    {"Fn::If": ["Odd", 1]},
    {"Fn::Select": ["x", "odd"]},
]


def paths(node: object, path: str) -> Iterator[str]:
    """The paths of all nodes below one."""
    inner = (
        node.items()
        if isinstance(node, dict)
        else enumerate(node)
        if isinstance(node, list)
        else ()
    )
    for key, each in inner:
        if "." not in str(key):
            yield f"{path}.{key}"
            yield from paths(each, f"{path}.{key}")


def test_no_form_of_a_property_ends_the_command() -> None:
    """Each node of a template gets three of these forms; all of them would take a minute."""
    template = changed(load(SERVICE), rule_of_events("web:3"))
    for number, path in enumerate(paths(template["Resources"], "Resources")):
        for odd in (ODD * 2)[number % len(ODD) :][:12:4]:
            faults_of(deployed(changed(template, {path: odd}), {}))
