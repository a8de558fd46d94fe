"""The door of this room: the faults of a template or of a stack, and all rules."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from harness.model import UsageError
from harness.preflight import image, logs, network, roles, service, size
from harness.preflight.layout import read_layout
from harness.preflight.model import Deployment, Fault, Image, Resource, Rule
from harness.preflight.resolve import is_known, load_template, resolved
from harness.preflight.tasks import containers_of

_THEMES = (network, roles, logs, image, size, service)
#: Theme -> its rules, in the order of the documents.
RULES: Mapping[str, tuple[Rule, ...]] = {
    each.__name__.rpartition(".")[2]: each.RULES for each in _THEMES
}


def faults_of(deployment: Deployment) -> list[Fault]:
    """All faults, by theme."""
    checks = [check for theme in _THEMES for check in theme.CHECKS]
    return [fault for check in checks for fault in check(deployment)]


def read_template(path: Path, given: Mapping[str, str], layout: Path | None = None) -> Deployment:
    """A template with these values of its parameters, and the image of its containers.

    ``layout`` is the folder of the image. A container has it if it names its digest, or none that
    is known. Raises ``UsageError`` if no container has it.
    """
    found = resolved(load_template(path), given)
    resources = {
        name: Resource(name, str(each.get("Type")), each.get("Properties", {}))
        for name, each in found.items()
    }
    deployment = Deployment(resources)
    if layout is None:
        return deployment
    made = read_layout(layout)
    by_digest = {each.digest: each for each in made}
    images: dict[str, Image] = {}
    for name in (each.image for each in containers_of(deployment)):
        digest = name.partition("@")[2]
        own = by_digest.get(digest) if digest and is_known(digest) else made[0]
        if own is not None:
            images[name] = own
    if not images:
        raise UsageError(f"{layout} has {', '.join(by_digest)}: no container has this image")
    return Deployment(resources, images)
