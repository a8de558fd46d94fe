"""The built packages can run on Lambda; the check refuses others and names the file."""

from __future__ import annotations

import struct
import zipfile
from importlib.util import MAGIC_NUMBER
from pathlib import Path

import pytest

from harness.build import package_check as artefacts
from harness.build.package_check import main, problems
from harness.model import Artefact, Implementation, UsageError
from harness.toolchain.programs import host_architecture

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]  # the first test builds

ARM64, X86_64 = 183, 62
PT_INTERP, SHT_SYMTAB, SHT_STRTAB = 3, 2, 3


def elf(machine: int, *, interpreter: bool = False, symbols: bool = False) -> bytes:
    """A minimal ELF file with these properties: headers, one segment, three sections."""
    names = b"\0.symtab\0.shstrtab\0"
    at_names = 64 + 56
    at_sections = at_names + len(names)
    head = b"\x7fELF\x02\x01\x01" + bytes(9)
    head += struct.pack("<HHIQQQIHHHHHH", 2, machine, 1, 0, 64, at_sections, 0, 64, 56, 1, 64, 3, 2)
    segment = struct.pack("<IIQQQQQQ", PT_INTERP if interpreter else 1, 0, 0, 0, 0, 0, 0, 0)
    sections = bytes(64)
    sections += struct.pack("<IIQQQQIIQQ", 1, SHT_SYMTAB, 0, 0, 0, 0, 2, 0, 0, 24)
    sections += struct.pack("<IIQQQQIIQQ", 9, SHT_STRTAB, 0, 0, at_names, len(names), 0, 0, 0, 0)
    if not symbols:
        sections = sections.replace(struct.pack("<II", 1, SHT_SYMTAB), struct.pack("<II", 0, 0))
    return head + segment + names + sections


def package(folder: Path, **files: bytes) -> Path:
    """A folder of these files; ``__`` in a name stands for ``/``, ``_dot_`` for ``.``."""
    for name, body in files.items():
        path = folder / name.replace("_dot_", ".").replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)
        path.chmod(0o755)
    return folder


def function(runtime: str, handler: str) -> Implementation:
    return Implementation("any", "AnyFunction", runtime, handler, Path("no"), 128, 3, {})


GO = function("provided.al2023", "bootstrap")
PYTHON = function("python3.13", "app.main.handle")
JAVA = function("java25", "a.Handler")
NODE = function("nodejs24.x", "main.handler")
HANDLER = b"def handle(event, context): pass\n"


def java_class(version: int) -> bytes:
    return b"\xca\xfe\xba\xbe" + struct.pack(">HH", 0, version + 44)


def test_what_sam_build_made_is_fit(artefact: Artefact) -> None:
    assert problems(artefact.implementation, artefact.folder, host_architecture()) == []


def test_what_sam_build_made_is_not_fit_for_the_other_architecture(artefact: Artefact) -> None:
    (other,) = {"arm64", "x86_64"} - {host_architecture()}
    found = problems(artefact.implementation, artefact.folder, other)
    assert bool(found) == (artefact.implementation.language in {"python", "go"})
    assert all(f"is for {host_architecture()}, the function for {other}" in each for each in found)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (elf(ARM64), None),
        (elf(X86_64), "bootstrap is for x86_64, the function for arm64"),
        (elf(243), "bootstrap is for EM_RISCV, the function for arm64"),
        (elf(ARM64, interpreter=True), "bootstrap needs this machine's C library"),
        (elf(ARM64, symbols=True), "bootstrap contains symbols"),
        (elf(ARM64)[:70], "bootstrap: damaged ELF"),
    ],
)
def test_an_executable(tmp_path: Path, body: bytes, expected: str | None) -> None:
    found = problems(GO, package(tmp_path, bootstrap=body), "arm64")
    assert [each[: len(expected or "")] for each in found] == ([expected] if expected else [])


