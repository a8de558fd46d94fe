"""Control groups: those of this machine, and those of other machines by fake files."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from harness.targets.local import cgroup_files, cgroup_probe, cgroups
from harness.targets.local.leftovers import clear_abandoned

type OwnGroups = Callable[[Mapping[str, Path]], None]


@pytest.fixture
def own_groups(monkeypatch: pytest.MonkeyPatch) -> OwnGroups:
    def pretend(folders: Mapping[str, Path]) -> None:
        monkeypatch.setattr(cgroup_files, "own_groups", lambda pid=None: folders)

    return pretend


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Fills the folder of a new group with files, as the kernel does."""

    def fill(**files: str) -> None:
        def make(folder: Path) -> None:
            folder.mkdir()
            for name, text in files.items():
                (folder / name.replace("__", ".")).write_text(text)

        monkeypatch.setattr(cgroup_files, "make", make)

    return fill


def group_folder(parent: Path) -> Path:
    (found,) = parent.glob("rosetta-*")
    return found


V2_FILES = {
    "cgroup__procs": "",
    "memory__max": "",
    "memory__swap__max": "",
    "memory__events": "low 0\noom 4\noom_kill 3\n",
    "cpu__max": "",
    "cpu__stat": "usage_usec 1500\nnr_periods 9\nnr_throttled 7\nthrottled_usec 2500\n",
}


def test_v2_writes_and_reads_the_kernels_files(
    tmp_path: Path, own_groups: OwnGroups, kernel: Callable[..., None]
) -> None:
    own = tmp_path / "session"
    own.mkdir()
    (own / "cgroup.subtree_control").write_text("")
    (tmp_path / "cgroup.subtree_control").write_text("cpuset cpu io memory pids")
    own_groups({"": own})
    kernel(**V2_FILES)

    group = cgroups.V2Group(128 << 20)
    group.join()
    folder = group_folder(tmp_path)  # beside its own group, which holds processes
    group.set_quota(1447, 20_000)
    throttled = (folder / "cpu.max").read_text()
    (folder / "cpu.max").write_text("")
    group.set_quota(None, 20_000)

    assert throttled == "1447 20000"
    assert (folder / "cpu.max").read_text() == "max 20000"
    assert (folder / "memory.max").read_text() == str(128 << 20)
    assert (folder / "memory.swap.max").read_text() == "0"
    assert (folder / "cgroup.procs").read_text() == "0"
    assert group.swap_is_off()
    assert group.oom_kills() == 3
    assert group.cpu_use() == cgroups.CpuUse(1.5, 9, 7, 2.5)


def test_v2_without_swap_says_so(
    tmp_path: Path, own_groups: OwnGroups, kernel: Callable[..., None]
) -> None:
    (tmp_path / "cgroup.subtree_control").write_text("cpu memory")
    own_groups({"": tmp_path})
    kernel(**{name: text for name, text in V2_FILES.items() if "swap" not in name})

    assert not cgroups.V2Group(128 << 20).swap_is_off()


def test_every_kind_that_fails_has_its_reason(
    tmp_path: Path, own_groups: OwnGroups, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "cgroup.subtree_control").write_text("memory pids")
    own_groups({"cpu": tmp_path, "": tmp_path})
    monkeypatch.setenv("PATH", str(tmp_path))

    assert cgroup_probe.find_kind.__wrapped__() == (
        None,
        "cgroup v1: no memory controller is mounted; "
        "cgroup v2: the cpu and memory controllers are not handed down to this group; "
        "systemd scope: systemd-run is not on PATH",
    )


def test_a_group_that_may_not_be_made_is_a_reason_and_leaves_nothing(
    tmp_path: Path, own_groups: OwnGroups, kernel: Callable[..., None]
) -> None:
    (tmp_path / "cgroup.subtree_control").write_text("cpu memory")
    own_groups({"": tmp_path})
    kernel()  # no memory.max

    with pytest.raises(cgroups.NoGroupError, match=r"No such file or directory \(.*memory.max\)"):
        cgroups.V2Group(128 << 20)

    assert not list(tmp_path.glob("rosetta-*"))


def test_a_scope_needs_the_users_systemd_and_its_absence_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    systemd_run = tmp_path / "systemd-run"
    systemd_run.write_text("#!/bin/sh\nexit 1\n")
    systemd_run.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.defpath}")
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/run/user/1000")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)

    group = cgroups.ScopeGroup(128 << 20)

    command = list(group.prefix)
    assert command[:3] == ["/usr/bin/env", "XDG_RUNTIME_DIR=/run/user/1000", str(systemd_run)]
    assert {"--user", "--scope", f"MemoryMax={128 << 20}", "MemorySwapMax=0"} <= set(command)
    # the function's environment stays its own
    assert command[-3:] == ["--", "/usr/bin/env", "--unset=XDG_RUNTIME_DIR"]
    with (
        subprocess.Popen([*command, "true"]) as child,
        pytest.raises(cgroups.NoGroupError, match="systemd-run failed"),
    ):
        group.started(child.pid)


def test_where_the_groups_of_a_process_are_is_read_from_its_mounts() -> None:
    for controller, folder in cgroup_files.own_groups().items():
        if (folder / "cgroup.procs").exists():
            members = (folder / "cgroup.procs").read_text().split()
            assert str(os.getpid()) in members, controller


@pytest.mark.skipif(cgroup_probe.find_kind()[0] is None, reason=str(cgroup_probe.find_kind()[1]))
def test_the_next_run_removes_groups_of_a_killed_one() -> None:
    script = (
        "import time; from harness.targets.local import limits\n"
        "with limits.limited(128): print('made', flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as run:
        assert run.stdout is not None
        assert run.stdout.readline() == b"made\n"
        run.kill()
    parents = set(cgroup_files.own_groups().values())

    clear_abandoned()

    names = [each.name for parent in parents for each in parent.glob("rosetta-*")]

    assert not [name for name in names if f"-{run.pid}-" in name]


def test_rights_and_trying_agree_on_this_machine() -> None:
    kind, reason = cgroup_probe.find_kind()
    if cgroup_probe.may_limit():
        assert kind is not None, reason
    else:
        assert kind in (None, "systemd scope")
