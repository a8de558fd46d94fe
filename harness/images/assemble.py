"""Makes the image of an implementation: the layers of a runtime, its package, and the entry."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.build.third_party.licences import FILE, read
from harness.images.layers import Layer
from harness.images.layout import PLATFORMS, Image, read_image
from harness.images.runtime_layers import PLACE, USER, layers_below, package_layer
from harness.model import Artefact
from harness.targets.local.runtimes import task_words
from harness.terminal import Progress
from harness.toolchain.paths import ROOT

_NO_COMMIT = "1970-01-01T00:00:00Z"
_OWN_LICENCE = "MIT"
_PATH = "/usr/bin:/bin"


@dataclass(frozen=True, slots=True)
class Commit:
    """The state of the checkout: its id, ``-changed`` after it if files differ, and its time."""

    name: str
    time: str


@dataclass(frozen=True, slots=True)
class Recipe:
    """What the user chooses: memory of the task, a base, and the address of the sources."""

    memory_mb: int
    base: Path | None = None
    source: str | None = None


def commit() -> Commit:
    """The commit of this checkout; outside of git there is none."""
    told = _git("log", "-1", "--format=%H %cd", "--date=format-local:%Y-%m-%dT%H:%M:%SZ")
    if told is None:
        return Commit("unknown", _NO_COMMIT)
    name, _, time = told.partition(" ")
    return Commit(f"{name}-changed" if _git("status", "--porcelain") else name, time)


def _git(*words: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", *words],
            cwd=ROOT,
            env={**os.environ, "TZ": "UTC"},
            capture_output=True,
            text=True,
            check=False,
        )
    except OSError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def assemble(
    artefact: Artefact, architecture: str, recipe: Recipe, of: Commit, progress: Progress
) -> Image:
    """The image of an artefact that was built for ``architecture``.

    Raises ``HarnessError`` if ``recipe.base`` has no image for it.
    """
    made = artefact.implementation
    below: list[Layer]
    if recipe.base is None:
        below = layers_below(made, architecture, progress)
        given: dict[str, Any] = {"config": {"Env": [f"PATH={_PATH}"]}}
    else:
        base = read_image(recipe.base, architecture)
        below, given = list(base.layers), dict(base.config)
    package = package_layer(made.language, artefact.folder)
    entry = task_words(made, Path("/", PLACE), recipe.memory_mb)
    config = {
        "created": of.time,
        "architecture": PLATFORMS[architecture],
        "os": "linux",
        "config": {
            "User": f"{USER}:{USER}",
            "Env": given["config"].get("Env", []),
            "Entrypoint": [str(word) for word in entry],
            "WorkingDir": f"/{PLACE}",
            "StopSignal": "SIGTERM",
            "Labels": _labels(artefact, recipe, of),
        },
        "rootfs": {"type": "layers", "diff_ids": [each.diff_id for each in (*below, package)]},
        "history": [
            *(given.get("history") or [_step(each, of) for each in below]),
            _step(package, of),
        ],
    }
    return Image(architecture, config, [*below, package])


def _labels(artefact: Artefact, recipe: Recipe, of: Commit) -> Mapping[str, str]:
    name = "org.opencontainers.image"
    source = {} if recipe.source is None else {f"{name}.source": recipe.source}
    return {
        f"{name}.title": f"rosetta-{artefact.implementation.language}",
        f"{name}.description": "A day of CloudTrail sources to few large chunks, as a task",
        f"{name}.revision": of.name,
        f"{name}.created": of.time,
        f"{name}.licenses": _licences(artefact.folder),
        **source,
    }


def _licences(package: Path) -> str:
    """The package's licences as one expression. Those below it are in /usr/share/doc."""
    parts = {_OWN_LICENCE}
    for each in read((package / FILE).read_text()).stated.values():
        parts |= {f"({each})"} if " OR " in each else {*each.split(" AND ")}
    return " AND ".join(sorted(parts))


def _step(layer: Layer, of: Commit) -> Mapping[str, str]:
    return {"created": of.time, "created_by": layer.made_of}


def describe(language: str, written: Image, digest: str) -> list[str]:
    """A line for each layer, and one for the image."""
    lines = [
        f"  {each.packed_bytes / 1e6:>8.1f}{each.unpacked_bytes / 1e6:>9.1f}  "
        f"{each.digest[7:19]}  {each.name}"
        for each in written.layers
    ]
    total = sum(each.packed_bytes for each in written.layers) / 1e6
    head = f"{language} {written.architecture}: {total:,.1f} MB, {digest}"
    return [head, f"  {'MB':>8}{'unpacked':>9}  {'SHA-256':<12}  layer", *lines]
