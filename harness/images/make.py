"""Builds artefacts, and writes their images below a folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from harness.build.sam_build import build
from harness.images.assemble import Commit, Recipe, assemble, describe
from harness.images.layout import PLATFORMS, is_layout, write_layout
from harness.model import Artefact, Implementation, UsageError
from harness.scratch import remove_folder, scratch
from harness.terminal import Progress
from harness.toolchain.programs import host_architecture

_TAG_LENGTH = 12


def check(
    chosen: Sequence[Implementation], architectures: Sequence[str], out: Path, recipe: Recipe
) -> Sequence[str]:
    """The architectures, by default this machine's. Raises ``UsageError`` before any work."""
    if unknown := [each for each in architectures if each not in PLATFORMS]:
        raise UsageError(f"--architecture {unknown[0]} is neither {' nor '.join(PLATFORMS)}")
    if recipe.base is not None and len(chosen) != 1:
        raise UsageError("--base has the runtime of one language: choose one by --languages")
    for each in chosen:
        folder = out / each.language
        if folder.exists() and not is_layout(folder) and any(folder.iterdir()):
            raise UsageError(f"{folder} has other files than an image: choose another --out")
    return architectures or [host_architecture()]


def make(
    chosen: Sequence[Implementation],
    architectures: Sequence[str],
    recipe: Recipe,
    of: Commit,
    out: Path,
    template: Path,
    progress: Progress,
) -> list[str]:
    """The lines that describe the images. An image of before is replaced."""
    out.mkdir(parents=True, exist_ok=True)
    lines: list[str] = []
    built = {each: build(chosen, progress, template, each) for each in architectures}
    for implementation in chosen:
        language = implementation.language
        images = []
        for architecture in architectures:
            artefact = built[architecture][language]
            if not isinstance(artefact, Artefact):
                raise artefact
            images.append(assemble(artefact, architecture, recipe, of, progress))
        with scratch("image", out) as unfinished:
            (unfinished / language).mkdir()
            written = write_layout(unfinished / language, images, of.name[:_TAG_LENGTH])
            remove_folder(out / language)
            (unfinished / language).rename(out / language)
        for each in written:
            lines += describe(language, each.image, each.digest)
    return lines
