"""Checks that the packages of ``sam build`` can run on Lambda, before they are uploaded.

``python -m harness.build.package_check [FOLDER] [ARCHITECTURE]`` checks every function of a build
folder (default: ``.aws-sam/build`` for ``arm64``). With ``FOLDER ARCHITECTURE FUNCTION`` it checks
the package of one function. The exit code is 1 if one has a problem.
"""

from __future__ import annotations

import ast
import importlib.util
import re
import struct
import sys
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from harness.build.archive import zipped
from harness.build.elf import read_elf
from harness.build.template import load_implementations
from harness.build.third_party.licences import problems_of_licences
from harness.model import Implementation, UsageError
from harness.terminal import end_with

# Lambda's quotas for a deployment package: of a direct upload, and unzipped
ZIP_BYTES = 50 * 1024 * 1024
UNZIPPED_BYTES = 250 * 1024 * 1024

_ARCHITECTURES = ("arm64", "x86_64")
# files of tests and tools; a module of a library may have the name test
_UNWANTED = re.compile(r"(^|/)(tests|\.pytest_cache|\.mypy_cache|\.ruff_cache|\.git)/")
_OUR_PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
_CLASS_OF_JAVA_0 = 44  # the version of a class file is Java's version plus 44


def problems(implementation: Implementation, folder: Path, architecture: str) -> list[str]:
    """The problems of ``folder`` as this function's package; empty if there are none.

    ``architecture`` is ``arm64`` or ``x86_64``. Each problem names its file.
    """
    if not folder.is_dir():
        return [f"{folder} is not a folder: run sam build"]
    # a cached build is a symbolic link
    files = _files(folder.resolve())
    return [
        *_size_problems(folder.resolve(), files),
        *(f"{name} is a left-over: keep it out" for name in files if _UNWANTED.search(name)),
        *_native_problems(files, architecture),
        *_runtime_problems(implementation, files),
        *problems_of_licences(implementation.code, folder.resolve()),
    ]


def _files(folder: Path) -> dict[str, Path]:
    found = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {path.relative_to(folder).as_posix(): path for path in found}


def _size_problems(folder: Path, files: Mapping[str, Path]) -> Iterator[str]:
    unzipped = sum(path.stat().st_size for path in files.values())
    if unzipped > UNZIPPED_BYTES:
        yield f"{unzipped:,} bytes unzipped: Lambda allows {UNZIPPED_BYTES:,}"
    elif (size := zipped(folder).getbuffer().nbytes) > ZIP_BYTES:
        yield f"{size:,} bytes zipped: Lambda allows {ZIP_BYTES:,} in a direct upload"


def _native_problems(files: Mapping[str, Path], architecture: str) -> Iterator[str]:
    for name, path in files.items():
        try:
            elf = read_elf(path)
        except ValueError as error:
            yield f"{name}: {error}"
            continue
        if elf is not None and elf.architecture != architecture:
            yield (
                f"{name} is for {elf.architecture}, the function for {architecture}: build for the "
                "architecture that is deployed, as docs/deploy.md says"
            )


def _runtime_problems(implementation: Implementation, files: Mapping[str, Path]) -> Iterator[str]:
    runtime = implementation.runtime
    for prefix, check in _CHECKS.items():
        if runtime.startswith(prefix):
            yield from check(implementation.handler, runtime.removeprefix(prefix), files)
            return
    yield f"runtime {runtime} has no check: add one to harness/build/package_check.py"


# ---- one check for each kind of runtime ----


def _python(handler: str, version: str, files: Mapping[str, Path]) -> Iterator[str]:
    module, _, function = handler.rpartition(".")
    source = files.get(f"{module.replace('.', '/')}.py")
    if source is None or function not in _functions(source):
        yield f"handler {handler} is not there"
    tag = f"cpython-{version.replace('.', '')}-"
    for name in files:
        if name.endswith(".so") and "cpython-" in name and tag not in name:
            yield f"{name} is not for Python {version}, whose files have {tag} in their names"
        elif name.endswith(".pyc"):
            yield from _bytecode(name, files[name], version)


