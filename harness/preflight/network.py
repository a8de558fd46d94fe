"""The ways from a task's subnets to the registry, to S3, to the logs and to the secrets.

On Fargate ECS itself goes these ways, through the task's own network interface.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping
from typing import Any

from harness.preflight.model import Deployment, Fault, Resource, Rule, Seen
from harness.preflight.resolve import is_known
from harness.preflight.tasks import Start, containers_of, from_ecr, service_of, starts_of, tasks_of

_GUIDE = "https://docs.aws.amazon.com/AmazonECS/latest/developerguide"
_WAY = (
    "add a NAT gateway, the VPC endpoints that the detail names, or an internet gateway and a "
    "public address"
)
_TIMEOUT = "dial tcp ...:443: i/o timeout. Please check your task network configuration."

NO_REGISTRY = Rule(
    "no-way-to-registry",
    "ECS logs in to the registry from the task's subnet",
    "ResourceInitializationError: unable to pull secrets or registry auth: execution resource "
    "retrieval failed: unable to retrieve ecr registry auth: service call has been retried 3 "
    f'time(s): RequestError: send request failed caused by: Post "https://api.ecr...": {_TIMEOUT}',
    Seen.STOPPED,
    _WAY,
    (
        "https://github.com/doctorray117/minecraft-ondemand/issues/74",
        "https://github.com/anomalyco/sst/issues/6019",
    ),
)
NO_S3 = Rule(
    "no-way-to-s3",
    "S3 holds the layers of an image of ECR, and what this project's code reads and writes",
    "CannotPullContainerError: ... net/http: request canceled while waiting for connection "
    "(Client.Timeout exceeded while awaiting headers)",
    Seen.STOPPED,
    "add a gateway endpoint for S3 to the subnet's route table; it is free of charge",
    (
        "https://github.com/aws/amazon-ecs-agent/issues/2235",
        "https://github.com/GuardBench/guardbench-iac/issues/4",
        "https://docs.aws.amazon.com/AmazonECR/latest/userguide/vpc-endpoints.html",
    ),
)
NO_LOGS = Rule(
    "no-way-to-logs",
    "the driver awslogs makes its stream from the task's subnet before the code runs",
    "ResourceInitializationError: failed to validate logger args: The task cannot find the Amazon "
    "CloudWatch log group defined in the task definition. There is a connection issue between the "
    "task and Amazon CloudWatch. Check your network configuration. : signal: killed",
    Seen.STOPPED,
    _WAY,
    (
        "https://github.com/civiform/civiform/issues/7648",
        "https://github.com/awsdocs/amazon-ecr-user-guide/pull/18",
    ),
)
NO_SECRETS = Rule(
    "no-way-to-secrets",
    "ECS reads the secrets from the task's subnet",
    "ResourceInitializationError: unable to pull secrets or registry auth: execution resource "
    "retrieval failed: unable to retrieve secret from asm: service call has been retried 5 "
    "time(s): ... RequestCanceled: request context canceled caused by: context deadline exceeded. "
    "Please check your task network configuration.",
    Seen.STOPPED,
    _WAY,
    (
        "https://github.com/Releem/releem-agent/issues/195",
        "https://github.com/umotif-public/terraform-aws-ecs-fargate/issues/50",
    ),
)
NO_ADDRESS = Rule(
    "no-public-address",
    "an internet gateway serves tasks with a public address only",
    f"ResourceInitializationError: unable to pull secrets or registry auth: ... {_TIMEOUT}",
    Seen.STOPPED,
    "set AssignPublicIp to ENABLED, or take subnets with a NAT gateway",
    (
        "https://github.com/nikovirtala/cdk-github-actions-runner/pull/3",
        "https://github.com/ActionIQ/terraform-aws-retool-ecs-fargate/issues/20",
    ),
)
NO_PRIVATE_DNS = Rule(
    "endpoint-without-private-dns",
    "without private DNS a service's name leads past its endpoint",
    f"ResourceInitializationError: unable to pull secrets or registry auth: ... {_TIMEOUT}",
    Seen.STOPPED,
    "set PrivateDnsEnabled of the endpoint to true",
    (f"{_GUIDE}/vpc-endpoints.html",),
)
ENDPOINT_CLOSED = Rule(
    "endpoint-closed",
    "the security group of an endpoint must let in HTTPS from the task",
    f"ResourceInitializationError: unable to pull secrets or registry auth: ... {_TIMEOUT}",
    Seen.STOPPED,
    "allow TCP 443 from the task's security group, or from the subnet, in the endpoint's group",
    ("https://docs.aws.amazon.com/AmazonECR/latest/userguide/vpc-endpoints.html",),
)
NO_HTTPS_OUT = Rule(
    "no-https-out",
    "the security groups of a task must let out HTTPS",
    f"ResourceInitializationError: unable to pull secrets or registry auth: ... {_TIMEOUT}",
    Seen.STOPPED,
    "allow TCP 443 out in one of the task's security groups",
    (
        "https://github.com/aws-samples/generative-ai-sagemaker-cdk-demo/issues/4",
        "https://github.com/Releem/releem-agent/issues/195",
    ),
)
RULES = (
    *(NO_REGISTRY, NO_S3, NO_LOGS, NO_SECRETS),
    *(NO_ADDRESS, NO_PRIVATE_DNS, ENDPOINT_CLOSED, NO_HTTPS_OUT),
)
_RULE_OF = {
    "ecr.api": NO_REGISTRY,
    "ecr.dkr": NO_REGISTRY,
    "the internet": NO_REGISTRY,
    "s3": NO_S3,
    "logs": NO_LOGS,
    "secretsmanager": NO_SECRETS,
    "ssm": NO_SECRETS,
}


def check_network(deployment: Deployment) -> Iterator[Fault]:
    for start in starts_of(deployment):
        if not _lets_https_out(deployment, start.listed("SecurityGroups")):
            yield Fault(
                NO_HTTPS_OUT, start.place, f"by {', '.join(start.listed('SecurityGroups'))}"
            )
        found: dict[tuple[str, str, str], list[str]] = {}
        for name in start.listed("Subnets"):
            subnet = deployment.find(name)
            if subnet is None or subnet.type != "AWS::EC2::Subnet":
                continue  # it is made elsewhere
            for service in _needs(deployment, start):
                if obstacle := _obstacle(deployment, start, subnet, service):
                    rule, place = obstacle
                    found.setdefault((rule.name, place, subnet.id), []).append(service)
        rules = {each.name: each for each in RULES}
        for (rule_name, place, subnet_id), services in found.items():
            yield Fault(rules[rule_name], place, f"from {subnet_id} to {', '.join(services)}")


def _needs(deployment: Deployment, start: Start) -> Iterator[str]:
    """The names of the endpoints of the services that the tasks need; without repeats."""
    found: dict[str, None] = {}
    for task in [start.task] if start.task else tasks_of(deployment):
        for each in containers_of(deployment, task):
            if from_ecr(deployment, each.image):
                found |= dict.fromkeys(("ecr.api", "ecr.dkr", "s3"))
            elif is_known(each.image):
                found["the internet"] = None
            if each.log:
                found["logs"] = None
            for secret in each.secrets:
                if service := service_of(deployment, secret):
                    found[service] = None
    yield from found


def _obstacle(
    deployment: Deployment, start: Start, subnet: Resource, service: str
) -> tuple[Rule, str] | None:
    """The rule that stops the way from a subnet to a service, and its place."""
    table = _table_of(deployment, subnet)
    endpoints = [each for each in deployment.of("EC2::VPCEndpoint") if _serves(each, service)]
    if any(
        _is_gateway(each)
        and table
        and _names(deployment, each.properties.get("RouteTableIds"), table)
        for each in endpoints
    ):
        return None
    near = [
        each
        for each in endpoints
        if not _is_gateway(each) and each.properties.get("VpcId") == subnet.properties.get("VpcId")
    ]
    for each in near:
        if not _is_true(each.properties.get("PrivateDnsEnabled")):
            continue  # the name of the service has still its public address
        if _lets_in(deployment, each, start, subnet):
            return None
        return ENDPOINT_CLOSED, each.at("SecurityGroupIds")
    route = _default_route(deployment, table) if table else None
    if route is None:
        if near:
            return NO_PRIVATE_DNS, near[0].at("PrivateDnsEnabled")
        return _RULE_OF[service], start.place
    has_none = str(start.network.get("AssignPublicIp", "DISABLED")) == "DISABLED"
    if has_none and _leads_to_internet_gateway(deployment, route):
        return NO_ADDRESS, f"{start.place}.AssignPublicIp"
    return None


def _is_true(value: object) -> bool:
    return str(value).lower() == "true"


def _is_gateway(endpoint: Resource) -> bool:
    return str(endpoint.properties.get("VpcEndpointType", "Gateway")) == "Gateway"


def _serves(endpoint: Resource, service: str) -> bool:
    return str(endpoint.properties.get("ServiceName", "")).endswith(f".{service}")


def _names(deployment: Deployment, values: object, one: Resource) -> bool:
    return isinstance(values, list) and any(deployment.find(each) is one for each in values)


def _table_of(deployment: Deployment, subnet: Resource) -> Resource | None:
    """The route table of a subnet; without one it has the VPC's main one, which leads nowhere."""
    for each in deployment.of("EC2::SubnetRouteTableAssociation"):
        if deployment.find(each.properties.get("SubnetId")) is subnet:
            return deployment.find(each.properties.get("RouteTableId"))
    return None


