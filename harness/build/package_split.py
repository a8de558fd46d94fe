"""Splits the size of a package into the project's own code and its dependencies.

Where the files of the artefact are separate, their paths decide. A bundle and a linked binary are
built again with the tool's list of parts. A part has no share of a zip in which one file holds
everything; that share is ``None``.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import IO, Any
from zipfile import ZipFile

from harness.build.third_party.licences import FILE
from harness.model import Implementation, NotReady, Own
from harness.scratch import scratch
from harness.toolchain import programs

_CODE_AND_CONSTANTS = frozenset("TtRr")  # of `go tool nm`; the other kinds fill no file


def own_share(implementation: Implementation, folder: Path, archive: IO[bytes]) -> Own | None:
    """The part of the artefact in ``folder``, zipped in ``archive``, that is the project's.

    A failure here gives ``None`` and does not fail the build.
    """
    runtime = implementation.runtime
    try:
        if runtime.startswith("java"):
            return _of_files(folder, archive, lambda name: not name.startswith(("lib/", FILE)))
        if runtime.startswith("nodejs"):
            return _of_bundle(implementation, folder)
        if (implementation.code / "go.mod").exists():
            return _of_binary(implementation.code)
        if runtime.startswith("python"):
            names = {each.name for each in implementation.code.iterdir()} - {FILE}
            return _of_files(folder, archive, lambda name: name.split("/")[0] in names)
    except (OSError, NotReady, ValueError, KeyError, subprocess.SubprocessError):
        return None
    return None


def _of_files(folder: Path, archive: IO[bytes], is_own: Callable[[str], bool]) -> Own:
    """By the paths in the zip."""
    with ZipFile(archive) as opened:
        own = [entry for entry in opened.infolist() if is_own(entry.filename)]
    return Own(
        sum((folder / entry.filename).stat().st_size for entry in own),
        sum(entry.compress_size for entry in own),
    )


def _of_bundle(implementation: Implementation, folder: Path) -> Own | None:
    inputs = bundle_inputs(implementation, folder)
    if inputs is None:
        return None
    others = ("node_modules", FILE)
    own = sum(size for path, size in inputs if not any(each in path for each in others))
    return Own(own, None)


def bundle_inputs(implementation: Implementation, folder: Path) -> list[tuple[str, int]] | None:
    """(file, its bytes in the bundle) by esbuild's metafile.

    ``None`` if its bundle has not the same bytes as the artefact in ``folder``.
    """
    if "EntryPoints" not in implementation.build_properties:
        return None
    with scratch("bundle") as place:
        work = place / "code"
        shutil.copytree(
            implementation.code, work, ignore=shutil.ignore_patterns("node_modules", ".*")
        )
        npm = programs.find_npm()
        quiet = ("--ignore-scripts", "--no-audit", "--no-fund")
        programs.run([npm, "ci", *quiet], "npm ci", cwd=work)
        made, meta = place / "made", place / "meta.json"
        command = _esbuild_arguments(implementation.build_properties, work, made)
        esbuild = work / "node_modules/.bin/esbuild"
        programs.run([esbuild, *command, f"--metafile={meta}"], "esbuild", cwd=work)
        if _contents(made) != _contents(folder):
            return None
        outputs: Mapping[str, Any] = json.loads(meta.read_text())["outputs"]
    inputs = (item for output in outputs.values() for item in output["inputs"].items())
    return [(path, part["bytesInOutput"]) for path, part in inputs]


def _esbuild_arguments(properties: Mapping[str, object], work: Path, made: Path) -> list[str]:
    """The arguments that SAM gives to esbuild."""
    from aws_lambda_builders.workflows.nodejs_npm_esbuild.esbuild import EsbuildCommandBuilder

    config = {_snake(name): value for name, value in properties.items()}
    system = SimpleNamespace(joinpath=os.path.join, file_exists=os.path.exists)
    builder = EsbuildCommandBuilder(str(work), str(made), config, system, "package.json")
    command: list[str] = (
        builder.build_entry_points()
        .build_default_values()
        .build_esbuild_args_from_config()
        .get_command()
    )
    return command


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()


def _contents(folder: Path) -> dict[str, bytes]:
    files = (each for each in folder.rglob("*") if each.is_file())
    return {each.relative_to(folder).as_posix(): each.read_bytes() for each in files}


def _of_binary(code: Path) -> Own:
    """By the linker's symbols, which the shipped binary lacks."""
    go = programs.find_go()
    module = (code / "go.mod").read_text().split()[1]
    with scratch("linked") as folder:
        binary = folder / "bootstrap"
        env = {**os.environ, "CGO_ENABLED": "0", "GOFLAGS": "-buildvcs=false -tags=lambda.norpc"}
        programs.run([go, "build", "-trimpath", "-o", binary, "."], "go build", cwd=code, env=env)
        symbols = programs.run([go, "tool", "nm", "-size", binary], "go tool nm", cwd=code)
    return Own(sum(_own_symbols(symbols.splitlines(), module)), None)


def _own_symbols(lines: Iterable[str], module: str) -> Iterable[int]:
    """The sizes of a module's symbols in lines of ``address size kind name``."""
    for line in lines:
        match line.split(maxsplit=3):
            case [_, size, kind, symbol] if kind in _CODE_AND_CONSTANTS:
                if symbol.startswith((f"{module}/", f"{module}.", "main.")):
                    yield int(size)
