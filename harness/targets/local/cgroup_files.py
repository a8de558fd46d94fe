"""The kernel's files of control groups: their places, and how to read and write them."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from harness.scratch import owned_name

_REMOVE_TIMEOUT_S = 10.0


def own_groups(pid: int | None = None) -> Mapping[str, Path]:
    """Controller -> folder of a process's group (the caller's); ``""`` is cgroup v2's."""
    process = Path("/proc") / ("self" if pid is None else str(pid))
    try:
        lines = (process / "cgroup").read_text().splitlines()
    except OSError:
        return {}
    paths = {
        controller: path
        for _, controllers, path in (line.split(":", 2) for line in lines)
        for controller in controllers.split(",")
    }
    found: dict[str, Path] = {}
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        left, _, right = line.partition(" - ")  # proc_pid_mountinfo(5)
        root, mount = left.split()[3:5]
        kind, _, options = right.split(" ", 2)
        controllers = {"cgroup": options.split(","), "cgroup2": [""]}.get(kind, [])
        for controller in set(controllers) & paths.keys():
            inside = paths[controller].removeprefix(root.rstrip("/")).lstrip("/")
            found[controller] = Path(mount) / inside
    return found


def new_name() -> str:
    """A unique name for a group. It tells its owner."""
    return owned_name("group")


def make(folder: Path) -> None:
    """Make a group's folder. Raises ``OSError``."""
    folder.mkdir()


def remove_groups(which: Callable[[str], bool]) -> None:
    """Remove this user's groups with such names, and kill the processes in them."""
    own = own_groups()
    parents = {*own.values()} | ({own[""].parent} if "" in own else set())
    for parent in parents:
        for each in parent.glob("rosetta-*"):
            with contextlib.suppress(FileNotFoundError):  # another run removes it, too
                if which(each.name) and each.stat().st_uid == os.geteuid():
                    remove(each)


def remove(folder: Path) -> None:
    """Kill all processes of a group and remove its folder. Gives up after ten seconds."""
    end = time.monotonic() + _REMOVE_TIMEOUT_S
    while folder.exists():
        try:
            folder.rmdir()
        except FileNotFoundError:
            return
        except OSError:  # a process is inside
            for pid in _members(folder):
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, signal.SIGKILL)
            if time.monotonic() > end:
                return
            time.sleep(0.005)


def _members(folder: Path) -> list[int]:
    try:
        pids = map(int, (folder / "cgroup.procs").read_text().split())
    except OSError:
        return []
    return [pid for pid in pids if pid > 0]  # 0 is of another namespace; killing it kills us


def hands_down(folder: Path) -> bool:
    """Whether groups below a cgroup v2 folder have the cpu and the memory controller."""
    try:
        handed = (folder / "cgroup.subtree_control").read_text().split()
    except OSError:
        return False
    return {"cpu", "memory"} <= set(handed)


def open_to_write(path: Path) -> int:
    """A descriptor to write to. It is closed when the process executes another program."""
    return os.open(path, os.O_WRONLY | os.O_CLOEXEC)


def write(path: Path, value: object) -> None:
    """Write one value; raises ``OSError`` where the kernel refuses it."""
    # not write_text(): O_CREAT and O_TRUNC mean nothing here, and an error must name the file
    descriptor = open_to_write(path)
    try:
        os.write(descriptor, str(value).encode())
    finally:
        os.close(descriptor)


def try_write(path: Path, value: object) -> bool:
    try:
        write(path, value)
    except OSError:
        return False
    return True


def read_flat(path: Path) -> dict[str, int]:
    """Read a file of ``name number`` lines; empty if there is no file."""
    try:
        lines = path.read_text().splitlines()
    except OSError:
        return {}
    return {name: int(value) for name, value in (line.split() for line in lines)}


def read_int(path: Path) -> int | None:
    try:
        return int(path.read_text())
    except OSError:
        return None


def words(error: OSError) -> str:
    return f"{error.strerror} ({error.filename})" if error.filename else str(error)
