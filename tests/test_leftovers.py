"""The next run ends everything that a killed one left, and touches nothing of others."""

from __future__ import annotations

import random
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import psutil
import pytest

from harness import scratch
from harness.targets.local import cgroup_files
from harness.targets.local.leftovers import clear_abandoned
from harness.targets.local.processes import is_alive

ROOT = Path(__file__).parent.parent

#: A run with a folder, and with a program that starts another, as a build does.
OWNER = """
    from harness.scratch import scratch
    from harness.toolchain.programs import run

    with scratch("sandbox") as folder:
        (folder / "data").write_text("x")
        print(folder, flush=True)
        run(["sh", "-c", "sleep 600 & echo $! >{}; wait"], "the build")
"""


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The TMPDIR of a test, in which other runs leave nothing."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    return tmp_path


@pytest.fixture
def owner(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[psutil.Popen, psutil.Process]]:
    """A run, and the child of its child."""
    pid = tmp_path_factory.mktemp("pid") / "pid"
    script = textwrap.dedent(OWNER).format(pid)
    with psutil.Popen([sys.executable, "-c", script], cwd=ROOT, stdout=subprocess.PIPE) as run:
        assert run.stdout.readline()
        while not (pid.exists() and pid.read_text().endswith("\n")):
            time.sleep(0.01)
        sleeper = psutil.Process(int(pid.read_text()))
        yield run, sleeper
        if is_alive(run):
            run.kill()
    if is_alive(sleeper):
        sleeper.kill()


def test_a_name_tells_whether_its_owner_is_dead() -> None:
    name = scratch.owned_name("s3")
    assert scratch.is_own(name)
    assert not scratch.is_abandoned(name)
    _, place, pid, start, *_ = name.split("-")
    reused = f"rosetta-{place}-{pid}-{int(start) - 1}-s3-0"  # the id of a dead process
    assert scratch.is_abandoned(reused)
    for other in (f"rosetta-00000000-{pid}-1-s3-0", f"rosetta-{pid}", "s3", ""):
        assert not scratch.is_abandoned(other)


def test_what_a_killed_run_left_is_ended(
    owner: tuple[psutil.Popen, psutil.Process], place: Path
) -> None:
    run, sleeper = owner
    assert len(list(place.iterdir())) == 2
    clear_abandoned()
    assert is_alive(sleeper)  # its owner lives
    assert len(list(place.iterdir())) == 2

    run.kill()
    run.wait()
    clear_abandoned()

    assert not is_alive(sleeper)
    assert list(place.iterdir()) == []


def test_things_of_others_stay(place: Path) -> None:
    name = scratch.owned_name("s3")
    _, _, pid, start, *_ = name.split("-")
    foreign = place / f"rosetta-00000000-{pid}-{int(start) - 1}-s3-0"  # of another machine
    alike = place / "rosetta-notes"
    own = place / name
    for each in (foreign, alike, own):
        each.mkdir()
    environments = [{"TMPDIR": str(each)} for each in (foreign, alike, own)]
    sleepers = [psutil.Popen(["sleep", "60"], env=each) for each in environments]
    try:
        clear_abandoned()
        assert {*place.iterdir()} == {foreign, alike, own}
        assert [each.poll() for each in sleepers] == [None] * 3
    finally:
        for sleeper in sleepers:
            sleeper.kill()
            sleeper.wait()


def test_a_link_with_an_abandoned_name_is_not_followed(place: Path) -> None:
    _, here, pid, start, *_ = scratch.owned_name("s3").split("-")
    kept = place / "kept"
    kept.mkdir()
    (kept / "file").touch()
    (place / f"rosetta-{here}-{pid}-{int(start) - 1}-s3-0").symlink_to(kept)
    clear_abandoned()
    assert (kept / "file").exists()


# ---- real runs, killed at moments that a seed decides ----

VERIFY = ("verify", "--languages", "python", "--clients", "light", "--case", "chunks-*")
COMPARE = ("compare", "--languages", "go,java", "--clients", "light", "--objects", "300")


def of_run(place: Path) -> list[psutil.Process]:
    """The processes whose TMPDIR is in the run's, but not the run itself."""
    found = []
    for each in psutil.process_iter():
        try:
            temporary = Path(each.environ().get("TMPDIR", ""))
        except psutil.Error:
            continue
        if place in temporary.parents and is_alive(each):
            found.append(each)
    return found


def groups_of(pid: int) -> list[Path]:
    parents = set(cgroup_files.own_groups().values())
    return [each for parent in parents for each in parent.glob(f"rosetta-*-{pid}-*")]


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("arguments", [VERIFY, COMPARE], ids=["verify", "compare"])
def test_a_run_that_is_killed_at_any_moment_leaves_nothing(
    arguments: Sequence[str], place: Path
) -> None:
    moments = random.Random(1)
    left = 0
    for _ in range(5):
        run = subprocess.Popen(
            [sys.executable, "-m", "harness", *arguments],
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        while run.poll() is None and not any(place.iterdir()):
            time.sleep(0.01)  # until it has made something
        time.sleep(moments.uniform(0, 4))
        run.kill()
        run.wait()
        left += len(list(place.iterdir()))
        clear_abandoned()
        assert of_run(place) == []
        assert list(place.iterdir()) == []
        assert groups_of(run.pid) == []
    assert left  # else the moments prove nothing
