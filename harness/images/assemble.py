"""Makes the image of a program: the layers of its runtime, its own, and the configuration."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.images.layers import Layer
from harness.images.layout import PLATFORMS, Image, read_image
from harness.images.programs import Program
from harness.images.runtime_layers import PLACE, USER, layers_below
from harness.terminal import Progress
from harness.toolchain.paths import ROOT

_NO_COMMIT = "1970-01-01T00:00:00Z"
_PATH = "/usr/bin:/bin"


@dataclass(frozen=True, slots=True)
class Commit:
    """The state of the checkout: its id, ``-changed`` after it if files differ, and its time."""

    name: str
    time: str


@dataclass(frozen=True, slots=True)
class Recipe:
    """The choices of the user: memory of the task, a base, and the address of the sources."""

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
    program: Program, architecture: str, recipe: Recipe, of: Commit, progress: Progress
) -> Image:
    """The image of a program that was made for ``architecture``.

    Raises ``HarnessError`` if ``recipe.base`` has no image for it.
    """
    below: list[Layer]
    if recipe.base is None:
        below = layers_below(program.runtime, architecture, progress)
        given: dict[str, Any] = {"config": {"Env": [f"PATH={_PATH}"]}}
    else:
        base = read_image(recipe.base, architecture)
        below, given = list(base.layers), dict(base.config)
    layers = [*below, *program.layers]
    config = {
        "created": of.time,
        "architecture": PLATFORMS[architecture],
        "os": "linux",
        "config": {
            "User": f"{USER}:{USER}",
            "Env": given["config"].get("Env", []),
            "Entrypoint": list(program.entry),
            "WorkingDir": f"/{PLACE}",
            "StopSignal": "SIGTERM",
            "Labels": _labels(program, recipe, of),
        },
        "rootfs": {"type": "layers", "diff_ids": [each.diff_id for each in layers]},
        "history": [
            *(given.get("history") or [_step(each, of) for each in below]),
            *(_step(each, of) for each in program.layers),
        ],
    }
    return Image(architecture, config, layers)


def _labels(program: Program, recipe: Recipe, of: Commit) -> Mapping[str, str]:
    name = "org.opencontainers.image"
    source = {} if recipe.source is None else {f"{name}.source": recipe.source}
    return {
        f"{name}.title": f"rosetta-{program.name}",
        f"{name}.description": program.description,
        f"{name}.revision": of.name,
        f"{name}.created": of.time,
        f"{name}.licenses": program.licences,
        **source,
    }


def _step(layer: Layer, of: Commit) -> Mapping[str, str]:
    return {"created": of.time, "created_by": layer.made_of}


def describe(name: str, written: Image, digest: str) -> list[str]:
    """A line for each layer, and one for the image."""
    lines = [
        f"  {each.packed_bytes / 1e6:>8.1f}{each.unpacked_bytes / 1e6:>9.1f}  "
        f"{each.digest[7:19]}  {each.name}"
        for each in written.layers
    ]
    total = sum(each.packed_bytes for each in written.layers) / 1e6
    head = f"{name} {written.architecture}: {total:,.1f} MB, {digest}"
    return [head, f"  {'MB':>8}{'unpacked':>9}  {'SHA-256':<12}  layer", *lines]