def _default_route(deployment: Deployment, table: Resource) -> Mapping[str, Any] | None:
    for each in deployment.of("EC2::Route"):
        to = each.properties.get("DestinationCidrBlock")
        if to == "0.0.0.0/0" and deployment.find(each.properties.get("RouteTableId")) is table:
            return each.properties
    return None


def _leads_to_internet_gateway(deployment: Deployment, route: Mapping[str, Any]) -> bool:
    gateway = route.get("GatewayId")
    own = deployment.find(gateway)
    return own.type == "AWS::EC2::InternetGateway" if own else str(gateway).startswith("igw-")


def _lets_https_out(deployment: Deployment, names: list[str]) -> bool:
    groups = [deployment.find(each) for each in names]
    known = [each for each in groups if each and each.type == "AWS::EC2::SecurityGroup"]
    if not known or len(known) < len(groups):
        return True
    return any(_out_of(deployment, each) for each in known)


def _out_of(deployment: Deployment, group: Resource) -> bool:
    rules = group.properties.get("SecurityGroupEgress")
    if rules is None:
        return True  # all may go out of a group without rules
    more = _rules_of(deployment, group, "EC2::SecurityGroupEgress")
    return any(_is_https(each) for each in [*rules, *more])


def _rules_of(deployment: Deployment, group: Resource, kind: str) -> Iterator[Mapping[str, Any]]:
    for each in deployment.of(kind):
        if deployment.find(each.properties.get("GroupId")) is group:
            yield each.properties


