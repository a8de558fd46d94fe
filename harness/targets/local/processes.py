"""Child processes that end with the harness. Each has its own group and is killed by its id."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO

import psutil

from harness.model import NotReady
from harness.scratch import dies_with_parent

_LAST_WORDS = 2000  # characters
_REMEDY = "if the program is damaged, remove its folder and run make setup"


class NotListening(NotReady):
    """A server was started, but does not serve."""


def start(
    command: Sequence[str | Path],
    *,
    cwd: Path,
    env: Mapping[str, str],
    output: IO[bytes],
    cores: frozenset[int] | None = None,
    join: Callable[[], None] | None = None,
) -> subprocess.Popen[bytes]:
    """Start a child in its own process group; stdout and stderr go to ``output``.

    The child runs on ``cores`` if given. It calls ``join`` before it executes the command;
    ``join`` may only make system calls. The kernel kills the child when the calling thread ends,
    so that thread must outlive the child.
    """
    die_with_parent = dies_with_parent()

    def prepare() -> None:
        die_with_parent()
        if cores is not None:
            os.sched_setaffinity(0, cores)
        if join is not None:
            join()

    return subprocess.Popen(
        command,
        cwd=cwd,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        preexec_fn=prepare,
    )


def start_server(
    program: Path,
    command: Sequence[str | Path],
    ready: Callable[[], bool],
    *,
    cwd: Path,
    env: Mapping[str, str],
    log: Path,
    timeout_s: float,
    cores: frozenset[int] | None = None,
    join: Callable[[], None] | None = None,
    started: Callable[[int], None] = lambda _pid: None,
) -> subprocess.Popen[bytes]:
    """Start a child as :func:`start` does, and wait until it is ``ready``.

    Its output goes to the file ``log``. ``started`` gets its id at once. Raises ``NotReady`` if it
    can't be started, or ``NotListening`` if it is not ready in time. The message names the
    ``program``, its end and its last words.
    """
    try:
        with log.open("wb") as output:
            process = start(command, cwd=cwd, env=env, output=output, cores=cores, join=join)
    except (OSError, subprocess.SubprocessError) as error:
        raise NotReady(f"{program} can't be started: {error}: {_REMEDY}") from error
    try:
        started(process.pid)
        if not wait_until(ready, process, timeout_s):
            code = process.poll()
            end = f"did not listen within {timeout_s} s" if code is None else f"ended with {code}"
            words = log.read_text(errors="replace").strip()[-_LAST_WORDS:] or "it printed nothing"
            raise NotListening(f"{program} {end}: {words}: {_REMEDY}")
    except BaseException:
        stop(process)
        raise
    return process


def stop(process: subprocess.Popen[bytes]) -> None:
    """Kill the child and all its descendants, and reap it. It may be called twice."""
    family = descendants(process.pid)  # some may have left the child's group
    if process.poll() is None:
        process.kill()
    for member in family:
        try:
            member.kill()
        except psutil.NoSuchProcess:
            continue
    process.wait()
    end = time.monotonic() + 5
    while any(is_alive(member) for member in family) and time.monotonic() < end:
        time.sleep(0.002)


def is_alive(process: psutil.Process) -> bool:
    """Whether the process still runs. A zombie does not."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def descendants(pid: int) -> list[psutil.Process]:
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def cpu_ms(pid: int) -> float | None:
    """CPU time of a process since its start, in ms, ended threads included."""
    # the kernel's clock id of a process's CPU time (clock_getcpuclockid(3)): nanoseconds,
    # where /proc/PID/stat counts in hundredths of a second
    try:
        return time.clock_gettime_ns((~pid << 3) | 2) / 1e6
    except OSError:
        return None


def peak_rss_bytes(pid: int) -> int | None:
    """The largest resident set of a process since its start or :func:`reset_peak_rss`."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return None
    for line in status.splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return None  # a zombie has none


def reset_peak_rss(pid: int) -> bool:
    """Reset the peak; ``False`` if the kernel refuses it (proc_pid_clear_refs(5))."""
    try:
        Path(f"/proc/{pid}/clear_refs").write_text("5")
    except OSError:
        return False
    return True


def wait_until(
    ready: Callable[[], bool], process: subprocess.Popen[bytes], timeout_s: float
) -> bool:
    """Poll until ``ready``; ``False`` if the process ends or the time is over first."""
    end = time.monotonic() + timeout_s
    while time.monotonic() < end:
        if process.poll() is not None:
            return False
        if ready():
            return True
        time.sleep(0.005)
    return False
