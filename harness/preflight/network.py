"""The ways from a task's subnets to the registry, to S3, to the logs and to the secrets.

On Fargate ECS itself goes these ways, through the task's own network interface.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from ipaddress import IPv4Network
from typing import Any

from harness.preflight.model import Deployment, Fault, Resource, Rule, Seen
from harness.preflight.resolve import is_known, is_opaque, told
from harness.preflight.tasks import (
    Start,
    containers_of,
    from_ecr,
    on_fargate,
    service_of,
    starts_of,
    tasks_of,
)

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
    starts = list(starts_of(deployment))
    started = [task for start in starts for task in start.tasks]
    for task in tasks_of(deployment):
        if task not in started and on_fargate(deployment, task):
            deployment.skip(f"the network of {task.id}, which nothing here runs")
    for start in starts:
        needs = _needs(deployment, start)
        if needs and not _lets_https_out(deployment, start.listed("SecurityGroups")):
            yield Fault(
                NO_HTTPS_OUT, start.place, f"by {', '.join(start.listed('SecurityGroups'))}"
            )
        found: dict[tuple[str, str, str], list[str]] = {}
        for name in start.listed("Subnets") if needs else ():
            subnet = deployment.find(name, "EC2::Subnet")
            if subnet is None or not _is_whole(deployment, subnet):
                deployment.skip(f"the ways out of {told(name)}")
                continue
            for service in needs:
                if obstacle := _obstacle(deployment, start, subnet, service):
                    rule, place = obstacle
                    found.setdefault((rule.name, place, subnet.id), []).append(service)
        rules = {each.name: each for each in RULES}
        for (rule_name, place, subnet_id), services in found.items():
            yield Fault(rules[rule_name], place, f"from {subnet_id} to {', '.join(services)}")


def _is_whole(deployment: Deployment, subnet: Resource) -> bool:
    """Whether its VPC and its route table are here, so that no other way can exist elsewhere."""
    link = _link_of(deployment, subnet)
    known = deployment.find(subnet.properties.get("VpcId"), "EC2::VPC")
    return known is not None and (link is None or _table_of(deployment, subnet) is not None)


def _needs(deployment: Deployment, start: Start) -> list[str]:
    """The names of the endpoints of the services that ECS needs for the tasks.

    Without Fargate the instance goes there by its own interface.
    """
    found: dict[str, None] = {}
    for task in start.tasks:
        fargate = on_fargate(deployment, task) if start.fargate is None else start.fargate
        for each in containers_of(deployment, task) if fargate else ():
            if from_ecr(deployment, each.image):
                found |= dict.fromkeys(("ecr.api", "ecr.dkr", "s3"))
            elif is_known(each.image):
                found["the internet"] = None
            if each.log:
                found["logs"] = None
            for secret in each.secrets:
                if service := service_of(deployment, secret):
                    found[service] = None
    return list(found)


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
        if not _is_gateway(each) and _is_same_vpc(deployment, each, subnet)
    ]
    for each in near:
        if not _is_true(each.properties.get("PrivateDnsEnabled")):
            continue  # the name of the service has still its public address
        if _lets_in(deployment, each, start, subnet):
            return None
        return ENDPOINT_CLOSED, each.at("SecurityGroupIds")
    routes = _default_routes(deployment, table) if table else []
    if not routes:
        if near:
            return NO_PRIVATE_DNS, near[0].at("PrivateDnsEnabled")
        return _RULE_OF[service], start.place
    has_none = str(start.network.get("AssignPublicIp", "DISABLED")) == "DISABLED"
    if has_none and all(_leads_to_internet_gateway(deployment, each) for each in routes):
        return NO_ADDRESS, f"{start.place}.AssignPublicIp"
    return None


def _is_true(value: object) -> bool:
    return str(value).lower() == "true"


def _is_gateway(endpoint: Resource) -> bool:
    return str(endpoint.properties.get("VpcEndpointType", "Gateway")) == "Gateway"


def _serves(endpoint: Resource, service: str) -> bool:
    return str(endpoint.properties.get("ServiceName", "")).endswith(f".{service}")


def _is_same_vpc(deployment: Deployment, endpoint: Resource, subnet: Resource) -> bool:
    named = endpoint.properties.get("VpcId")
    own = deployment.find(subnet.properties.get("VpcId"), "EC2::VPC")
    return deployment.find(named, "EC2::VPC") is own or is_opaque(named)


def _names(deployment: Deployment, values: object, one: Resource) -> bool:
    """Whether one of the values is the table, or may be it."""
    if isinstance(values, list):
        return any(_names(deployment, each, one) for each in values)
    found = deployment.find(values, "EC2::RouteTable")
    return found is one or (found is None and is_opaque(values))


def _link_of(deployment: Deployment, subnet: Resource) -> Resource | None:
    for each in deployment.of("EC2::SubnetRouteTableAssociation"):
        if deployment.find(each.properties.get("SubnetId"), "EC2::Subnet") is subnet:
            return each
    return None


def _table_of(deployment: Deployment, subnet: Resource) -> Resource | None:
    """The route table of a subnet; without one it has the VPC's main one, which leads nowhere."""
    link = _link_of(deployment, subnet)
    return link and deployment.find(link.properties.get("RouteTableId"), "EC2::RouteTable")


