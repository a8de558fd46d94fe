"""Makes programs, and writes their images below a folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from harness.build.sam_build import build
from harness.images.assemble import Commit, Recipe, assemble, describe
from harness.images.layout import PLATFORMS, is_layout, write_layout
from harness.images.programs import Program, feed_client, of_package
from harness.model import Artefact, Implementation, UsageError
from harness.scratch import remove_folder, scratch
from harness.terminal import Progress
from harness.toolchain.programs import host_architecture

_TAG_LENGTH = 12


def check(
    names: Sequence[str], architectures: Sequence[str], out: Path, recipe: Recipe
) -> Sequence[str]:
    """The architectures, by default this machine's. Raises ``UsageError`` before any work."""
    if unknown := [each for each in architectures if each not in PLATFORMS]:
        raise UsageError(f"--architecture {unknown[0]} is neither {' nor '.join(PLATFORMS)}")
    if recipe.base is not None and len(names) != 1:
        raise UsageError("--base has the runtime of one language: choose one by --languages")
    for each in names:
        folder = out / each
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
    lines: list[str] = []
    built = {each: build(chosen, progress, template, each) for each in architectures}
    for implementation in chosen:
        programs = {}
        for architecture in architectures:
            artefact = built[architecture][implementation.language]
            if not isinstance(artefact, Artefact):
                raise artefact
            programs[architecture] = of_package(artefact, recipe.memory_mb)
        lines += _write(programs, recipe, of, out, progress)
    return lines


def make_feed_client(
    architectures: Sequence[str], recipe: Recipe, of: Commit, out: Path, progress: Progress
) -> list[str]:
    """The same of the feed's client."""
    programs = {each: feed_client(each, progress) for each in architectures}
    return _write(programs, recipe, of, out, progress)


def _write(
    programs: Mapping[str, Program], recipe: Recipe, of: Commit, out: Path, progress: Progress
) -> list[str]:
    """One program, made for each of these architectures."""
    (name,) = {each.name for each in programs.values()}
    images = [
        assemble(program, architecture, recipe, of, progress)
        for architecture, program in programs.items()
    ]
    out.mkdir(parents=True, exist_ok=True)
    with scratch("image", out) as unfinished:
        (unfinished / name).mkdir()
        written = write_layout(unfinished / name, images, of.name[:_TAG_LENGTH])
        remove_folder(out / name)
        (unfinished / name).rename(out / name)
    return [line for each in written for line in describe(name, each.image, each.digest)]
