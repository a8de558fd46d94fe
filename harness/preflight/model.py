"""The input of the rules, and their findings."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from harness.preflight.resolve import attribute_of, told


class Seen(StrEnum):
    """Where the error of ECS is seen."""

    STOPPED = "stoppedReason of the task"
    SERVICE = "event of the service"
    STACK = "event of the stack"
    LOG = "log of the container"
    CALLER = "answer to the request that starts the task"
    DEFINITION = "task definition"


@dataclass(frozen=True, slots=True)
class Rule:
    """A reason why a task does not run.

    ``error`` is the text that ECS shows, with an ellipsis for what differs; ``sources`` are the
    pages that quote it or that tell the rule.
    """

    name: str
    what: str
    error: str
    seen: Seen
    remedy: str
    sources: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Fault:
    """A rule that a deployment breaks. ``place`` is a resource and its property."""

    rule: Rule
    place: str
    detail: str


@dataclass(frozen=True, slots=True)
class Resource:
    """A resource of CloudFormation, with resolved properties."""

    id: str
    type: str
    properties: Mapping[str, Any]

    def at(self, path: str) -> str:
        return f"{self.id}.{path}"


@dataclass(frozen=True, slots=True)
class Image:
    """An image that can be looked into, as a folder or in ECR; ``None`` for what is not known."""

    digest: str
    platforms: frozenset[str]


@dataclass(frozen=True, slots=True)
class Deployment:
    """The resources of a template or of a stack.

    ``images`` maps the reference of an image to what is known of it, and to ``None`` if its
    registry has none. ``absent`` has the roles that AWS has not. Another name that no resource has
    may exist elsewhere: nothing is found in it, and ``unknown`` has it.
    """

    resources: Mapping[str, Resource]
    images: Mapping[str, Image | None] = field(default_factory=dict)
    absent: frozenset[str] = frozenset()
    unknown: dict[str, None] = field(default_factory=dict)

    def of(self, *kinds: str) -> Iterator[Resource]:
        """The resources of some kinds, such as ``ECS::Service``."""
        types = {f"AWS::{kind}" for kind in kinds}
        yield from (each for each in self.resources.values() if each.type in types)

    def find(self, value: object, *kinds: str) -> Resource | None:
        """The resource of one of these kinds that a ``Ref``, a ``Fn::GetAtt`` or an id names."""
        if not isinstance(value, str):
            return None
        found = self.resources.get(attribute_of(value) or value)
        return found if found and found.type in {f"AWS::{kind}" for kind in kinds} else None

    def skip(self, what: object) -> None:
        """Note what the rules can't judge."""
        self.unknown[told(str(what))] = None


# A property may have another form than a rule expects: it is refused later, or its value is not
# known. Such a property has nothing in it.


def mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def sequence(value: object) -> Sequence[Any]:
    """A list; CloudFormation takes one mapping for a list of one."""
    if isinstance(value, list | tuple):
        return value
    return [value] if isinstance(value, Mapping) else []


def mappings(value: object) -> list[Mapping[str, Any]]:
    return [each for each in sequence(value) if isinstance(each, Mapping)]


#: Finds the faults of one rule or of some that look at the same properties.
type Check = Callable[[Deployment], Iterator[Fault]]
