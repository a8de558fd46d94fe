"""The same commit gives the same packages: in another folder, by another umask, at another time."""

from __future__ import annotations

import os
import shutil
import subprocess
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from conftest import IMPLEMENTATIONS, built

from harness.build.sam_build import build, builds_of, package_zip
from harness.build.template import load_implementations
from harness.model import Artefact
from harness.toolchain.paths import ROOT


def contents(package: Path, inside: str = "") -> Iterator[tuple[str, bytes]]:
    """Each file of a zip and of the jars in it, with its time and mode."""
    with zipfile.ZipFile(package) as archive:
        for entry in archive.infolist():
            name = f"{inside}{entry.filename}"
            about = f"{entry.date_time} {entry.external_attr}".encode()
            with archive.open(entry) as file:
                if name.endswith(".jar"):
                    yield from contents(file, f"{name}: ")  # type: ignore[arg-type]
                else:
                    yield name, about + file.read()


def differences(one: Path, other: Path) -> list[str]:
    """The names of the files in which two zips differ; their order is the last to be named."""
    first: Mapping[str, bytes] = dict(contents(one))
    second: Mapping[str, bytes] = dict(contents(other))
    named = [name for name in sorted({*first, *second}) if first.get(name) != second.get(name)]
    if named or one.read_bytes() == other.read_bytes():
        return named
    return ["the order or the compression"]


@pytest.fixture
def copied(tmp_path: Path) -> Iterator[Path]:
    """The template of a copy of the sources, in a folder with a space, with other modes."""
    copy = tmp_path / "another folder" / "of the tree"
    before = os.umask(0o077)
    taken = ["template.yaml", *IMPLEMENTATIONS]
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", *taken],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    try:
        for name in listed.stdout.splitlines():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, copy / name)
        (copy / "tools").symlink_to(ROOT / "tools")
        yield copy / "template.yaml"
    finally:
        os.umask(before)
        shutil.rmtree(builds_of(copy / "template.yaml"), ignore_errors=True)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("language", IMPLEMENTATIONS)
def test_a_second_build_gives_the_same_bytes(language: str, copied: Path) -> None:
    assert isinstance(built(language), Artefact)
    (other,) = (each for each in load_implementations(copied) if each.language == language)
    assert other.code != IMPLEMENTATIONS[language].code

    made = build([other], template=copied)[language]

    assert isinstance(made, Artefact), made
    first, second = package_zip(IMPLEMENTATIONS[language]), package_zip(other, copied)
    assert differences(first, second) == []


def test_a_difference_is_named(tmp_path: Path) -> None:
    def package(name: str, text: str, inner: str, year: int = 2000) -> Path:
        jar = tmp_path / f"{name}.jar"
        with zipfile.ZipFile(jar, "w") as archive:
            archive.writestr(zipfile.ZipInfo("A.class", (year, 1, 1, 0, 0, 0)), inner)
        with zipfile.ZipFile(tmp_path / name, "w") as archive:
            archive.writestr(zipfile.ZipInfo("lib/x.jar"), jar.read_bytes())
            archive.writestr(zipfile.ZipInfo("main.py"), text)
        return tmp_path / name

    one = package("one", "text", "inner")
    assert differences(one, package("two", "text", "inner")) == []
    assert differences(one, package("two", "test", "inner")) == ["main.py"]
    assert differences(one, package("two", "text", "inned")) == ["lib/x.jar: A.class"]
    assert differences(one, package("two", "text", "inner", 2001)) == ["lib/x.jar: A.class"]
    with zipfile.ZipFile(one, "a") as archive:
        archive.writestr(zipfile.ZipInfo("more"), "")
    assert differences(one, package("two", "text", "inner")) == ["more"]
