"""A task as ECS runs it: a bundle with a read-only root, limits, and keys from ECS's address.

Bubblewrap makes the bundle. The task is its process 1 and has no rights. With this machine's root
it has a /tmp of its own, and with an image's root no folder that it can write to. It shares the
network of this process, which should be one that leads nowhere (``own_network``).
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import select
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import psutil

from harness.model import Enforcement, NotReady
from harness.targets.local import processes
from harness.targets.local.limits import limited

ECS_ADDRESS = "169.254.170.2"
_POLL_MS = 20
_AUTHORITY = "AWS_CA_BUNDLE"
_GIVEN_AUTHORITY = "/run/authority.pem"
_PATH = "/v2/credentials/task"
_BUNDLE = (
    *("--dev", "/dev", "--proc", "/proc"),
    *("--unshare-pid", "--unshare-ipc", "--unshare-uts", "--as-pid-1"),
    *("--die-with-parent", "--new-session", "--cap-drop", "ALL"),
)


@dataclass(frozen=True, slots=True)
class TaskSize:
    """The task definition's values: processors, memory, and seconds between the two signals."""

    vcpus: float
    memory_mb: int
    stop_timeout_s: float = 30


@dataclass(frozen=True, slots=True)
class Root:
    """The root of a bundle that is an image's, and not this machine's: its folder and its user."""

    folder: Path
    user: int


@dataclass(frozen=True, slots=True)
class TaskRun:
    """The end of a task; ``exit_code`` is 137 after a kill, as ECS tells it.

    ``line_s`` has the moment at which each line of the output came, in seconds since the start. The
    duration is that from the start of the bundle to the exit.
    """

    exit_code: int
    output: str
    line_s: tuple[float, ...]
    duration_s: float
    cpu_s: float
    peak_rss_bytes: int
    enforcement: Enforcement
    oom_kills: int | None = None
    throttled_ms: float | None = None
    was_told_to_stop: bool = False


def bubblewrap() -> str:
    """The program that makes bundles. Raises ``NotReady`` without it."""
    found = shutil.which("bwrap")
    if found is None:
        raise NotReady("bwrap is not on the PATH: install bubblewrap, e.g. apt install bubblewrap")
    return found


@contextlib.contextmanager
def credentials(key_id: str, secret: str) -> Iterator[dict[str, str]]:
    """ECS's address, which gives these keys; and the variable that ECS sets for it.

    The token is empty: the local S3 server refuses every other one.
    """
    keys = {"AccessKeyId": key_id, "SecretAccessKey": secret, "Token": ""}
    answer = json.dumps({**keys, "Expiration": _in_an_hour()}).encode()

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            pass

        def do_GET(self) -> None:
            self.send_response(200 if self.path == _PATH else 404)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

    server = ThreadingHTTPServer((ECS_ADDRESS, 80), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield {"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": _PATH}
    finally:
        server.shutdown()
        server.server_close()


def _in_an_hour() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 3600))


def run_bundle(
    command: Sequence[str | Path],
    folder: Path,
    env: Mapping[str, str],
    size: TaskSize,
    stop_after_s: float | None = None,
    *,
    root: Root | None = None,
    files: Sequence[Path] = (),
    cores: frozenset[int] | None = None,
) -> TaskRun:
    """Run a command in ``folder`` to its end. It sees ``files``, too, even those in /tmp.

    With ``root`` the folder is in there, and the files are left out.

    After ``stop_after_s`` it gets SIGTERM, and SIGKILL at the end of the stop time-out.
    """
    # its share of CPU holds from its start on: a task has no init
    quota = limited(
        size.memory_mb,
        None if cores is None else len(cores),
        throttle_init=True,
        vcpus=size.vcpus,
    )
    with quota as limits:
        inside, env = _inside(folder, env, root, files)
        output = _Output()
        began = time.monotonic()
        with output.end_to_write as opened:
            process = processes.start(
                [*limits.prefix, bubblewrap(), *inside, *command],
                cwd=Path("/"),
                env=env,
                output=opened,
                cores=cores,
                join=limits.join,
            )
        output.start()
        limits.started(process.pid)
        with _stopping(process, stop_after_s, size.stop_timeout_s) as told:
            status, usage, peak = _wait(process.pid)
        ended = time.monotonic()
        process.returncode = code = os.waitstatus_to_exitcode(status)
        output.join()
        pressure = limits.pressure()
        return TaskRun(
            exit_code=128 - code if code < 0 else code,
            output=b"".join(line for _, line in output.lines).decode(errors="replace"),
            # the last line may be read after the exit
            line_s=tuple(min(at, ended) - began for at, _ in output.lines),
            duration_s=ended - began,
            cpu_s=usage.ru_utime + usage.ru_stime,
            peak_rss_bytes=peak,
            enforcement=limits.enforcement,
            oom_kills=pressure.oom_kills,
            throttled_ms=pressure.throttled_ms,
            was_told_to_stop=told.is_set(),
        )