def _default_routes(deployment: Deployment, table: Resource) -> list[Mapping[str, Any]]:
    return [
        each.properties
        for each in deployment.of("EC2::Route")
        if _names(deployment, each.properties.get("RouteTableId"), table)
        and str(each.properties.get("DestinationCidrBlock")).startswith(("0.0.0.0/0", "${"))
    ]


def _leads_to_internet_gateway(deployment: Deployment, route: Mapping[str, Any]) -> bool:
    gateway = route.get("GatewayId")
    own = deployment.find(gateway, "EC2::InternetGateway")
    return own is not None or str(gateway).startswith("igw-")


def _groups(deployment: Deployment, names: Iterable[object]) -> list[Resource] | None:
    """The security groups of these names; ``None`` if one of them is made elsewhere."""
    found = [deployment.find(each, "EC2::SecurityGroup") for each in names]
    known = [each for each in found if each is not None]
    return known if len(known) == len(found) else None


def _lets_https_out(deployment: Deployment, names: list[str]) -> bool:
    groups = _groups(deployment, names)
    return not groups or any(_out_of(deployment, each) for each in groups)


def _out_of(deployment: Deployment, group: Resource) -> bool:
    if "SecurityGroupEgress" not in group.properties:
        return True  # all may go out of a group without rules
    return any(_is_https(each) for each in _rules_of(deployment, group, "SecurityGroupEgress"))


def _rules_of(deployment: Deployment, group: Resource, kind: str) -> list[object]:
    """Its own rules and those that name it. A rule that is not known is a text."""
    own = group.properties.get(kind, [])
    more = [
        each.properties
        for each in deployment.of(f"EC2::{kind}")
        if deployment.find(each.properties.get("GroupId"), "EC2::SecurityGroup") is group
    ]
    return [*(own if isinstance(own, list) else [own]), *more]


def _is_https(rule: object) -> bool:
    """Whether a rule is for HTTPS, or may be for it."""
    if not isinstance(rule, Mapping):
        return True
    protocol = str(rule.get("IpProtocol")).lower()
    if protocol not in ("tcp", "6"):
        return protocol == "-1" or not is_known(protocol)
    low, high = (str(rule.get(each, -1)) for each in ("FromPort", "ToPort"))
    if not low.lstrip("-").isdecimal() or not high.lstrip("-").isdecimal():
        return True
    return int(low) <= 443 <= int(high) or low == "-1"


def _lets_in(deployment: Deployment, endpoint: Resource, start: Start, subnet: Resource) -> bool:
    names = endpoint.properties.get("SecurityGroupIds")
    groups = _groups(deployment, names) if isinstance(names, list) else None
    return groups is None or any(
        _is_https(rule) and _from(deployment, rule, start, subnet)
        for group in groups
        for rule in _rules_of(deployment, group, "SecurityGroupIngress")
    )


def _from(deployment: Deployment, rule: object, start: Start, subnet: Resource) -> bool:
    """Whether a rule's source holds the task, or may hold it."""
    if not isinstance(rule, Mapping) or "SourcePrefixListId" in rule:
        return True
    if source := rule.get("SourceSecurityGroupId"):
        own = _groups(deployment, start.listed("SecurityGroups"))
        named = deployment.find(source, "EC2::SecurityGroup")
        return named is None or own is None or named in own
    if "CidrIp" not in rule:
        return False
    block = subnet.properties.get("CidrBlock")
    try:
        source, inner = (IPv4Network(str(each), strict=False) for each in (rule["CidrIp"], block))
    except ValueError:
        return True
    return inner.subnet_of(source)


CHECKS = (check_network,)
