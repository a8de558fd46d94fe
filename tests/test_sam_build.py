"""``sam build`` as docs/deploy.md tells it: in a fresh clone, with nothing exported."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import IMPLEMENTATIONS

from harness.build.elf import read_elf
from harness.build.package_check import problems
from harness.toolchain.paths import ROOT
from harness.toolchain.programs import host_architecture

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

(OTHER,) = {"arm64", "x86_64"} - {host_architecture()}
#: Names that the build once needed, or that would change it.
EXPORTED = {"ARCHITECTURE", "MAVEN_OPTS", "GOFLAGS", "GOARCH", "GOOS", "CGO_ENABLED", "VENV"}


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A clone whose samconfig.toml names the architecture that this machine does not have."""
    folder = tmp_path / "a clone"
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--"]
    taken = ["template.yaml", "go", "python", "java/pom.xml"]
    listed = subprocess.run(
        [*command, *taken], cwd=ROOT, capture_output=True, text=True, check=True
    )
    for name in listed.stdout.splitlines():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, folder / name)
    (folder / "tools").symlink_to(ROOT / "tools")
    config = (ROOT / "samconfig.toml").read_text()
    asked = config.replace(
        '"ActiveLanguage=none"', f'"Architecture={OTHER}", "ActiveLanguage=none"'
    )
    assert asked != config
    (folder / "samconfig.toml").write_text(asked)
    return folder


def sam_build(clone: Path, *functions: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if name not in EXPORTED}
    folders = os.environ["PATH"].split(os.pathsep)
    path = os.pathsep.join(each for each in folders if ".venv" not in each)
    return subprocess.run(
        [sys.executable, "-m", "samcli", "build", *functions],
        cwd=clone,
        env={**kept, "PATH": path, "SAM_CLI_TELEMETRY": "0"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_samconfig_alone_decides_the_architecture(clone: Path) -> None:
    done = sam_build(clone, "PythonFunction")
    assert done.returncode == 0, done.stderr
    assert "PythonFunction: fit for Lambda" in done.stdout + done.stderr
    package = clone / ".aws-sam/build/PythonFunction"
    assert problems(IMPLEMENTATIONS["python"], package, OTHER) == []
    native = [elf for file in package.rglob("*") if file.is_file() and (elf := read_elf(file))]
    assert native
    assert {elf.architecture for elf in native} == {OTHER}


def test_a_package_that_can_not_run_never_leaves_the_build(clone: Path) -> None:
    makefile = clone / "go/Makefile"
    text = makefile.read_text()
    makefile.write_text(text.replace("-ldflags '-s -w'", "").replace("$(GOARCH)", ""))
    assert makefile.read_text() != text
    done = sam_build(clone, "GoFunction")
    assert done.returncode != 0
    said = done.stdout + done.stderr
    assert "GoFunction: bootstrap contains symbols" in said
    assert f"GoFunction: bootstrap is for {host_architecture()}, the function for {OTHER}" in said
