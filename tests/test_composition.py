"""The project's own share of a package: by its files, its bundle and its symbols."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from conftest import built

from harness.build.package_split import own_share
from harness.model import Artefact, Implementation

pytestmark = pytest.mark.slow

NOISE = "".join(chr(33 + n * n % 90) for n in range(4000))


def packed(folder: Path, files: Mapping[str, str]) -> io.BytesIO:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as opened:
        for name, text in files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
            opened.write(path, name)
    return archive


def implementation(runtime: str, code: Path) -> Implementation:
    return Implementation("x", "F", runtime, "h", code, 128, 3, {})


def test_python_s_own_are_the_names_of_its_code_folder(tmp_path: Path) -> None:
    code, folder = tmp_path / "code", tmp_path / "made"
    (code / "app").mkdir(parents=True)
    (code / "one.py").touch()
    files = {"app/a.py": "a" * 50, "one.py": "b" * 7, "apples/c.py": NOISE, "boto3/app/d": NOISE}
    own = own_share(implementation("python3.13", code), folder, packed(folder, files))
    assert own is not None
    assert own.unzipped_bytes == 57
    assert own.zip_bytes is not None
    assert 0 < own.zip_bytes < 57


def test_java_s_own_are_all_but_the_jars(tmp_path: Path) -> None:
    files = {"app/A.class": "a" * 50, "lib/other.jar": NOISE}
    archive = packed(tmp_path, files)
    own = own_share(implementation("java25", tmp_path), tmp_path, archive)
    assert own is not None
    assert own.unzipped_bytes == 50


@pytest.mark.parametrize("runtime", ["nodejs24.x", "provided.al2023", "ruby3.4"])
def test_where_nothing_tells_there_is_no_figure(runtime: str, tmp_path: Path) -> None:
    archive = packed(tmp_path, {"bootstrap": NOISE})
    assert own_share(implementation(runtime, tmp_path), tmp_path, archive) is None


@pytest.mark.parametrize("language", ["python", "java", "javascript", "go"])
def test_own_code_of_the_project_is_a_small_part(language: str) -> None:
    artefact = built(language)
    assert isinstance(artefact, Artefact), str(artefact)
    assert artefact.own is not None
    assert artefact.unzipped_bytes is not None
    sources = sum(
        path.stat().st_size
        for path in artefact.implementation.code.rglob("*")
        if path.suffix in {".py", ".java", ".js", ".go"} and not {"node_modules"} & {*path.parts}
    )
    # Python's is there as text and compiled
    assert 1000 < artefact.own.unzipped_bytes < 3 * sources
    assert artefact.unzipped_bytes is not None
    assert artefact.own.unzipped_bytes < artefact.unzipped_bytes / 5


def test_a_bundle_that_is_not_the_artefact_has_no_figure(tmp_path: Path) -> None:
    artefact = built("javascript")
    assert isinstance(artefact, Artefact), str(artefact)
    other = replace(
        artefact.implementation,
        build_properties={**artefact.implementation.build_properties, "Minify": False},
    )
    assert own_share(other, artefact.folder, io.BytesIO()) is None