def _is_https(rule: Mapping[str, Any]) -> bool:
    protocol = str(rule.get("IpProtocol"))
    if protocol == "-1":
        return True
    ports = rule.get("FromPort", -1), rule.get("ToPort", -1)
    if protocol not in ("tcp", "6") or not is_known(ports):
        return protocol in ("tcp", "6")
    return int(ports[0]) <= 443 <= int(ports[1])


def _lets_in(deployment: Deployment, endpoint: Resource, start: Start, subnet: Resource) -> bool:
    names = endpoint.properties.get("SecurityGroupIds")
    if not isinstance(names, list):
        return True
    groups = [deployment.find(each) for each in names]
    if any(each is None or each.type != "AWS::EC2::SecurityGroup" for each in groups):
        return True
    for group in groups:
        assert group is not None
        rules = [
            *group.properties.get("SecurityGroupIngress", ()),
            *_rules_of(deployment, group, "EC2::SecurityGroupIngress"),
        ]
        if any(_is_https(each) and _from(deployment, each, start, subnet) for each in rules):
            return True
    return False


def _from(deployment: Deployment, rule: Mapping[str, Any], start: Start, subnet: Resource) -> bool:
    """Whether a rule's source holds the task."""
    if source := rule.get("SourceSecurityGroupId"):
        own = [deployment.find(each) for each in start.listed("SecurityGroups")]
        named = deployment.find(source)
        return named is None or None in own or named in own
    source, block = rule.get("CidrIp"), subnet.properties.get("CidrBlock")
    if source is None or not is_known([source, block]):
        return source is not None
    return ipaddress.IPv4Network(str(block)).subnet_of(ipaddress.IPv4Network(str(source)))


CHECKS = (check_network,)
