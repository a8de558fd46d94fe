"""The builds of the harness, their reports and their failures, with a fake SAM."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path
from subprocess import PIPE

import pytest

from harness.build import sam_build as module
from harness.build.sam_build import build, package_zip
from harness.model import Artefact, Implementation, NotReady
from harness.toolchain import tools

SAM_OUTPUT = """\
Experimental features are enabled for this session.
2026-11-23 18:42:45,540 | Running workflow 'JavaMavenWorkflow'
2026-11-23 18:42:49,044 | Maven logs: [[1;34mINFO[m] Scanning for projects...
[\x1b[1;34mINFO\x1b[m] Building
[\x1b[1;31mERROR\x1b[m] Handler.java:[1,2] ';' expected
2026-11-23 18:42:49,044 | JavaMavenWorkflow:MavenBuild failed
Traceback (most recent call last):
  File "maven.py", line 36, in build
aws_lambda_builders.MavenExecutionError: Maven Failed:
2026-11-23 18:42:49,050 | Exception raised during the execution

Build Failed
Error: JavaMavenWorkflow:MavenBuild - Maven Failed:
"""


class Sam:
    """A fake SAM: it counts its builds, copies a fixed artefact, and fails on demand."""

    def __init__(self) -> None:
        self.built: list[str] = []
        self.failing: set[str] = set()
        self.content = b"x" * 1000

    def __call__(self, implementation: Implementation, _: object, work: Path) -> Path:
        self.built.append(implementation.language)
        if implementation.language in self.failing:
            raise NotReady(f"{implementation.language}: no")
        folder = work / "build"
        folder.mkdir(exist_ok=True)
        (folder / "bootstrap").write_bytes(self.content)
        (folder / "bootstrap").chmod(0o755)
        return folder


@pytest.fixture
def sam(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Sam:
    played = Sam()
    monkeypatch.setattr(module, "_sam_build", played)
    monkeypatch.setattr(module, "BUILDS", tmp_path / "builds")
    monkeypatch.setattr(module, "check", lambda _: [])
    return played


def implementation(folder: Path, language: str) -> Implementation:
    code = folder / language
    code.mkdir()
    (code / "main").write_text("1")
    return Implementation(language, "F", "provided.al2023", "bootstrap", code, 128, 3, {})


def quiet(message: str) -> None:
    pass


def test_an_artefact_has_its_sizes(tmp_path: Path, sam: Sam) -> None:
    made = build([implementation(tmp_path, "b")], quiet)["b"]

    assert isinstance(made, Artefact)
    assert made.unzipped_bytes == 1000
    assert made.zip_bytes is not None
    assert 0 < made.zip_bytes < 1000


def test_only_what_changed_is_built_again(tmp_path: Path, sam: Sam) -> None:
    both = [implementation(tmp_path, "b"), implementation(tmp_path, "c")]
    first = build(both, quiet)
    (both[0].code / "node_modules").mkdir()
    (both[0].code / "node_modules/x").write_text("not a source")
    assert build(both, quiet) == first
    assert sam.built == ["b", "c"]

    (both[1].code / "main").write_text("2")
    build(both, quiet)

    assert sam.built == ["b", "c", "c"]


USER = """
import sys
from dataclasses import replace
from pathlib import Path
from harness.build.sam_build import _hold
_hold(Path(sys.argv[1]))
print("held", flush=True)
input()
"""


def test_a_build_leaves_the_package_that_another_run_uses(
    tmp_path: Path, sam: Sam, monkeypatch: pytest.MonkeyPatch
) -> None:
    each = implementation(tmp_path, "b")

    def changed(text: str) -> Path:
        monkeypatch.setattr(module, "_held", {})  # as in a process of its own
        (each.code / "main").write_text(text)
        made = build([each], quiet)["b"]
        assert isinstance(made, Artefact)
        return made.folder

    used = changed("used")
    command = [sys.executable, "-c", USER, str(used)]
    with subprocess.Popen(command, stdin=PIPE, stdout=PIPE, text=True) as user:
        assert user.stdout is not None
        assert user.stdout.readline() == "held\n"
        for held in [*module._held.values()]:
            os.close(held)
        second = changed("second")
        assert (used / "bootstrap").exists()
        for held in [*module._held.values()]:
            os.close(held)
        user.communicate("\n")
    third = changed("third")
    assert len({used, second, third}) == 3
    assert [folder.exists() for folder in (used, second, third)] == [False, False, True]


def test_a_build_after_a_killed_one_trusts_no_cache(tmp_path: Path, sam: Sam) -> None:
    each = implementation(tmp_path, "b")
    work = module.BUILDS / "b"
    (work / "cache").mkdir(parents=True)
    build([each], quiet)
    assert not (work / "cache").exists()
    (work / "cache").mkdir()
    (each.code / "main").write_text("2")
    build([each], quiet)
    assert (work / "cache").exists()


def test_a_failure_is_of_its_language_only_and_is_tried_again(tmp_path: Path, sam: Sam) -> None:
    both = [implementation(tmp_path, "b"), implementation(tmp_path, "c")]
    sam.failing = {"b"}
    built = build(both, quiet)
    assert isinstance(built["b"], NotReady)
    assert isinstance(built["c"], Artefact)

    sam.failing = set()

    assert isinstance(build(both, quiet)["b"], Artefact)


def test_an_absent_code_folder_is_named(tmp_path: Path, sam: Sam) -> None:
    absent = Implementation("b", "F", "provided.al2023", "x", tmp_path / "b", 128, 3, {})

    assert "does not exist" in str(build([absent], quiet)["b"])


def test_java_is_built_by_a_maven_that_checks_hashes(tmp_path: Path) -> None:
    java = replace(implementation(tmp_path, "b"), runtime="java25")
    assert str(tools.maven().parent) in module._program_folders(java)


def test_the_reason_is_the_languages_own_words() -> None:
    assert module._reason(SAM_OUTPUT) == (
        "[ERROR] Handler.java:[1,2] ';' expected\n"
        "Error: JavaMavenWorkflow:MavenBuild - Maven Failed:"
    )


def test_a_wrong_package_never_leaves_the_build(tmp_path: Path, sam: Sam) -> None:
    wrong = implementation(tmp_path, "b")
    sam.content = b"\x7fELF, damaged"
    assert "bootstrap: damaged ELF" in str(build([wrong], quiet)["b"])
    assert not package_zip(wrong).exists()
    # a failed check is not remembered as a success
    assert isinstance(build([wrong], quiet)["b"], NotReady)


def test_the_zip_has_no_times_and_keeps_what_can_be_executed(tmp_path: Path, sam: Sam) -> None:
    made = implementation(tmp_path, "b")
    assert isinstance(build([made], quiet)["b"], Artefact)
    with zipfile.ZipFile(package_zip(made)) as archive:
        (entry,) = archive.infolist()
    assert entry.date_time == (1980, 1, 1, 0, 0, 0)
    assert entry.external_attr >> 16 == 0o100755
