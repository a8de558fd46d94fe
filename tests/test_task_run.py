"""`task run`: the bundle that a task runs in, and the judge of what it leaves."""

from __future__ import annotations

import re
import shlex
import shutil
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from datetime import date
from multiprocessing import get_context
from pathlib import Path

import pytest
from conftest import built

from harness.build.template import load_implementations
from harness.cli import main
from harness.model import Artefact, NotReady
from harness.targets.local.own_network import enter_own_network
from harness.targets.local.runtimes import task_command
from harness.targets.local.task_bundle import ECS_ADDRESS, TaskRun, TaskSize, run_bundle
from harness.toolchain.paths import ROOT
from harness.verify.task_runs import Order, describe, run_tasks

pytestmark = pytest.mark.slow

DAY = date(2024, 2, 8)
SIZE = TaskSize(vcpus=1, memory_mb=512)
FACTS = """
touch /forbidden 2>/dev/null || echo root is read-only
touch /tmp/allowed && echo tmp is writable
echo process $$
ip -oneline -4 address | awk '{print $2, $4}'
grep CapEff /proc/self/status
exit 19
"""


@pytest.fixture(scope="module")
def bundles() -> Iterator[ProcessPoolExecutor]:
    """A process in which bundles can be made."""
    if shutil.which("bwrap") is None:
        pytest.skip("no bundles: bwrap is not on the PATH")
    with ProcessPoolExecutor(1, get_context("spawn")) as process:
        try:
            process.submit(enter_own_network, [ECS_ADDRESS]).result()
        except NotReady as error:
            pytest.skip(f"no bundles: {error}")
        yield process


def in_bundle(
    bundles: ProcessPoolExecutor, script: str, folder: Path, stop_after_s: float | None = None
) -> TaskRun:
    command = ["/bin/sh", "-c", script]
    env = {"PATH": "/usr/sbin:/usr/bin:/bin"}
    size = replace(SIZE, stop_timeout_s=0.5)
    return bundles.submit(run_bundle, command, folder, env, size, stop_after_s).result()


def test_a_bundle_is_closed(bundles: ProcessPoolExecutor, tmp_path: Path) -> None:
    run = in_bundle(bundles, FACTS, tmp_path)
    assert run.output.splitlines() == [
        "root is read-only",
        "tmp is writable",
        "process 1",
        "lo 127.0.0.1/8",
        f"lo {ECS_ADDRESS}/32",
        "CapEff:\t0000000000000000",
    ]
    assert run.exit_code == 19


def test_a_task_that_does_not_stop_is_killed(bundles: ProcessPoolExecutor, tmp_path: Path) -> None:
    run = in_bundle(bundles, "trap 'echo told' TERM; while :; do sleep 0.1; done", tmp_path, 0.5)
    assert run.output == "told\n"
    assert run.exit_code == 137


@pytest.fixture(scope="module")
def go() -> Artefact:
    made = built("go")
    assert isinstance(made, Artefact), made
    return made.with_client("light")


@pytest.mark.usefixtures("bundles")
def test_a_run_is_judged(go: Artefact) -> None:
    (judged,) = run_tasks([go], Order(DAY, 30, SIZE))
    assert judged.problem is None
    assert judged.run.exit_code == 0
    assert judged.run.enforcement.vcpus == 1
    assert "as expected" in describe([judged])[1]


@pytest.mark.usefixtures("bundles")
def test_a_stopped_run_has_published_nothing(go: Artefact) -> None:
    slow = replace(SIZE, vcpus=0.05)
    (judged,) = run_tasks([go], Order(DAY, 600, slow, stop_after_s=0.8))
    assert (judged.run.exit_code, judged.problem) == (18, None)
    assert "stopped, nothing published" in describe([judged])[1]


@pytest.mark.usefixtures("bundles")
def test_a_run_that_ignores_the_signal_is_told(go: Artefact, tmp_path: Path) -> None:
    deaf = tmp_path / "bootstrap"
    real = go.folder.resolve() / "bootstrap"
    deaf.write_text(f"#!/bin/sh\ntrap '' TERM\nsleep 1.5\n{real} \"$@\"\n")
    deaf.chmod(0o755)
    order = Order(DAY, 3, SIZE, stop_after_s=0.5)
    (judged,) = run_tasks([replace(go, folder=tmp_path)], order)
    assert (judged.run.exit_code, judged.problem) == (0, None)
    assert describe([judged])[1].endswith("went on to its end")


@pytest.mark.parametrize("language", ["python", "java"])
def test_process_1_hears_an_early_signal(bundles: ProcessPoolExecutor, language: str) -> None:
    """K4: the kernel keeps signals from a process 1 until it has a handler for them.

    Node hears them too, but only when it next waits, which may be after a bad setting. A signal in
    the first moments of a JVM ends it with 1, because its own start fails. One in the last moments
    before the hook may meet it already; then the run goes on to its bad setting, and the next
    start decides.
    """
    made = built(language)
    assert isinstance(made, Artefact), made
    folder = made.folder.resolve()
    command = task_command(made.implementation, folder, SIZE.memory_mb, "{}")
    # without a pause: on a busy machine it would last longer than the start of a JVM
    script = f"(while kill -TERM 1; do :; done) & exec {shlex.join(map(str, command))}"
    expected = (143, 1) if language == "java" else (143,)
    for _ in range(10):
        run = in_bundle(bundles, script, folder)
        if run.exit_code in expected:
            return
        assert language == "java", run.output
    pytest.fail(run.output)


@pytest.mark.usefixtures("bundles")
def test_a_task_that_leaves_nothing_differs(tmp_path: Path) -> None:
    bootstrap = tmp_path / "bootstrap"
    bootstrap.write_text("#!/bin/sh\necho '{}'\n")
    bootstrap.chmod(0o755)
    made = built("go")
    assert isinstance(made, Artefact), made
    (judged,) = run_tasks([replace(made, folder=tmp_path)], Order(DAY, 3, SIZE))
    assert judged.problem is not None
    assert "000001.ndjson.gz: the chunk is missing" in judged.problem
    assert describe([judged])[1].endswith("differs")
    bootstrap.write_text("#!/bin/sh\nexit 18\n")
    (stopped,) = run_tasks([replace(made, folder=tmp_path)], Order(DAY, 3, SIZE))
    assert stopped.problem == "exit code 18: "


def test_the_documented_commands_are_those_that_run() -> None:
    section = (ROOT / "docs/deploy.md").read_text().partition("\n## A day too large for Lambda")[2]
    rows = re.findall(r"^\| (\w+) \| `(.+ EVENT)` \|$", section, re.MULTILINE)
    documented = {language.lower(): shlex.split(command) for language, command in rows}
    for each in load_implementations():
        program, *words = map(str, task_command(each, Path(), 2048, "EVENT"))
        named, *others = documented.pop(each.language)
        assert others == words
        assert Path(named).name.startswith(Path(program).name)
    assert not documented


def test_without_bubblewrap_the_remedy_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], go: Artefact
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(NotReady, match="apt install bubblewrap"):
        run_tasks([go], Order(DAY, 3, SIZE))
    assert main(["task", "run", "--vcpus", "0"]) == 2
    assert "--vcpus: 0 is not a number above 0" in capsys.readouterr().err
    assert main(["task", "run", "--stop-after", "-1"]) == 2
    assert "--stop-after: -1 is not a number of seconds" in capsys.readouterr().err
