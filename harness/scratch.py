"""Temporary folders whose names tell their owner, and the end of everything that a killed run left.

A killed process removes none of its folders, and the children of its children live on. So the name
of each folder contains the process that made it, and each child has its TMPDIR in such a folder. A
later run ends the processes and removes the folders of dead owners. An owner is known by its id and
by the time of its start, because the kernel gives an id again. Whatever belongs to another user,
another machine or another pid namespace stays.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import re
import secrets
import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache, partial
from pathlib import Path

import psutil

from harness.model import NotReady

_NAME = re.compile(r"\.?rosetta-(?P<place>[0-9a-f]{8})-(?P<pid>\d+)-(?P<start>\d+)-")
_END_TIMEOUT_S = 20.0
_PR_SET_PDEATHSIG = 1
# loaded before any fork: the child may only make calls there
_prctl = ctypes.CDLL(None, use_errno=True).prctl


# ---- names ----


def owned_name(kind: str) -> str:
    """A unique name that tells its owner: this process."""
    return f"{_prefix()}{kind}-{secrets.token_hex(4)}"


def is_owned(name: str) -> bool:
    return _NAME.match(name) is not None


def is_abandoned(name: str) -> bool:
    """Whether the owner that the name tells is dead. It is of this machine and pid namespace."""
    found = _NAME.match(name)
    if found is None or found["place"] != _place():
        return False
    return _start_of(int(found["pid"])) != int(found["start"])


def is_own(name: str) -> bool:
    return name.removeprefix(".").startswith(_prefix())


def _prefix() -> str:
    return f"rosetta-{_place()}-{os.getpid()}-{_start_of(os.getpid())}-"


@cache
def _place() -> str:
    """The machine since its last boot, and the pid namespace: where a process id has a meaning."""
    boot = Path("/proc/sys/kernel/random/boot_id").read_text()
    namespace = Path("/proc/self/ns/pid").stat().st_ino
    return hashlib.sha256(f"{boot}{namespace}".encode()).hexdigest()[:8]


def _start_of(pid: int) -> int | None:
    """The time when a process started, in clock ticks since the boot; ``None`` for a dead one."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else int(fields[19])  # proc_pid_stat(5)


# ---- folders ----


def temporary() -> Path:
    """The folder for temporary folders. Raises ``NotReady`` where TMPDIR names none."""
    named = os.environ.get("TMPDIR")
    if not named:
        return Path(tempfile.gettempdir())
    # not gettempdir(): it takes another folder in silence
    if not Path(named).is_dir() or not os.access(named, os.W_OK | os.X_OK):
        raise NotReady(f"TMPDIR is {named}, which is no writable folder: make it, or unset TMPDIR")
    return Path(named).absolute()


def make_folder(kind: str, parent: Path | None = None) -> Path:
    """A new folder of this process, for :func:`remove_folder`."""
    folder = (parent or temporary()) / owned_name(kind)
    folder.mkdir(mode=0o700)
    return folder


def remove_folder(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def scratch(kind: str, parent: Path | None = None) -> Iterator[Path]:
    """A temporary folder. Leaving the context removes it, unless it was moved."""
    folder = make_folder(kind, parent)
    try:
        yield folder
    finally:
        remove_folder(folder)


# ---- children ----


def dies_with_parent() -> Callable[[], None]:
    """For the child to call: the kernel kills it when the thread that started it ends."""
    return partial(_die_with, os.getpid())


def _die_with(parent: int) -> None:
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # the parent died before the call above
        os._exit(1)


# ---- the end of leftovers ----


def end_abandoned_processes() -> None:
    """Kill this user's processes whose TMPDIR belongs to a dead owner."""
    end = time.monotonic() + _END_TIMEOUT_S
    while (found := list(_abandoned_processes())) and time.monotonic() < end:
        for each in found:
            with suppress(psutil.Error):
                each.kill()  # psutil compares the start of the process, too
        psutil.wait_procs(found, timeout=0.5)


def _abandoned_processes() -> Iterator[psutil.Process]:
    own = psutil.Process()
    spared = {own.pid, *(each.pid for each in own.parents())}
    for each in psutil.process_iter():
        with suppress(psutil.Error):
            if each.pid in spared or each.uids().real != os.getuid():
                continue
            if any(map(is_abandoned, Path(each.environ().get("TMPDIR", "")).parts)):
                yield each


def remove_folders(which: Callable[[str], bool], *parents: Path) -> None:
    """Remove this user's folders with such names from the temporary folder and ``parents``."""
    for parent in (temporary(), *parents):
        with suppress(OSError):
            for each in list(parent.iterdir()):
                with suppress(FileNotFoundError):  # another run removes it, too
                    if which(each.name) and each.lstat().st_uid == os.geteuid():
                        remove_folder(each)  # rmtree() does not follow a link
