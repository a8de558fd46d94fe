"""A deployed stack as the resources that the rules look at. It only reads.

What AWS tells of a resource gets the names of CloudFormation's properties. A resource has its
physical id or its ARN, as the others name it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

import requests
from botocore.exceptions import BotoCoreError, ClientError

from harness.model import HarnessError
from harness.preflight.layout import platform
from harness.preflight.model import Deployment, Image, Resource
from harness.preflight.rights import listed
from harness.preflight.tasks import containers_of, from_ecr, reference, starts_of
from harness.targets.aws.session import code_of, explained, open_services

_SERVICES = (
    *("cloudformation", "ecs", "ec2", "ecr", "events", "iam", "logs", "scheduler"),
    "stepfunctions",
)
#: The keys in them are not names of properties.
_MAPS = {"options", "dockerLabels"}
_ABSENT = {"ImageNotFoundException", "RepositoryNotFoundException"}
_MANIFESTS = [
    *("application/vnd.oci.image.index.v1+json", "application/vnd.oci.image.manifest.v1+json"),
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.docker.distribution.manifest.v2+json",
]


def read_deployment(name: str, region: str | None) -> Deployment:
    """Read the tasks of a stack, and what they need. Raises ``HarnessError`` if there is none."""
    return _Reader(open_services(region, _SERVICES)).read(name)


def _fetched(url: str) -> Mapping[str, Any]:
    answer = requests.get(url, timeout=30)
    answer.raise_for_status()
    found: Mapping[str, Any] = answer.json()
    return found


def pascal(node: Any) -> Any:
    """An answer of AWS with CloudFormation's names: ``cpuArchitecture`` is CpuArchitecture."""
    if isinstance(node, list):
        return [pascal(each) for each in node]
    if not isinstance(node, Mapping):
        return node
    return {
        f"{key[:1].upper()}{key[1:]}": value if key in _MAPS else pascal(value)
        for key, value in node.items()
    }


