"""A task as ECS runs it: a bundle with a read-only root, limits, and keys from ECS's address.

Bubblewrap makes the bundle. The task is its process 1, has no rights and a /tmp of its own. It
shares the network of this process, which should be one that leads nowhere (``own_network``).
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
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
from harness.scratch import scratch
from harness.targets.local import processes
from harness.targets.local.limits import limited

ECS_ADDRESS = "169.254.170.2"
_POLL_S = 0.02
_PATH = "/v2/credentials/task"
_BUNDLE = (
    *("--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc", "--tmpfs", "/tmp"),
    *("--unshare-pid", "--unshare-ipc", "--unshare-uts", "--as-pid-1"),
    *("--die-with-parent", "--new-session", "--cap-drop", "ALL"),
)


@dataclass(frozen=True, slots=True)
class TaskSize:
    """What the task definition gives: processors, memory, and seconds between the two signals."""

    vcpus: float
    memory_mb: int
    stop_timeout_s: float = 30


@dataclass(frozen=True, slots=True)
class TaskRun:
    """The end of a task; ``exit_code`` is 137 after a kill, as ECS tells it."""

    exit_code: int
    output: str
    duration_s: float
    cpu_s: float
    peak_rss_bytes: int
    enforcement: Enforcement
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
) -> TaskRun:
    """Run a command in ``folder`` to its end.

    After ``stop_after_s`` it gets SIGTERM, and SIGKILL at the end of the stop time-out.
    """
    with scratch("task") as place, limited(size.memory_mb, vcpus=size.vcpus) as limits:
        output = place / "output"
        inside: list[str | Path] = [
            "--ro-bind",
            folder,
            folder,
            "--chdir",
            folder,
        ]  # it may be in /tmp
        began = time.monotonic()
        with output.open("wb") as opened:
            process = processes.start(
                [*limits.prefix, bubblewrap(), *_BUNDLE, *inside, *command],
                cwd=folder,
                env=env,
                output=opened,
                join=limits.join,
            )
        limits.started(process.pid)
        limits.hold()
        with _stopping(process, stop_after_s, size.stop_timeout_s) as told:
            status, usage, peak = _wait(process.pid)
        process.returncode = code = os.waitstatus_to_exitcode(status)
        return TaskRun(
            exit_code=128 - code if code < 0 else code,
            output=output.read_text(errors="replace"),
            duration_s=time.monotonic() - began,
            cpu_s=usage.ru_utime + usage.ru_stime,
            peak_rss_bytes=peak,
            enforcement=limits.enforcement,
            was_told_to_stop=told.is_set(),
        )


def _wait(pid: int) -> tuple[int, resource.struct_rusage, int]:
    """The end of the bundle: status, usage of all its processes, and the task's peak memory.

    The peak is polled: the kernel's own for ended processes contains that of the forked harness.
    """
    peak = 0
    while True:
        for each in processes.descendants(pid):
            peak = max(peak, processes.peak_rss_bytes(each.pid) or 0)
        ended, status, usage = os.wait4(pid, os.WNOHANG)
        if ended:
            return status, usage, peak
        time.sleep(_POLL_S)


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