def _bytecode(name: str, path: Path, version: str) -> Iterator[str]:
    with path.open("rb") as file:
        magic, flags = file.read(4), file.read(4)
    if version == _OUR_PYTHON and magic != importlib.util.MAGIC_NUMBER:
        yield f"{name} is compiled for another Python than {version}"
    elif not flags or not flags[0] & 1:
        yield f"{name} is useless: it depends on its source's time, which a package does not keep"


def _functions(source: Path) -> set[str]:
    try:
        body = ast.parse(source.read_text(encoding="utf-8")).body
    except SyntaxError:
        return set()
    return {each.name for each in body if isinstance(each, ast.FunctionDef)}


def _java(handler: str, version: str, files: Mapping[str, Path]) -> Iterator[str]:
    if f"{handler.split('::')[0].replace('.', '/')}.class" not in files:
        yield f"handler {handler} is not there"
    for name, head in _class_heads(files):
        java = struct.unpack(">H", head[6:8])[0] - _CLASS_OF_JAVA_0
        if java > int(version.partition(".")[0]):
            yield f"{name} is for Java {java}, the runtime is Java {version}"


def _class_heads(files: Mapping[str, Path]) -> Iterator[tuple[str, bytes]]:
    """The first 8 bytes of each class, also in jars.

    It leaves out the other versions in multi-release jars, because an older runtime ignores them.
    """
    for name, path in files.items():
        if name.endswith(".class"):
            with path.open("rb") as file:
                yield name, file.read(8)
        elif name.endswith(".jar"):
            with zipfile.ZipFile(path) as jar:
                for entry in jar.namelist():
                    if entry.endswith(".class") and not entry.startswith("META-INF/versions/"):
                        with jar.open(entry) as file:
                            yield f"{name}: {entry}", file.read(8)


def _javascript(handler: str, _version: str, files: Mapping[str, Path]) -> Iterator[str]:
    module, _, function = handler.rpartition(".")
    names = [f"{module}{suffix}" for suffix in (".mjs", ".js", ".cjs")]
    source = next((files[name] for name in names if name in files), None)
    exported = re.compile(rf"\bexport\b[^;]*\b{re.escape(function)}\b|\bexports\.{function}\b")
    if source is None or not exported.search(source.read_text(encoding="utf-8")):
        yield f"handler {handler} is not there"


def _provided(_handler: str, _version: str, files: Mapping[str, Path]) -> Iterator[str]:
    bootstrap = files.get("bootstrap")
    if bootstrap is None:
        yield "bootstrap is not there"
        return
    if not bootstrap.stat().st_mode & 0o111:
        yield "bootstrap is not executable"
    try:
        elf = read_elf(bootstrap)
    except ValueError:
        return  # _native_problems reports it
    remedy = "build it as go/Makefile does"
    if elf is not None and not elf.is_static:
        yield f"bootstrap needs this machine's C library: {remedy}"
    if elf is not None and not elf.is_stripped:
        yield f"bootstrap contains symbols, which double its size: {remedy}"


_CHECKS: Mapping[str, Callable[[str, str, Mapping[str, Path]], Iterator[str]]] = {
    "python": _python,
    "java": _java,
    "nodejs": _javascript,
    "provided": _provided,
}


def main(arguments: Sequence[str]) -> int:
    folder = Path(arguments[0] if arguments else ".aws-sam/build")
    architecture = arguments[1] if len(arguments) > 1 else _ARCHITECTURES[0]
    known = {each.function: each for each in load_implementations()}
    one = arguments[2:]
    if len(one) > 1 or (one and one[0] not in known) or architecture not in _ARCHITECTURES:
        raise UsageError(
            "usage: python -m harness.build.package_check [FOLDER] [arm64|x86_64] [FUNCTION]; "
            f"functions are {', '.join(known)}"
        )
    packages = [(known[name], folder) for name in one]
    if not one:
        for each in load_implementations(folder / "template.yaml"):
            source = known.get(each.function, each)
            packages.append((replace(each, code=source.code), each.code))
    found = 0
    for implementation, package in packages:
        wrong = problems(implementation, package, architecture)
        found += len(wrong)
        for problem in wrong or ["fit for Lambda"]:
            print(f"{implementation.function}: {problem}")
    return 1 if found else 0


if __name__ == "__main__":
    end_with(main)