class _Reader:
    def __init__(self, clients: Mapping[str, Any]) -> None:
        self._clients = clients
        self._registries = {clients["ecr"].meta.region_name: clients["ecr"]}
        self._found: dict[str, Resource] = {}
        self._images: dict[str, Image | None] = {}
        self._absent: set[str] = set()
        self._unknown: dict[str, None] = {}

    def read(self, stack: str) -> Deployment:
        members = self._pages("cloudformation", "list_stack_resources", StackName=stack)
        named = [
            (each["ResourceType"], each["PhysicalResourceId"])
            for page in members
            for each in page["StackResourceSummaries"]
            if each.get("PhysicalResourceId") and each["ResourceStatus"] != "DELETE_COMPLETE"
        ]
        for kind, id in named:
            if kind == "AWS::ECS::TaskDefinition":
                self._task(id)
            elif kind == "AWS::ECS::Service":
                self._service(id)
            elif kind == "AWS::StepFunctions::StateMachine":
                self._machine(id)
            elif kind == "AWS::Scheduler::Schedule":
                self._schedule(id)
            elif kind == "AWS::Events::Rule":
                self._rule(id)
        if not list(self._deployment.of("ECS::TaskDefinition")):
            raise HarnessError(f"stack {stack} has no task definition of ECS: name another stack")
        for container in list(containers_of(self._deployment)):
            self._log_group(container.log)
            if from_ecr(self._deployment, container.image):
                self._image(container.image)
        starts = list(starts_of(self._deployment))
        self._network([s for each in starts for s in each.listed("Subnets")])
        self._groups([g for each in starts for g in each.listed("SecurityGroups")])
        return self._deployment

    @property
    def _deployment(self) -> Deployment:
        return Deployment(self._found, self._images, frozenset(self._absent), self._unknown)

    def _ask(self, service: str, operation: str, **given: Any) -> Mapping[str, Any]:
        with self._explained(service, operation, given):
            found: Mapping[str, Any] = getattr(self._clients[service], operation)(**given)
            return found

    def _pages(self, service: str, operation: str, **given: Any) -> Iterator[Mapping[str, Any]]:
        with self._explained(service, operation, given):
            yield from self._clients[service].get_paginator(operation).paginate(**given)

    def _explained(
        self, service: str, operation: str, given: Mapping[str, Any]
    ) -> AbstractContextManager[None]:
        action = self._clients[service].meta.method_to_api_mapping[operation]
        prefix = "states" if service == "stepfunctions" else service
        return explained(f"{prefix}:{action}", str(next(iter(given.values()))))

    def _add(self, id: str, kind: str, properties: Mapping[str, Any]) -> None:
        self._found[id] = Resource(id, f"AWS::{kind}", properties)

    # ---- tasks and those that start them ----

    def _task(self, arn: str) -> None:
        answer = self._ask("ecs", "describe_task_definition", taskDefinition=arn)
        told = pascal(answer["taskDefinition"])
        self._add(arn, "ECS::TaskDefinition", told)
        for name in ("ExecutionRoleArn", "TaskRoleArn"):
            self._role(told.get(name))

    def _service(self, arn: str) -> None:
        cluster = arn.split("/")[1]
        answer = self._ask("ecs", "describe_services", cluster=cluster, services=[arn])
        for each in answer["services"]:
            told = pascal(each)
            if not told.get("HealthCheckGracePeriodSeconds"):
                told.pop("HealthCheckGracePeriodSeconds", None)
            told.pop("Deployments", None)  # the service has the same network
            self._add(arn, "ECS::Service", told)

    def _machine(self, arn: str) -> None:
        told = self._ask("stepfunctions", "describe_state_machine", stateMachineArn=arn)
        properties = {"DefinitionString": told["definition"], "RoleArn": told["roleArn"]}
        self._add(arn, "StepFunctions::StateMachine", properties)
        self._role(told["roleArn"])

    def _schedule(self, name: str) -> None:
        """Its id in a stack does not tell the group, and another group may have the same name."""
        pages = self._pages("scheduler", "list_schedules", NamePrefix=name)
        found = [each for page in pages for each in page["Schedules"] if each["Name"] == name]
        if len(found) > 1:
            self._unknown[f"the schedule {name}, which is in several groups"] = None
            return
        for each in found:
            told = self._ask("scheduler", "get_schedule", Name=name, GroupName=each["GroupName"])
            target = pascal(told["Target"])
            if "EcsParameters" in target:
                self._add(name, "Scheduler::Schedule", {"Target": target})
                self._role(target["RoleArn"])

    def _rule(self, id: str) -> None:
        bus, _, name = id.rpartition("|")
        where = {"EventBusName": bus} if bus else {}
        pages = self._pages("events", "list_targets_by_rule", Rule=name, **where)
        targets = [pascal(each) for page in pages for each in page["Targets"]]
        if of_ecs := [each for each in targets if "EcsParameters" in each]:
            self._add(id, "Events::Rule", {"Targets": targets})
            for each in of_ecs:
                self._role(each.get("RoleArn"))

    def _role(self, arn: str | None) -> None:
        if arn is None or arn in self._found:
            return
        name = arn.rpartition("/")[2]
        try:
            role = self._ask("iam", "get_role", RoleName=name)["Role"]
        except HarnessError as error:
            if (
                not isinstance(error.__cause__, ClientError)
                or code_of(error.__cause__) != "NoSuchEntity"
            ):
                raise
            self._absent.add(arn)
            return
        policies = [
            self._ask("iam", "get_role_policy", RoleName=name, PolicyName=each)
            for page in self._pages("iam", "list_role_policies", RoleName=name)
            for each in page["PolicyNames"]
        ]
        for page in self._pages("iam", "list_attached_role_policies", RoleName=name):
            policies += [self._managed(each["PolicyArn"]) for each in page["AttachedPolicies"]]
        trust = role["AssumeRolePolicyDocument"]
        self._add(arn, "IAM::Role", {"AssumeRolePolicyDocument": trust, "Policies": policies})

    def _managed(self, arn: str) -> Mapping[str, Any]:
        version = self._ask("iam", "get_policy", PolicyArn=arn)["Policy"]["DefaultVersionId"]
        found = self._ask("iam", "get_policy_version", PolicyArn=arn, VersionId=version)
        return {"PolicyDocument": found["PolicyVersion"]["Document"]}

    def _log_group(self, options: Mapping[str, Any]) -> None:
        name = options.get("awslogs-group")
        if name is None:
            return
        for page in self._pages("logs", "describe_log_groups", logGroupNamePrefix=name):
            for each in page["logGroups"]:
                if each["logGroupName"] == name:
                    told = {"LogGroupName": name, "Arn": each["arn"]}
                    self._add(name, "Logs::LogGroup", told)

    # ---- the image ----

    def _image(self, named: str) -> None:
        """Look into an image, in the registry of its region. A refusal leaves it unknown."""
        it = reference(named)
        if it.registry is None:
            return
        account, region = it.registry
        where = {"registryId": account, "repositoryName": it.repository}
        one = {"imageDigest": it.digest} if it.digest else {"imageTag": it.tag or "latest"}
        try:
            if region not in self._registries:
                self._registries[region] = open_services(region, ("ecr",))["ecr"]
            registry = self._registries[region]
            answer = registry.batch_get_image(
                **where, imageIds=[one], acceptedMediaTypes=_MANIFESTS
            )
            images = answer["images"]
            self._images[named] = _looked_into(registry, where, images[0]) if images else None
            if not it.digest:
                self._repository(registry, account, it.repository)
        except ClientError as error:
            if code_of(error) in _ABSENT:
                self._images[named] = None
            else:
                self._unknown[f"the image {named} ({code_of(error)})"] = None
        except (BotoCoreError, requests.RequestException, KeyError, ValueError) as error:
            self._unknown[f"the image {named} ({type(error).__name__})"] = None

    def _repository(self, registry: Any, account: str, name: str) -> None:
        answer = registry.describe_repositories(registryId=account, repositoryNames=[name])
        for each in answer["repositories"]:
            told = {
                "RepositoryName": name,
                "ImageTagMutability": each["imageTagMutability"],
                "Arn": each["repositoryArn"],
            }
            self._add(each["repositoryArn"], "ECR::Repository", told)

    # ---- the network ----

    def _network(self, ids: Sequence[str]) -> None:
        if not ids:
            return
        subnets = self._ask("ec2", "describe_subnets", SubnetIds=sorted(set(ids)))["Subnets"]
        for each in subnets:
            told = {name: each[name] for name in ("VpcId", "CidrBlock") if name in each}
            self._add(each["SubnetId"], "EC2::Subnet", told)
            self._add(each["VpcId"], "EC2::VPC", {})
            self._table(each["SubnetId"], each["VpcId"])
        vpcs = sorted({each["VpcId"] for each in subnets})
        by_vpc = [{"Name": "vpc-id", "Values": vpcs}]
        for page in self._pages("ec2", "describe_vpc_endpoints", Filters=by_vpc):
            for each in page["VpcEndpoints"]:
                self._endpoint(each)

    def _table(self, subnet: str, vpc: str) -> None:
        """The route table of a subnet, or the main one of its VPC."""
        own = [{"Name": "association.subnet-id", "Values": [subnet]}]
        main = [
            {"Name": "association.main", "Values": ["true"]},
            {"Name": "vpc-id", "Values": [vpc]},
        ]
        tables = self._ask("ec2", "describe_route_tables", Filters=own)["RouteTables"]
        tables = tables or self._ask("ec2", "describe_route_tables", Filters=main)["RouteTables"]
        for table in tables:
            id = table["RouteTableId"]
            self._add(id, "EC2::RouteTable", {"VpcId": vpc})
            link = {"SubnetId": subnet, "RouteTableId": id}
            self._add(f"{subnet} in {id}", "EC2::SubnetRouteTableAssociation", link)
            for number, route in enumerate(table["Routes"]):
                if route.get("State") != "blackhole":
                    self._add(f"{id} {number}", "EC2::Route", {**route, "RouteTableId": id})

    def _endpoint(self, told: Mapping[str, Any]) -> None:
        groups = [each["GroupId"] for each in told.get("Groups", ())]
        if str(told["State"]).lower() != "available":
            return
        self._add(
            told["VpcEndpointId"],
            "EC2::VPCEndpoint",
            {
                "VpcId": told["VpcId"],
                "ServiceName": told["ServiceName"],
                "VpcEndpointType": told["VpcEndpointType"],
                "RouteTableIds": told.get("RouteTableIds", []),
                "PrivateDnsEnabled": told.get("PrivateDnsEnabled", False),
                "SecurityGroupIds": groups,
            },
        )
        self._groups(groups)

    def _groups(self, ids: Sequence[str]) -> None:
        new = sorted(set(listed(list(ids))) - self._found.keys())
        if not new:
            return
        answer = self._ask("ec2", "describe_security_groups", GroupIds=new)
        for each in answer["SecurityGroups"]:
            told = {
                "SecurityGroupIngress": _rules(each.get("IpPermissions", ())),
                "SecurityGroupEgress": _rules(each.get("IpPermissionsEgress", ())),
            }
            self._add(each["GroupId"], "EC2::SecurityGroup", told)


