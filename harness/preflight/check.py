"""The faults of a template or of a stack, and all rules: other rooms import from here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.model import UsageError
from harness.preflight import image, logs, network, roles, service, size
from harness.preflight.layout import read_layout
from harness.preflight.model import Deployment, Fault, Resource, Rule
from harness.preflight.resolve import is_known, load_template, resolved, without_value
from harness.preflight.tasks import containers_of, reference

_THEMES = (network, roles, logs, image, size, service)
#: Theme -> its rules, in the order of the documents.
RULES: Mapping[str, tuple[Rule, ...]] = {
    each.__name__.rpartition(".")[2]: each.RULES for each in _THEMES
}


def faults_of(deployment: Deployment) -> list[Fault]:
    """All faults, by theme; what the rules can't judge is then in ``deployment.unknown``."""
    checks = [check for theme in _THEMES for check in theme.CHECKS]
    return [fault for check in checks for fault in check(deployment)]


def read_template(path: Path, given: Mapping[str, str], layout: Path | None = None) -> Deployment:
    """A template with these values of its parameters, and the image of its containers.

    ``layout`` is the folder of the image. A container has it if it names its digest, or if it is
    the only one without a digest that is known. Raises ``UsageError`` if no container has it.
    """
    deployment = deployed(load_template(path), given)
    return deployment if layout is None else _with_image(deployment, layout)


def deployed(template: Mapping[str, Any], given: Mapping[str, str]) -> Deployment:
    """The resources of a template with these values of its parameters."""
    found = resolved(template, given)
    resources = {
        name: Resource(name, str(each.get("Type")), each["Properties"])
        for name, each in found.items()
        if isinstance(each["Properties"], dict)
    }
    deployment = Deployment(resources)
    for name in (*without_value(template, given), *(found.keys() - resources.keys())):
        deployment.skip(name)
    for resource in resources.values():
        if "${Fn::Transform" in str(resource.properties):
            deployment.skip(resource.id)
    return deployment


def _with_image(deployment: Deployment, layout: Path) -> Deployment:
    made = read_layout(layout)
    by_digest = {each.digest: each for each in made}
    digests = {each.image: reference(each.image).digest for each in containers_of(deployment)}
    images = {name: by_digest[each] for name, each in digests.items() if each in by_digest}
    open_ones = [name for name, each in digests.items() if not each or not is_known(each)]
    if not images and len(open_ones) == 1:
        images = {open_ones[0]: made[0]}
    if not images:
        count = "no container has" if not open_ones else "not known which container has"
        raise UsageError(f"{layout} has {', '.join(by_digest)}: {count} this image")
    return replace(deployment, images=images)