class _Output(threading.Thread):
    """Reads the lines of a task, each with the moment at which it came."""

    def __init__(self) -> None:
        super().__init__(name="task-output", daemon=True)
        read, write = os.pipe()
        self._read = os.fdopen(read, "rb")
        self.end_to_write = os.fdopen(write, "wb")
        self.lines: list[tuple[float, bytes]] = []

    def run(self) -> None:
        with self._read as lines:
            for line in lines:
                self.lines.append((time.monotonic(), line))


def _inside(
    folder: Path, env: Mapping[str, str], root: Root | None, files: Sequence[Path]
) -> tuple[Sequence[str | Path], Mapping[str, str]]:
    """Bubblewrap's options and the variables of the task."""
    if root is None:
        shown = (word for each in (folder, *files) for word in ("--ro-bind", each, each))
        own = ("--tmpfs", "/tmp", *shown, "--chdir", folder)
        return ("--ro-bind", "/", "/", *_BUNDLE, *own), env
    # as in Fargate, which has no tmpfs, no folder can be written to
    user = ("--unshare-user", "--uid", str(root.user), "--gid", str(root.user))
    options = ("--ro-bind", root.folder, "/", *_BUNDLE, *user, "--chdir", folder)
    if (authority := env.get(_AUTHORITY)) is None:
        return options, env
    given = ("--tmpfs", "/run", "--ro-bind", authority, _GIVEN_AUTHORITY, "--remount-ro", "/run")
    return (*options, *given), {**env, _AUTHORITY: _GIVEN_AUTHORITY}


def _wait(pid: int) -> tuple[int, resource.struct_rusage, int]:
    """The end of the bundle: status, usage of all its processes, and the task's peak memory.

    The peak is polled: the kernel's own for ended processes contains that of the forked harness.
    """
    peak = 0
    watched = os.pidfd_open(pid)
    try:
        ends = select.poll()
        ends.register(watched, select.POLLIN)
        while not ends.poll(_POLL_MS):
            for each in processes.descendants(pid):
                peak = max(peak, processes.peak_rss_bytes(each.pid) or 0)
    finally:
        os.close(watched)
    _, status, usage = os.wait4(pid, 0)
    return status, usage, peak


@contextlib.contextmanager
def _stopping(
    process: subprocess.Popen[bytes], after_s: float | None, timeout_s: float
) -> Iterator[threading.Event]:
    """Gives an event that is set when the task has got a signal."""
    told = threading.Event()

    def send(number: int) -> None:
        with contextlib.suppress(psutil.NoSuchProcess):  # it has ended
            for each in psutil.Process(process.pid).children():  # process 1, as ECS does it
                each.send_signal(number)
                told.set()

    timers = []
    if after_s is not None:
        timers = [
            threading.Timer(after_s, send, [signal.SIGTERM]),
            threading.Timer(after_s + timeout_s, send, [signal.SIGKILL]),
        ]
    for each in timers:
        each.start()
    try:
        yield told
    finally:
        for each in timers:
            each.cancel()