def _looked_into(registry: Any, where: Mapping[str, str], image: Mapping[str, Any]) -> Image:
    manifest = json.loads(image["imageManifest"])
    digest = str(image["imageId"]["imageDigest"])
    if "manifests" in manifest:
        told = [each.get("platform", {}) for each in manifest["manifests"]]
        return Image(digest, frozenset(platform(each) for each in told if each))
    config = manifest["config"]["digest"]
    answer = registry.get_download_url_for_layer(**where, layerDigest=config)
    return Image(digest, frozenset([platform(_fetched(answer["downloadUrl"]))]))


def _rules(permissions: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """One rule for each source or destination, as CloudFormation has them."""
    made = []
    for each in permissions:
        ports = {name: each[name] for name in ("IpProtocol", "FromPort", "ToPort") if name in each}
        made += [{**ports, "CidrIp": one["CidrIp"]} for one in each.get("IpRanges", ())]
        made += [{**ports, "CidrIpv6": one["CidrIpv6"]} for one in each.get("Ipv6Ranges", ())]
        made += [
            {**ports, "SourceSecurityGroupId": one["GroupId"]}
            for one in each.get("UserIdGroupPairs", ())
        ]
        made += [
            {**ports, "SourcePrefixListId": one["PrefixListId"]}
            for one in each.get("PrefixListIds", ())
        ]
    return made