def test_a_script_may_be_a_bootstrap_if_it_can_be_executed(tmp_path: Path) -> None:
    folder = package(tmp_path, bootstrap=b"#!/bin/sh\n")
    assert problems(GO, folder, "arm64") == []
    (folder / "bootstrap").chmod(0o644)
    assert problems(GO, folder, "arm64") == ["bootstrap is not executable"]
    (folder / "bootstrap").unlink()
    assert problems(GO, folder, "arm64") == ["bootstrap is not there"]


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"app__main_dot_py": HANDLER}, None),
        ({"app__main_dot_py": b"handle = 1\n"}, "handler app.main.handle is not there"),
        ({"main_dot_py": HANDLER}, "handler app.main.handle is not there"),
        (
            {"app__main_dot_py": HANDLER, "x_dot_cpython-312-aarch64_dot_so": elf(ARM64)},
            "x.cpython-312-aarch64.so is not for Python 3.13",
        ),
        (
            {"app__main_dot_py": HANDLER, "x_dot_cpython-313-x86_64_dot_so": elf(X86_64)},
            "x.cpython-313-x86_64.so is for x86_64",
        ),
        (
            {"app__main_dot_py": HANDLER, "app__tests__test_a_dot_py": b""},
            "app/tests/test_a.py is a left-over",
        ),
        (
            {"app__main_dot_py": HANDLER, "app__x_dot_pyc": MAGIC_NUMBER + b"\0\0\0\0"},
            "app/x.pyc is useless",
        ),
        ({"app__main_dot_py": HANDLER, "app__x_dot_pyc": MAGIC_NUMBER + b"\1\0\0\0"}, None),
        (
            {"app__main_dot_py": HANDLER, "app__x_dot_pyc": b"\0\0\r\n\1\0\0\0"},
            "app/x.pyc is compiled for another Python than 3.13",
        ),
    ],
)
def test_a_python_package(tmp_path: Path, files: dict[str, bytes], expected: str | None) -> None:
    found = problems(PYTHON, package(tmp_path, **files), "arm64")
    assert [each[: len(expected or "")] for each in found] == ([expected] if expected else [])


def test_classes_newer_than_the_runtime(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "library.jar", "w") as jar:
        jar.writestr("b/Old.class", java_class(8))
        jar.writestr("b/New.class", java_class(26))
        jar.writestr("META-INF/versions/26/b/Old.class", java_class(26))
    package(tmp_path, a__Handler_dot_class=java_class(25))
    assert problems(JAVA, tmp_path, "arm64") == [
        "library.jar: b/New.class is for Java 26, the runtime is Java 25"
    ]
    (tmp_path / "a/Handler.class").unlink()
    assert "handler a.Handler is not there" in problems(JAVA, tmp_path, "arm64")


@pytest.mark.parametrize(
    ("text", "is_there"),
    [
        (b"const a=1;export{a as handler};", True),
        (b"export const handler = () => {};", True),
        (b"const handler=1;export{handler as other};const b=handler;", True),
        (b"const handler = 1; export { other };", False),
    ],
)
def test_a_javascript_handler(tmp_path: Path, text: bytes, is_there: bool) -> None:
    found = problems(NODE, package(tmp_path, main_dot_mjs=text), "arm64")
    assert found == ([] if is_there else ["handler main.handler is not there"])


def test_lambdas_limits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package(tmp_path, bootstrap=b"#!/bin/sh\n" + bytes(5000))
    monkeypatch.setattr(artefacts, "ZIP_BYTES", 10)
    (problem,) = problems(GO, tmp_path, "arm64")
    assert problem.endswith("bytes zipped: Lambda allows 10 in a direct upload")
    monkeypatch.setattr(artefacts, "UNZIPPED_BYTES", 5000)
    (problem,) = problems(GO, tmp_path, "arm64")
    assert problem == "5,010 bytes unzipped: Lambda allows 5,000"


def test_a_missing_build_and_an_unknown_runtime_are_problems(tmp_path: Path) -> None:
    assert problems(GO, tmp_path / "no", "arm64") == [
        f"{tmp_path}/no is not a folder: run sam build"
    ]
    (problem,) = problems(function("ruby3.4", "x"), package(tmp_path, x=b""), "arm64")
    assert problem.startswith("runtime ruby3.4 has no check")


def test_the_command_checks_a_build_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A build folder has a template and, behind a symbolic link as SAM makes it, the code."""
    package(tmp_path / "cache", bootstrap=elf(X86_64))
    (tmp_path / "AnyFunction").symlink_to(tmp_path / "cache")
    (tmp_path / "template.yaml").write_text(
        "Transform: AWS::Serverless-2016-10-31\nResources: {AnyFunction: {"
        "Type: AWS::Serverless::Function, Metadata: {Language: any}, Properties: {Runtime: "
        "provided.al2023, CodeUri: AnyFunction, Handler: bootstrap, MemorySize: 1, Timeout: 1}}}"
    )
    assert main([str(tmp_path), "x86_64"]) == 0
    assert capsys.readouterr().out == "AnyFunction: fit for Lambda\n"
    assert main([str(tmp_path)]) == 1
    assert "AnyFunction: bootstrap is for x86_64, the function for arm64" in capsys.readouterr().out
    assert main([str(tmp_path / "cache"), "x86_64", "GoFunction"]) == 1
    assert "GoFunction: its components can't be read: go version -m" in capsys.readouterr().out
    for wrong in (["sparc"], ["arm64", "AnyFunction"], ["arm64", "GoFunction", "x"]):
        with pytest.raises(UsageError, match="usage: "):
            main([str(tmp_path), *wrong])
