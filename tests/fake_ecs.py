"""A stack of container.yaml in memory, behind boto3's own clients, as fake_aws.py has it."""

# ruff: noqa: N802, N803

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from fake_aws import FakeAws, Refused

_ACCOUNT = "111122223333"
_DIGEST = f"sha256:{'a' * 64}"
_CONFIG = f"sha256:{'b' * 64}"
IMAGE = f"{_ACCOUNT}.dkr.ecr.eu-central-1.amazonaws.com/rosetta-go@{_DIGEST}"
TASK = f"arn:aws:ecs:eu-central-1:{_ACCOUNT}:task-definition/tasks:3"
CLUSTER = f"arn:aws:ecs:eu-central-1:{_ACCOUNT}:cluster/cluster"
SERVICE = f"arn:aws:ecs:eu-central-1:{_ACCOUNT}:service/cluster/web"
MACHINE = f"arn:aws:states:eu-central-1:{_ACCOUNT}:stateMachine:day"
REPOSITORY = f"arn:aws:ecr:eu-central-1:{_ACCOUNT}:repository/rosetta-go"
LOG_GROUP = f"arn:aws:logs:eu-central-1:{_ACCOUNT}:log-group:/ecs/tasks:*"
MANAGED = "arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy"


def role_arn(name: str) -> str:
    return f"arn:aws:iam::{_ACCOUNT}:role/{name}"


def _trust(service: str) -> dict[str, Any]:
    statement = {"Effect": "Allow", "Principal": {"Service": f"{service}.amazonaws.com"}}
    return {"Statement": [{**statement, "Action": "sts:AssumeRole"}]}


def allow(actions: list[str], on: str) -> dict[str, Any]:
    return {"Statement": [{"Effect": "Allow", "Action": actions, "Resource": on}]}


def _task() -> dict[str, Any]:
    options = {"awslogs-group": "/ecs/tasks", "awslogs-region": "eu-central-1"}
    return {
        "taskDefinitionArn": TASK,
        "family": "tasks",
        "requiresCompatibilities": ["FARGATE"],
        "networkMode": "awsvpc",
        "cpu": "1024",
        "memory": "2048",
        "runtimePlatform": {"cpuArchitecture": "ARM64"},
        "executionRoleArn": role_arn("start"),
        "taskRoleArn": role_arn("code"),
        "containerDefinitions": [
            {
                "name": "task",
                "image": IMAGE,
                "logConfiguration": {"logDriver": "awslogs", "options": options},
            }
        ],
    }


def _definition() -> dict[str, Any]:
    network = {"Subnets": ["subnet-0"], "SecurityGroups": ["sg-0"], "AssignPublicIp": "DISABLED"}
    parameters = {
        "TaskDefinition": "tasks",
        "NetworkConfiguration": {"AwsvpcConfiguration": network},
    }
    return {"States": {"RunDay": {"Parameters": parameters}}}


