"""CPU, memory and network mode that Fargate has; pairs are checked by cfn-lint's own rule."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

from harness.preflight.model import Deployment, Fault, Resource, Rule, Seen
from harness.preflight.resolve import is_known
from harness.preflight.tasks import containers_of, on_fargate, tasks_of

PAIR = Rule(
    "no-such-size",
    "Fargate has certain amounts of memory for each amount of CPU",
    "Invalid request provided: Create TaskDefinition: No Fargate configuration exists for given "
    "values: ... CPU, ... memory. See the Amazon ECS documentation for the valid values.",
    Seen.STACK,
    "take a pair of https://docs.aws.amazon.com/AmazonECS/latest/developerguide/fargate-tasks-"
    "services.html",
    (
        "https://github.com/towardsthecloud/aws-cdk-examples/issues/1",
        "https://github.com/i-dot-ai/redbox/pull/1398",
    ),
)
NO_SIZE = Rule(
    "no-size",
    "Fargate needs CPU and memory of the task, not of its containers",
    "Fargate requires that 'cpu' be defined at the task level.",
    Seen.STACK,
    "set Cpu and Memory of the task definition",
    ("https://github.com/hackoregon/civic-devops/issues/246",),
)
ABOVE_TASK = Rule(
    "container-above-task",
    "no container may have more memory than its task",
    "ClientException: The 'memory' setting for container '...' is greater than for the task.",
    Seen.STACK,
    "lower Memory of the container, or raise that of the task",
    ("https://github.com/pulumi/pulumi-awsx/issues/1220",),
)
MODE = Rule(
    "no-awsvpc",
    "Fargate has the network mode awsvpc only",
    "ClientException: Fargate only supports network mode 'awsvpc'.",
    Seen.STACK,
    "set NetworkMode to awsvpc",
    ("https://github.com/aws/amazon-ecs-cli/issues/1145",),
)


def check_size(deployment: Deployment) -> Iterator[Fault]:
    for task in tasks_of(deployment):
        if not on_fargate(deployment, task):
            continue
        mode = str(task.properties.get("NetworkMode"))
        if mode != "awsvpc" and is_known(mode):
            yield Fault(MODE, task.at("NetworkMode"), mode)
        missing = [each for each in ("Cpu", "Memory") if each not in task.properties]
        for each in missing:
            yield Fault(NO_SIZE, task.at(each), "there is none")
        if not missing:
            yield from _pair(task)
            yield from _containers(deployment, task)


def _pair(task: Resource) -> Iterator[Fault]:
    size = {name: str(task.properties[name]) for name in ("Cpu", "Memory")}
    if not is_known(size):
        return
    if not _has_fargate(**size):
        yield Fault(PAIR, task.at("Memory"), f"{size['Cpu']} CPU, {size['Memory']} memory")


@cache
def _has_fargate(**size: str) -> bool:
    # imported here, because all rules of cfn-lint come with it
    from cfnlint.jsonschema import CfnTemplateValidator
    from cfnlint.rules.resources.ecs.FargateCpuMemory import FargateCpuMemory

    validator = CfnTemplateValidator({}).evolve(schema=FargateCpuMemory().schema)
    return bool(validator.is_valid({"RequiresCompatibilities": ["FARGATE"], **size}))


def _containers(deployment: Deployment, task: Resource) -> Iterator[Fault]:
    most = str(task.properties["Memory"])
    for each in containers_of(deployment, task):
        own = str(each.properties.get("Memory", ""))
        if own.isdecimal() and most.isdecimal() and int(own) > int(most):
            yield Fault(ABOVE_TASK, each.at("Memory"), f"{own} MiB, the task has {most}")


RULES = (PAIR, NO_SIZE, ABOVE_TASK, MODE)
CHECKS = (check_size,)
