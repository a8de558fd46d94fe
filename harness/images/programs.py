"""The part of an image above its runtime: the package of a language, or the feed's client."""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.build.third_party.collect import collect
from harness.build.third_party.licences import (
    FILE,
    Licences,
    not_allowed,
    read,
    rules,
    write,
)
from harness.images.layers import Layer
from harness.images.runtime_layers import PLACE, folder_layer
from harness.model import Artefact, HarnessError
from harness.scratch import scratch
from harness.targets.local.runtimes import task_words
from harness.terminal import Progress
from harness.toolchain.paths import ROOT
from harness.toolchain.programs import find_uv, run

_OWN_LICENCE = "MIT"

FEED_CLIENT = "feed-client"
_CLIENT_RUNTIME = "python3.13"
_CLIENT = "harness/feed/client"
#: What the client imports, and what this needs in turn: uv refuses a list with a gap.
_CLIENT_LIBRARIES = (
    *("boto3", "botocore", "jmespath", "msgspec", "python-dateutil"),
    *("s3transfer", "six", "urllib3", "websockets"),
)
#: The only services whose description the client reads; botocore has 29 MB of them.
_CLIENT_SERVICES = ("kinesis", "ssm")
#: As uv names the platforms; Debian 13 has a newer C library.
_WHEELS = {"x86_64": "x86_64-manylinux_2_28", "arm64": "aarch64-manylinux_2_28"}


@dataclass(frozen=True, slots=True)
class Program:
    """``runtime`` is named as in the template; the layers stand upon its own."""

    name: str
    description: str
    runtime: str
    layers: Sequence[Layer]
    entry: Sequence[str]
    licences: str


def of_package(artefact: Artefact, memory_mb: int) -> Program:
    """The package as a task, at the place that it has in Lambda."""
    made = artefact.implementation
    language = made.language
    package = folder_layer(f"package-{language}", f"the package of {language}", artefact.folder)
    return Program(
        name=language,
        description="A day of CloudTrail sources to few large chunks, as a task",
        runtime=made.runtime,
        layers=[package],
        entry=[str(word) for word in task_words(made, Path("/", PLACE), memory_mb)],
        licences=_expression(read((artefact.folder / FILE).read_text())),
    )


def feed_client(architecture: str, progress: Progress) -> Program:
    """The client of feed.yaml. Its libraries are wheels, by the hashes of requirements.txt."""
    with scratch(FEED_CLIENT) as place:
        lock = place / "requirements.txt"
        lock.write_text(_locked((ROOT / lock.name).read_text()))
        progress(f"fetching the libraries of {FEED_CLIENT} for {architecture}")
        licences = _install(lock, architecture, place / "libraries")
        _copy_client(place / "client")
        libraries = folder_layer(
            f"{FEED_CLIENT}-libraries",
            ", ".join(re.findall(r"^\S+==\S+", lock.read_text(), re.MULTILINE)),
            place / "libraries",
        )
        client = folder_layer(FEED_CLIENT, _CLIENT, place / "client")
    return Program(
        name=FEED_CLIENT,
        description="From a WebSocket stream into Kinesis",
        runtime=_CLIENT_RUNTIME,
        layers=[libraries, client],
        entry=["python3", "-m", _CLIENT.replace("/", ".")],
        licences=_expression(licences),
    )


def _locked(whole: str) -> str:
    """The lines of the client's libraries in a lock that has more."""
    blocks = re.findall(r"^(([a-z0-9-]+)==.*\n(?:    --hash=.*\n)+)", whole, re.MULTILINE)
    return "".join(block for block, name in blocks if name in _CLIENT_LIBRARIES)


def _install(lock: Path, architecture: str, to: Path) -> Licences:
    """The files of the wheels, without those of the installer, and the licences of all."""
    run(
        [
            *(find_uv(), "pip", "install", "--quiet", "--link-mode", "copy"),
            *("--only-binary", ":all:", "--require-hashes", "--requirements", lock),
            *("--python-version", _CLIENT_RUNTIME.removeprefix("python")),
            *("--python-platform", _WHEELS[architecture], "--target", to),
        ],
        "uv pip install",
    )
    # programs for a shell, which name this machine's interpreter, and their hashes
    shutil.rmtree(to / "bin")
    (to / ".lock").unlink(missing_ok=True)
    for record in to.glob("*.dist-info/RECORD"):
        record.unlink()
    for service in (to / "botocore/data").iterdir():
        if service.is_dir() and service.name not in _CLIENT_SERVICES:
            shutil.rmtree(service)
    licences = collect(lock.parent)
    if refused := [*not_allowed(licences, rules().allowed)]:
        raise HarnessError("\n".join(refused))
    (to / FILE).write_text(write(licences))
    return licences


def _copy_client(to: Path) -> None:
    """The client imports nothing else of the harness but the packages that it is in."""
    shutil.copytree(ROOT / _CLIENT, to / _CLIENT, ignore=shutil.ignore_patterns("__pycache__"))
    for above in Path(_CLIENT).parents[:-1]:
        shutil.copy(ROOT / above / "__init__.py", to / above)
    shutil.copy(ROOT / "LICENSE", to)


def _expression(licences: Licences) -> str:
    """As one expression. The licences below the layers are in /usr/share/doc."""
    parts = {_OWN_LICENCE}
    for each in licences.stated.values():
        parts |= {f"({each})"} if " OR " in each else {*each.split(" AND ")}
    return " AND ".join(sorted(parts))
