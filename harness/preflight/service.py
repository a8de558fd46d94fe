"""How ECS starts, watches and stops what runs: deployments, health checks, time-outs, secrets."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from harness.preflight.model import (
    Deployment,
    Fault,
    Resource,
    Rule,
    Seen,
    mapping,
    mappings,
    sequence,
)
from harness.preflight.resolve import is_known, is_opaque
from harness.preflight.tasks import containers_of, on_fargate

_GUIDE = "https://docs.aws.amazon.com/AmazonECS/latest/developerguide"
_LONGEST_STOP_S = 120

NO_BREAKER = Rule(
    "no-circuit-breaker",
    "without a circuit breaker ECS starts a failing task again and again, and the stack waits",
    "Service arn:aws:ecs:...:service/... did not stabilize.",
    Seen.STACK,
    "set DeploymentConfiguration.DeploymentCircuitBreaker to {Enable: true, Rollback: true}; the "
    "stack then fails with 'ECS Deployment Circuit Breaker was triggered'",
    (
        "https://github.com/widdix/aws-cf-templates/issues/355",
        "https://github.com/aws-cloudformation/cloudformation-coverage-roadmap/issues/150",
        "https://github.com/aws-cloudformation/rain/issues/458",
    ),
)
NO_GRACE = Rule(
    "no-grace-period",
    "a load balancer's health checks count from the first second without a grace period",
    "(service ...) (task ...) (port ...) is unhealthy in (target-group ...) due to (reason Health "
    "checks failed)",
    Seen.SERVICE,
    "set HealthCheckGracePeriodSeconds to more than the code needs to start",
    ("https://www.repost.aws/knowledge-center/ecs-fargate-health-check-failures",),
)
NO_START_PERIOD = Rule(
    "no-start-period",
    "a container's health check counts its failures from the start without a start period",
    "(service ...) (task ...) failed container health checks",
    Seen.SERVICE,
    "set HealthCheck.StartPeriod to more than the code needs to start, at most 300",
    (
        "https://aws.amazon.com/premiumsupport/knowledge-center/"
        "ecs-task-container-health-check-failures/",
    ),
)
TARGET_TYPE = Rule(
    "target-group-of-instances",
    "a task with a network interface of its own is a target of the type ip",
    "InvalidParameterException: The provided target group ... has target type instance, which is "
    "incompatible with the awsvpc network mode specified in the task definition.",
    Seen.STACK,
    "set TargetType of the target group to ip",
    (
        "https://github.com/riboseinc/terraform-aws-ecs-gitlab/issues/5",
        "https://github.com/hashicorp/terraform-provider-aws/issues/11723",
    ),
)
NO_NETWORK = Rule(
    "no-network-configuration",
    "a service whose tasks have the network mode awsvpc must name subnets",
    "Invalid request provided: CreateService error: Network Configuration must be provided when "
    "networkMode 'awsvpc' is specified.",
    Seen.STACK,
    "give the service a NetworkConfiguration",
    ("https://github.com/tryretool/retool-onpremise/pull/84",),
)
STOP = Rule(
    "stop-timeout-too-long",
    "Fargate waits at most 120 s between SIGTERM and SIGKILL",
    "exit code 137",
    Seen.STOPPED,
    "set StopTimeout to at most 120, and end the work within it",
    (
        "https://github.com/aws/containers-roadmap/issues/1808",
        "https://github.com/livekit-examples/agent-deployment/issues/20",
    ),
)
PLAIN_SECRET = Rule(
    "secret-in-plain-text",
    "everybody who may read the task definition reads its variables",
    "the variable with its value",
    Seen.DEFINITION,
    "keep it in Secrets Manager or in the Parameter Store, and name it in Secrets",
    (f"{_GUIDE}/specifying-sensitive-data.html",),
)
_SECRET_NAME = re.compile(
    r"PASSWORD|PASSWD|(^|_)(PASS|PWD|SECRET|TOKEN|APIKEY|API_KEY|PRIVATE_KEY|ACCESS_KEY)(_|$)", re.I
)
#: What names a secret, or says something of it.
_NO_SECRET_NAME = re.compile(r"_(ARN|NAME|ID|URL|URI|FILE|PATH)$", re.I)
_NO_SECRET = re.compile(r"arn:.*|true|false|yes|no|[0-9]{1,5}", re.I)


def check_services(deployment: Deployment) -> Iterator[Fault]:
    for service in deployment.of("ECS::Service"):
        properties = service.properties
        controller = _at(properties, "DeploymentController", "Type") or "ECS"
        breaker = _at(properties, "DeploymentConfiguration", "DeploymentCircuitBreaker", "Enable")
        if controller == "ECS" and str(breaker).lower() != "true" and not is_opaque(breaker):
            place = service.at("DeploymentConfiguration.DeploymentCircuitBreaker")
            yield Fault(NO_BREAKER, place, "it is not enabled")
        balancers = mappings(properties.get("LoadBalancers"))
        if balancers and "HealthCheckGracePeriodSeconds" not in properties:
            yield Fault(NO_GRACE, service.at("HealthCheckGracePeriodSeconds"), "it is 0")
        task = deployment.find(properties.get("TaskDefinition"), "ECS::TaskDefinition")
        if task is not None and task.properties.get("NetworkMode") == "awsvpc":
            yield from _awsvpc(deployment, service)


def _at(node: object, *names: str) -> object:
    """The value at a path; what is not known, or not of this form, is so below, too."""
    for name in names:
        node = node.get(name) if isinstance(node, Mapping) else node
    return node


def _awsvpc(deployment: Deployment, service: Resource) -> Iterator[Fault]:
    if "NetworkConfiguration" not in service.properties:
        yield Fault(NO_NETWORK, service.at("NetworkConfiguration"), "there is none")
    for each in mappings(service.properties.get("LoadBalancers")):
        kind = "ElasticLoadBalancingV2::TargetGroup"
        group = deployment.find(each.get("TargetGroupArn"), kind)
        if group is None:
            continue
        kind = str(group.properties.get("TargetType", "instance"))
        if is_known(kind) and kind != "ip":
            yield Fault(TARGET_TYPE, group.at("TargetType"), f"{kind}, for {service.id}")


def check_containers(deployment: Deployment) -> Iterator[Fault]:
    for each in containers_of(deployment):
        health = each.properties.get("HealthCheck")
        if isinstance(health, Mapping) and not health.get("StartPeriod"):
            yield Fault(NO_START_PERIOD, each.at("HealthCheck.StartPeriod"), "it is 0")
        stop = str(each.properties.get("StopTimeout", ""))
        if on_fargate(deployment, each.task) and stop.isdecimal() and int(stop) > _LONGEST_STOP_S:
            yield Fault(STOP, each.at("StopTimeout"), f"{stop} s")
        for index, variable in enumerate(sequence(each.properties.get("Environment"))):
            name = str(mapping(variable).get("Name"))
            if _is_secret(deployment, name, mapping(variable).get("Value")):
                yield Fault(PLAIN_SECRET, each.at(f"Environment[{index}]"), name)


def _is_secret(deployment: Deployment, name: str, value: object) -> bool:
    """Whether a variable has a secret; a secret's ARN or name is none."""
    if not _SECRET_NAME.search(name) or _NO_SECRET_NAME.search(name) or not value:
        return False
    named = deployment.find(value, "SecretsManager::Secret", "SSM::Parameter")
    return named is None and not _NO_SECRET.fullmatch(str(value))


RULES = (*(NO_BREAKER, NO_GRACE, NO_START_PERIOD, TARGET_TYPE, NO_NETWORK, STOP, PLAIN_SECRET),)
CHECKS = (check_services, check_containers)
