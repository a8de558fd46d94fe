"""Unpacks images for a run as a task."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from harness.images.layout import Image, read_image
from harness.images.unpacked import unpack
from harness.model import HarnessError
from harness.scratch import scratch
from harness.targets.local.task_bundle import Root
from harness.terminal import Progress
from harness.toolchain.programs import host_architecture
from harness.verify.task_runs import Unpacked


@contextmanager
def unpacked(
    folder: Path, languages: Sequence[str], progress: Progress
) -> Iterator[dict[str, Unpacked]]:
    """language -> its image for this machine, unpacked. Every hash is checked."""
    with scratch("roots") as roots:
        made = {}
        for language in languages:
            progress(f"unpacking the image of {language}")
            image = read_image(folder / language, host_architecture())
            root = roots / language
            root.mkdir()
            unpack(image, root)
            made[language] = _as_configured(image, root)
        yield made


def _as_configured(image: Image, root: Path) -> Unpacked:
    told = image.config["config"]
    user = str(told.get("User", "")).partition(":")[0]
    if not user.isdecimal() or user == "0":
        raise HarnessError(f"the image's user is {user or 'root'!r}: a task needs another number")
    env = dict(each.split("=", 1) for each in told["Env"])
    return Unpacked(Root(root, int(user)), told["Entrypoint"], Path(told["WorkingDir"]), env)
