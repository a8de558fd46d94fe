"""Answers about the task definitions and those that start them, for several themes."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from harness.preflight.model import Deployment, Resource, mapping, mappings, sequence
from harness.preflight.resolve import is_known

_TASK = "ECS::TaskDefinition"
_ECR = re.compile(r"([^/.]+)\.dkr[.-]ecr(?:-fips)?\.([^/.]+)\.[^/]+/(.+)")
_TAG = re.compile(r"(.+?)(?<!:):(?!:)([^/]+)")  # the host may have a port, and ${...} has "::"
_NUMBER = re.compile(r'"(?:[^"\\]|\\.)*"|\$\{[^}]*\}')


@dataclass(frozen=True, slots=True)
class Reference:
    """The parts of an image's text; ``registry`` is the account and the region of ECR."""

    name: str
    tag: str
    digest: str
    registry: tuple[str, str] | None
    repository: str


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
        log = mapping(self.properties.get("LogConfiguration"))
        return mapping(log.get("Options")) if log.get("LogDriver") == "awslogs" else {}

    @property
    def secrets(self) -> list[str]:
        """Where the secrets come from: ARNs, or names in the Parameter Store."""
        found = [str(e.get("ValueFrom", "")) for e in mappings(self.properties.get("Secrets"))]
        private = mapping(self.properties.get("RepositoryCredentials"))
        return found + [str(each) for each in private.values()]


@dataclass(frozen=True, slots=True)
class Start:
    """The network that a service, a schedule or a state machine gives to tasks.

    ``tasks`` are those of the deployment that it may run: none if it names one of elsewhere.
    """

    by: Resource
    path: str
    network: Mapping[str, Any]
    tasks: tuple[Resource, ...]
    fargate: bool | None

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
        if task not in (None, each):
            continue
        definitions = each.properties.get("ContainerDefinitions")
        if isinstance(definitions, str):
            deployment.skip(each.at("ContainerDefinitions"))
        for index, properties in enumerate(sequence(definitions)):
            if isinstance(properties, Mapping):
                yield Container(each, index, properties)
            else:
                deployment.skip(each.at(f"ContainerDefinitions[{index}]"))


def on_fargate(deployment: Deployment, task: Resource) -> bool:
    """Whether a task definition says so, or who runs it."""
    said = task.properties.get("RequiresCompatibilities")
    if "FARGATE" in (said if isinstance(said, list) else [said]):
        return True
    return any(
        _launch(node) and task in (_named(deployment, node) or ())
        for resource in deployment.resources.values()
        for node in _nodes(deployment, resource)
    )


def reference(image: str) -> Reference:
    name, _, digest = image.partition("@")
    tagged = _TAG.fullmatch(name)
    name, tag = tagged.groups() if tagged else (name, "")
    own = _ECR.fullmatch(name)
    return Reference(name, tag, digest, own and (own[1], own[2]), own[3] if own else "")


def repository_of(deployment: Deployment, image: str) -> Resource | None:
    """The repository of an image, if it is one of this deployment."""
    it = reference(image)
    for name in (it.name, it.repository):
        if own := deployment.find(name, "ECR::Repository"):
            return own
    same = (r for r in deployment.of("ECR::Repository") if _is_named(r, it.repository))
    return next(same, None)


def _is_named(repository: Resource, name: str) -> bool:
    return bool(name) and repository.properties.get("RepositoryName") == name


def from_ecr(deployment: Deployment, image: str) -> bool:
    """Whether an image comes from a private registry of ECR."""
    return reference(image).registry is not None or repository_of(deployment, image) is not None


def service_of(deployment: Deployment, secret: str) -> str | None:
    """The service that has a secret; ``None`` if its name does not tell."""
    if deployment.find(secret, "SSM::Parameter"):
        return "ssm"
    if deployment.find(secret, "SecretsManager::Secret") or ":secretsmanager:" in secret:
        return "secretsmanager"
    return "ssm" if ":ssm:" in secret or is_known(secret) else None


def starts_of(deployment: Deployment) -> Iterator[Start]:
    """Each network configuration, wherever a resource has it."""
    for resource in deployment.resources.values():
        start = Start(resource, "", {}, tuple(tasks_of(deployment)), None)
        yield from _starts(deployment, start, resource.properties)


def _starts(deployment: Deployment, outer: Start, node: object) -> Iterator[Start]:
    """Those in a node; it has what ``outer`` says unless it says otherwise."""
    node = _opened(deployment, outer.by, outer.path, node)
    if isinstance(node, list):
        for index, each in enumerate(node):
            yield from _starts(deployment, replace(outer, path=f"{outer.path}[{index}]"), each)
    if not isinstance(node, Mapping):
        return
    tasks, launch = _named(deployment, node), _launch(node)
    outer = replace(
        outer,
        tasks=outer.tasks if tasks is None else tasks,
        fargate=outer.fargate if launch is None else launch,
    )
    for key, each in node.items():
        inner = replace(outer, path=f"{outer.path}.{key}".lstrip("."))
        if str(key).lower() == "awsvpcconfiguration" and isinstance(each, Mapping):
            yield replace(inner, network=each)
        else:
            yield from _starts(deployment, inner, each)


def _nodes(deployment: Deployment, by: Resource) -> Iterator[Mapping[str, Any]]:
    """The mappings of a resource, at all depths."""
    waiting: list[tuple[str, object]] = [("", by.properties)]
    while waiting:
        path, node = waiting.pop()
        node = _opened(deployment, by, path, node)
        if isinstance(node, Mapping):
            yield node
            waiting += [(str(key), each) for key, each in node.items()]
        elif isinstance(node, list):
            waiting += [("", each) for each in node]


def _opened(deployment: Deployment, by: Resource, path: str, node: object) -> object:
    """The definition of a state machine as data. A number that is not known is 0 in it."""
    if not isinstance(node, str) or path != "DefinitionString":
        return node
    for name, value in mapping(by.properties.get("DefinitionSubstitutions")).items():
        node = node.replace(f"${{{name}}}", str(value))
    text = _NUMBER.sub(lambda found: found[0] if found[0].startswith('"') else "0", node)
    try:
        return json.loads(text)
    except ValueError:
        deployment.skip(by.at(path))
        return None


def _named(deployment: Deployment, node: Mapping[str, Any]) -> tuple[Resource, ...] | None:
    """The task definitions that a node names: none of elsewhere; ``None`` if it names none."""
    names = ("TaskDefinition", "TaskDefinitionArn", "TaskDefinition.$")
    value = next((node[each] for each in names if each in node), None)
    if value is None:
        return None
    if own := deployment.find(value, _TASK):
        return (own,)
    family = re.sub(r":[0-9]+$", "", str(value).rpartition("/")[2])
    return tuple(t for t in deployment.of(_TASK) if t.properties.get("Family") == family)


def _launch(node: Mapping[str, Any]) -> bool | None:
    """Whether a node runs tasks on Fargate; ``None`` if it does not tell."""
    if isinstance(own := node.get("LaunchType"), str):
        return own == "FARGATE" if is_known(own) else None
    strategy = node.get("CapacityProviderStrategy")
    providers = [each.get("CapacityProvider") for each in mappings(strategy)]
    return any(str(each).startswith("FARGATE") for each in providers) if providers else None
