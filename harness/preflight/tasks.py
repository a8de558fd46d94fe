"""What several themes ask of the task definitions and of those that start them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from harness.preflight.model import Deployment, Resource
from harness.preflight.resolve import is_known

_TASK = "ECS::TaskDefinition"
_ECR = re.compile(r"\.dkr[.-]ecr[.-]")


@dataclass(frozen=True, slots=True)
class Container:
    """A container of a task definition, and the path of its properties."""

    task: Resource
    index: int
    properties: Mapping[str, Any]

    def at(self, path: str) -> str:
        return self.task.at(f"ContainerDefinitions[{self.index}].{path}")

    @property
    def image(self) -> str:
        return str(self.properties.get("Image", ""))

    @property
    def log(self) -> Mapping[str, Any]:
        """The options of ``awslogs``; empty with another driver, or without one."""
        log = self.properties.get("LogConfiguration", {})
        options: Mapping[str, Any] = log.get("Options", {})
        return options if log.get("LogDriver") == "awslogs" else {}

    @property
    def secrets(self) -> list[str]:
        """Where the secrets come from: ARNs, or names in the Parameter Store."""
        found = [str(each.get("ValueFrom", "")) for each in self.properties.get("Secrets", ())]
        private = self.properties.get("RepositoryCredentials", {})
        return found + [str(each) for each in private.values()]


@dataclass(frozen=True, slots=True)
class Start:
    """The network that a service, a schedule or a state machine gives to a task."""

    by: Resource
    path: str
    network: Mapping[str, Any]
    task: Resource | None

    @property
    def place(self) -> str:
        return self.by.at(self.path)

    def listed(self, name: str) -> list[str]:
        """The subnets or the security groups; one text if the list is a parameter's."""
        value = self.network.get(name, [])
        return [str(each) for each in value] if isinstance(value, list) else [str(value)]


def tasks_of(deployment: Deployment) -> Iterator[Resource]:
    yield from deployment.of(_TASK)


def containers_of(deployment: Deployment, task: Resource | None = None) -> Iterator[Container]:
    """The containers of a task definition; without one, of all."""
    for each in deployment.of(_TASK):
        if task in (None, each):
            for index, properties in enumerate(each.properties.get("ContainerDefinitions", ())):
                yield Container(each, index, properties)


def on_fargate(task: Resource) -> bool:
    return "FARGATE" in task.properties.get("RequiresCompatibilities", ())


def from_ecr(deployment: Deployment, image: str) -> bool:
    """Whether an image comes from a private registry of ECR."""
    repository = deployment.find(image.partition("@")[0].partition(":")[0])
    is_ours = repository is not None and repository.type == "AWS::ECR::Repository"
    return is_ours or bool(_ECR.search(image))


def service_of(deployment: Deployment, secret: str) -> str | None:
    """The service that has a secret; ``None`` if its name does not tell."""
    found = deployment.find(secret)
    if found is not None:
        return "ssm" if found.type == "AWS::SSM::Parameter" else "secretsmanager"
    if ":secretsmanager:" in secret:
        return "secretsmanager"
    return "ssm" if ":ssm:" in secret or is_known(secret) else None


def starts_of(deployment: Deployment) -> Iterator[Start]:
    """Each network configuration, wherever a resource has it."""
    for resource in deployment.resources.values():
        yield from _starts(deployment, resource, resource.properties, "", None)


def _starts(
    deployment: Deployment, by: Resource, node: object, path: str, task: Resource | None
) -> Iterator[Start]:
    if isinstance(node, str) and path.endswith("DefinitionString"):
        node = _parsed(node)
    if isinstance(node, list):
        for index, each in enumerate(node):
            yield from _starts(deployment, by, each, f"{path}[{index}]", task)
    if not isinstance(node, Mapping):
        return
    task = _named_task(deployment, node) or task
    for key, each in node.items():
        below = f"{path}.{key}".lstrip(".")
        if key.lower() == "awsvpcconfiguration" and isinstance(each, Mapping):
            yield Start(by, below, each, task)
        else:
            yield from _starts(deployment, by, each, below, task)


def _parsed(text: str) -> object:
    """A definition of a state machine; text that is no JSON has no network."""
    try:
        return json.loads(text)
    except ValueError:
        return None


def _named_task(deployment: Deployment, node: Mapping[str, Any]) -> Resource | None:
    value = node.get("TaskDefinition", node.get("TaskDefinitionArn"))
    found = deployment.find(value)
    if found is None:
        same = (each for each in deployment.of(_TASK) if each.properties.get("Family") == value)
        found = next(same, None) if value else None
    return found
