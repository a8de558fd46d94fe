"""The search for programs of the machine, and the builds of the pinned tools."""

import os
import re
import subprocess
import threading
import time
from pathlib import Path

import pytest

from harness.model import Implementation, NotReady
from harness.toolchain import programs, tools
from harness.toolchain.check import check
from harness.toolchain.paths import ROOT


def implementation(runtime: str) -> Implementation:
    return Implementation("any", "AnyFunction", runtime, "a.b", Path(), 128, 3, {})


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "made"
    monkeypatch.setattr(tools, "MADE", folder)
    return folder


def test_a_tool_is_made_once(made: Path) -> None:
    calls = []

    def make(folder: Path) -> None:
        calls.append(folder)
        (folder / "tool").write_text("x")

    first = tools._made("tool", "abc", make)
    second = tools._made("tool", "abc", make)

    assert first == second == made / "tool-abc"
    assert (first / "tool").read_text() == "x"
    assert len(calls) == 1


def test_a_failed_making_leaves_nothing_that_looks_made(made: Path) -> None:
    def fail(folder: Path) -> None:
        (folder / "half").write_text("x")
        raise NotReady("no")

    with pytest.raises(NotReady):
        tools._made("tool", "abc", fail)

    assert [path.name for path in made.iterdir()] == ["tool.lock"]


def test_two_at_once_make_once(made: Path) -> None:
    calls = []

    def make(folder: Path) -> None:
        calls.append(folder)
        time.sleep(0.1)

    threads = [threading.Thread(target=tools._made, args=("tool", "abc", make)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(calls) == 1


def test_a_failed_program_gives_its_last_words() -> None:
    with pytest.raises(NotReady, match=r"(?s)the thing failed \(exit 3\):.*last words"):
        programs.run(["sh", "-c", "echo last words >&2; exit 3"], "the thing")


def test_a_jdk_is_found_by_its_release_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/java").touch()
    (tmp_path / "release").write_text('JAVA_VERSION="99.0.1"\n')
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))

    assert programs.find_jdk(99) == tmp_path
    with pytest.raises(NotReady, match=r"JDK 98 was not found .*: install JDK 98"):
        programs.find_jdk(98)


def test_a_missing_program_is_a_finding_with_its_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", os.devnull)
    monkeypatch.delenv("JAVA_HOME", raising=False)

    missing = {each.name: each for each in check(implementation("java25")) if not each.ok}

    assert missing["Maven"].detail == "mvn is not on PATH"
    assert missing["Maven"].remedy == "install Apache Maven 3.8 or newer"
    assert "go for the S3 server" in missing


def test_an_unknown_runtime_is_a_finding() -> None:
    assert not check(implementation("ruby3.4"))[-1].ok


def test_another_operating_system_gets_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.system", lambda: "Darwin")

    with pytest.raises(NotReady, match="needs Linux"):
        programs.host_architecture()


def test_the_python_runtime_holds_the_interface_client_and_nothing_of_ours() -> None:
    python = tools.python_for_runtime("3.13")
    probe = (
        "from importlib.util import find_spec\n"
        "print(*(bool(find_spec(n)) for n in ('awslambdaric', 'boto3', 'pytest')))"
    )

    done = subprocess.run([python, "-c", probe], capture_output=True, text=True, check=True)

    assert done.stdout.split() == ["True", "False", "False"]


def test_the_node_of_the_template_is_found() -> None:
    node = tools.find_node(24)

    done = subprocess.run([node, "--version"], capture_output=True, text=True, check=True)

    assert done.stdout.startswith("v24.")


def test_the_functions_libraries_are_the_ones_that_its_unit_tests_see() -> None:
    ours, shipped = (
        set(re.findall(r"^(\S+==\S+)", (ROOT / file).read_text(), re.MULTILINE))
        for file in ("requirements.txt", "python/src/requirements.txt")
    )

    assert shipped
    assert shipped <= ours


def test_the_emulator_is_executable() -> None:
    assert os.access(tools.rie_binary(), os.X_OK)