@dataclass
class FakeEcs(FakeAws):
    """A task in a subnet with a NAT gateway, whose image is for arm64. Tests change its parts."""

    members: list[tuple[str, str | None]] = field(
        default_factory=lambda: [
            ("AWS::ECS::TaskDefinition", TASK),
            ("AWS::StepFunctions::StateMachine", MACHINE),
            ("AWS::SQS::Queue", "dead"),
        ]
    )
    states: dict[str | None, str] = field(default_factory=dict)
    task: dict[str, Any] = field(default_factory=_task)
    service: dict[str, Any] = field(default_factory=dict)
    definition: dict[str, Any] = field(default_factory=_definition)
    #: (group, name) -> the target of a schedule; (bus, name) -> the targets of a rule.
    schedules: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    rules: dict[tuple[str, str], list[dict[str, Any]]] = field(default_factory=dict)
    trust: dict[str, Any] = field(default_factory=lambda: _trust("ecs-tasks"))
    rights: dict[str, dict[str, Any]] = field(
        default_factory=lambda: {
            "start": {},
            "code": allow(["s3:GetObject"], "*"),
            "machine": allow(["iam:PassRole"], f"arn:aws:iam::{_ACCOUNT}:role/*"),
        }
    )
    managed: dict[str, Any] = field(
        default_factory=lambda: allow(
            [
                *("ecr:GetAuthorizationToken", "ecr:BatchCheckLayerAvailability"),
                *("ecr:GetDownloadUrlForLayer", "ecr:BatchGetImage"),
                *("logs:CreateLogStream", "logs:PutLogEvents"),
            ],
            "*",
        )
    )
    groups: list[str] = field(default_factory=lambda: ["/ecs/tasks", "/ecs/tasks-of-others"])
    manifests: dict[str, Any] = field(
        default_factory=lambda: {_DIGEST: {"config": {"digest": _CONFIG}}}
    )
    mutability: str = "MUTABLE"
    architecture: str = "arm64"
    routes: list[dict[str, Any]] = field(
        default_factory=lambda: [
            {"DestinationCidrBlock": "0.0.0.0/0", "NatGatewayId": "nat-0", "State": "active"}
        ]
    )
    endpoints: list[dict[str, Any]] = field(default_factory=list)
    egress: list[dict[str, Any]] = field(
        default_factory=lambda: [{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]
    )

    def services(self, _region: str | None, names: Iterable[str]) -> dict[str, Any]:
        return {each: self._client(each) for each in names}

    def fetched(self, url: str) -> dict[str, str]:
        assert url == f"https://layers.invalid/{_CONFIG}"
        return {"os": "linux", "architecture": self.architecture}

    def add_endpoint(self, service: str, **more: Any) -> None:
        self.endpoints.append(
            {
                "VpcEndpointId": f"vpce-{service}",
                "VpcId": "vpc-0",
                "ServiceName": f"com.amazonaws.eu-central-1.{service}",
                "VpcEndpointType": "Interface",
                "State": "available",
                "PrivateDnsEnabled": True,
                "Groups": [{"GroupId": "sg-1", "GroupName": "endpoints"}],
                **more,
            }
        )

    # ---- CloudFormation, ECS, those that start tasks, CloudWatch Logs ----

    def _cloudformation_ListStackResources(self, StackName: str) -> dict[str, Any]:
        if StackName != "tasks":
            raise Refused("ValidationError", f"Stack with id {StackName} does not exist")
        return {
            "StackResourceSummaries": [
                {
                    "LogicalResourceId": "x",
                    **({"PhysicalResourceId": id} if id else {}),
                    "ResourceType": kind,
                    "LastUpdatedTimestamp": "2026-11-28",
                    "ResourceStatus": self.states.get(id, "CREATE_COMPLETE"),
                }
                for kind, id in self.members
            ]
        }

    def _ecs_DescribeTaskDefinition(self, taskDefinition: str) -> dict[str, Any]:
        assert taskDefinition == TASK
        return {"taskDefinition": self.task}

    def _ecs_DescribeServices(self, cluster: str, services: list[str]) -> dict[str, Any]:
        assert (cluster, services) == ("cluster", [SERVICE])
        return {"services": [self.service]}

    def _stepfunctions_DescribeStateMachine(self, stateMachineArn: str) -> dict[str, Any]:
        return {
            "stateMachineArn": stateMachineArn,
            "name": "day",
            "type": "STANDARD",
            "creationDate": "2026-11-28",
            "definition": json.dumps(self.definition),
            "roleArn": role_arn("machine"),
        }

    def _scheduler_ListSchedules(self, NamePrefix: str) -> dict[str, Any]:
        named = [(group, name) for group, name in self.schedules if name.startswith(NamePrefix)]
        return {"Schedules": [{"GroupName": group, "Name": name} for group, name in named]}

    def _scheduler_GetSchedule(self, Name: str, GroupName: str) -> dict[str, Any]:
        return {"Name": Name, "Target": self.schedules[GroupName, Name]}

    def _events_ListTargetsByRule(self, Rule: str, EventBusName: str = "default") -> dict[str, Any]:
        return {"Targets": self.rules[EventBusName, Rule]}

    def _logs_DescribeLogGroups(self, logGroupNamePrefix: str) -> dict[str, Any]:
        return {
            "logGroups": [
                {"logGroupName": each, "arn": LOG_GROUP.replace("/ecs/tasks", each)}
                for each in self.groups
                if each.startswith(logGroupNamePrefix)
            ]
        }

    # ---- IAM ----

    def _iam_GetRole(self, RoleName: str) -> dict[str, Any]:
        return {
            "Role": {
                "Path": "/",
                "RoleName": RoleName,
                "RoleId": "AROA0123456789012345",
                "Arn": role_arn(RoleName),
                "CreateDate": "2026-11-28",
                "AssumeRolePolicyDocument": json.dumps(self.trust),
            }
        }

    def _iam_ListRolePolicies(self, RoleName: str) -> dict[str, Any]:
        return {"PolicyNames": ["own"] if self.rights[RoleName] else []}

    def _iam_GetRolePolicy(self, RoleName: str, PolicyName: str) -> dict[str, Any]:
        document = json.dumps(self.rights[RoleName])
        return {"RoleName": RoleName, "PolicyName": PolicyName, "PolicyDocument": document}

    def _iam_ListAttachedRolePolicies(self, RoleName: str) -> dict[str, Any]:
        attached = [{"PolicyName": "managed", "PolicyArn": MANAGED}]
        return {"AttachedPolicies": attached if RoleName == "start" else []}

    def _iam_GetPolicy(self, PolicyArn: str) -> dict[str, Any]:
        assert PolicyArn == MANAGED
        return {"Policy": {"DefaultVersionId": "v2"}}

    def _iam_GetPolicyVersion(self, PolicyArn: str, VersionId: str) -> dict[str, Any]:
        assert (PolicyArn, VersionId) == (MANAGED, "v2")
        return {"PolicyVersion": {"Document": json.dumps(self.managed)}}

    # ---- ECR ----

    def _ecr_DescribeRepositories(
        self,
        registryId: str,
        repositoryNames: list[str],
    ) -> dict[str, Any]:
        assert (registryId, repositoryNames) == (_ACCOUNT, ["rosetta-go"])
        return {
            "repositories": [{"repositoryArn": REPOSITORY, "imageTagMutability": self.mutability}]
        }

    def _ecr_BatchGetImage(self, imageIds: list[dict[str, str]], **_: Any) -> dict[str, Any]:
        (asked,) = imageIds
        named = asked.get("imageDigest", _DIGEST)
        if named not in self.manifests:
            return {"images": [], "failures": [{"failureCode": "ImageNotFound"}]}
        manifest = json.dumps(self.manifests[named])
        return {"images": [{"imageId": {"imageDigest": named}, "imageManifest": manifest}]}

    def _ecr_GetDownloadUrlForLayer(self, layerDigest: str, **_: Any) -> dict[str, Any]:
        return {"downloadUrl": f"https://layers.invalid/{layerDigest}"}

    # ---- EC2 ----

    def _ec2_DescribeSubnets(self, SubnetIds: list[str]) -> dict[str, Any]:
        return {
            "Subnets": [
                {"SubnetId": each, "VpcId": "vpc-0", "CidrBlock": "10.0.1.0/24"}
                for each in SubnetIds
            ]
        }

    def _ec2_DescribeRouteTables(self, Filters: list[dict[str, Any]]) -> dict[str, Any]:
        if Filters[0]["Name"] == "association.subnet-id":
            return {"RouteTables": []}  # the subnet has the VPC's main one
        assert Filters[1] == {"Name": "vpc-id", "Values": ["vpc-0"]}
        return {"RouteTables": [{"RouteTableId": "rtb-0", "Routes": self.routes}]}

    def _ec2_DescribeVpcEndpoints(self, Filters: list[dict[str, Any]]) -> dict[str, Any]:
        assert Filters == [{"Name": "vpc-id", "Values": ["vpc-0"]}]
        return {"VpcEndpoints": self.endpoints}

    def _ec2_DescribeSecurityGroups(self, GroupIds: list[str]) -> dict[str, Any]:
        ingress = [
            {
                "IpProtocol": "tcp",
                "FromPort": 443,
                "ToPort": 443,
                "UserIdGroupPairs": [{"GroupId": "sg-0"}],
            }
        ]
        return {
            "SecurityGroups": [
                {"GroupId": each, "IpPermissions": ingress, "IpPermissionsEgress": self.egress}
                for each in GroupIds
            ]
        }
