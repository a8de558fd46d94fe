"""The image: that it exists, that it stays, and that it is of the task's architecture."""

from __future__ import annotations

from collections.abc import Iterator

from harness.preflight.model import Deployment, Fault, Resource, Rule, Seen, mapping
from harness.preflight.resolve import is_opaque
from harness.preflight.tasks import containers_of, reference, repository_of

_ROADMAP = "https://github.com/aws/containers-roadmap/issues"

TAG = Rule(
    "tag-that-can-move",
    "a tag may name another image tomorrow, and ECS keeps the digest of the first one",
    "CannotPullContainerError: pull image manifest has been retried 1 time(s): failed to resolve "
    "ref ...:tag@sha256:...: not found",
    Seen.STOPPED,
    "name the image by its digest (...@sha256:...), or make the repository's tags immutable",
    (
        f"{_ROADMAP}/2687",
        f"{_ROADMAP}/2493",
        "https://github.com/aws/amazon-ecs-agent/issues/4226",
        "https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ContainerImage.html",
    ),
)
NO_IMAGE = Rule(
    "no-image",
    "the registry has no such image: it was never pushed, or a lifecycle policy has deleted it",
    "CannotPullContainerError: pull image manifest has been retried 1 time(s): failed to resolve "
    "ref ...: not found",
    Seen.STOPPED,
    "push the image, and name its digest",
    (f"{_ROADMAP}/2687", f"{_ROADMAP}/2746"),
)
ARCHITECTURE = Rule(
    "wrong-architecture",
    "RuntimePlatform decides what a task runs on; without it, that is X86_64",
    "exec /usr/local/bin/...: exec format error",
    Seen.LOG,
    "build the image for the platform of the task, or set RuntimePlatform.CpuArchitecture",
    (
        "https://github.com/aws-samples/amazon-bedrock-serverless-prompt-chaining/issues/213",
        "https://github.com/aws/copilot-cli/issues/6095",
        f"{_ROADMAP}/1120",
    ),
)
_PLATFORMS = {"ARM64": "linux/arm64", "X86_64": "linux/amd64"}


def check_images(deployment: Deployment) -> Iterator[Fault]:
    for each in containers_of(deployment):
        place = each.at("Image")
        if not _stays(deployment, each.image):
            yield Fault(TAG, place, each.image)
        if each.image not in deployment.images:
            continue
        image = deployment.images[each.image]
        if image is None:
            yield Fault(NO_IMAGE, place, each.image)
            continue
        wanted = _platform(each.task)
        if wanted and image.platforms and wanted not in image.platforms:
            has = ", ".join(sorted(image.platforms))
            yield Fault(ARCHITECTURE, place, f"the image is for {has}, the task is {wanted}")


def _stays(deployment: Deployment, image: str) -> bool:
    """Whether it names a digest or a tag that can't be moved, or whether it is not known."""
    if reference(image).digest or is_opaque(image):
        return True
    own = repository_of(deployment, image)
    mutability = own.properties.get("ImageTagMutability", "MUTABLE") if own else "MUTABLE"
    return is_opaque(mutability) or str(mutability).startswith("IMMUTABLE")


def _platform(task: Resource) -> str | None:
    platform = task.properties.get("RuntimePlatform")
    if is_opaque(platform):
        return None
    return _PLATFORMS.get(str(mapping(platform).get("CpuArchitecture", "X86_64")))


RULES = (TAG, NO_IMAGE, ARCHITECTURE)
CHECKS = (check_images,)
