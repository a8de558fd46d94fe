"""The target of ``compare --target task``: each sample is a whole task, from its start to its exit.

The S3 server and the tasks are in a process with a network of its own, because the address of
ECS's keys is in it. The objects are files, which both processes see.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from concurrent.futures import ProcessPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import psutil

from harness.model import (
    Artefact,
    Enforcement,
    Failure,
    FailureKind,
    Implementation,
    Invocation,
    PeakSince,
    Role,
    Start,
    UsageError,
)
from harness.scratch import dies_with_parent, scratch
from harness.targets.interface import Latency, Limits, Sandbox, Store, Target
from harness.targets.local import processes
from harness.targets.local.own_network import enter_own_network
from harness.targets.local.runtimes import task_command
from harness.targets.local.s3server import S3Server
from harness.targets.local.task_bundle import (
    ECS_ADDRESS,
    TaskRun,
    TaskSize,
    bubblewrap,
    credentials,
    run_bundle,
)

#: The mark of this target in the environment of a comparison.
TASK = "task"
#: The memory of a task where none is asked for: the least of Fargate with one vCPU.
TASK_MEMORY_MB = 2048
_KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
_CA_BUNDLE = "AWS_CA_BUNDLE"
_TIMEOUT_S = 3600  # TASK_TIMEOUT's default (S22)
_TAIL = 2000  # characters


@contextmanager
def task_target(local: Target, vcpus: float, memory_mb: int) -> Iterator[Target]:
    """The implementations of ``local`` as tasks of this size.

    Raises ``NotReady`` where no bundle can be made here.
    """
    bubblewrap()
    apart, placement = _Apart(), local.place()

    def load() -> Sequence[Implementation]:
        return [replace(each, memory_mb=memory_mb, timeout_s=_TIMEOUT_S) for each in local.load()]

    def sandbox(
        artefact: Artefact,
        env: Mapping[str, str],
        memory_mb: int | None = None,
        *,
        limits: Limits | None = None,
        cores: frozenset[int] | None = None,
        reset_peak: bool = False,
        snap_start: bool | None = None,
        start: Start | None = None,
    ) -> AbstractContextManager[Sandbox]:
        if limits is None or start is not None or snap_start is not None:
            raise UsageError("a task has its limits, and no start but its own")
        size = TaskSize(vcpus, memory_mb or artefact.implementation.memory_mb)
        return contextlib.nullcontext(_Task(apart, artefact, env, size, placement.cores(vcpus)))

    yield replace(
        local,
        load=load,
        serve=apart.serve,
        sandbox=sandbox,
        describe=lambda: {**local.describe(), "target": TASK},
        delay=_no_delay,
        place=lambda: placement,
        train=None,
    )


def _no_delay(_port: int, latency: Latency) -> AbstractContextManager[int]:
    raise UsageError(f"no latency of {latency} can be added on the way of a task")


class _Apart:
    """A process in a network of its own, with the S3 server and the tasks."""

    def __init__(self) -> None:
        self._process: ProcessPoolExecutor | None = None

    @contextmanager
    def serve(self, cores: frozenset[int] | None, transports: Set[bool]) -> Iterator[Store]:
        """Start the process and its server. It ends a task that runs at an interruption."""
        spawn = get_context("spawn")  # a process with threads may not leave its network
        with (
            scratch("objects") as folder,
            ProcessPoolExecutor(1, spawn, _ignore_interrupts) as self._process,
        ):
            self.call(enter_own_network, [ECS_ADDRESS])
            self.call(dies_with_parent())  # after the line above, which would undo it
            envs = self.call(_begin, folder, cores, transports)
            try:
                yield _Files(S3Server(folder), envs, self)
            finally:
                _end_tasks()  # after an interruption one may run
                self.call(_end)

    def call[**P, R](self, function: Callable[P, R], *given: P.args, **more: P.kwargs) -> R:
        """Call a function of a module in the other process."""
        assert self._process is not None
        return self._process.submit(function, *given, **more).result()


def _ignore_interrupts() -> None:
    """Ctrl-C reaches this process, too; the one that started it decides."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _end_tasks() -> None:
    """Kill the bundle that runs, so that the other process can end the rest."""
    for process in processes.descendants(os.getpid()):
        with contextlib.suppress(psutil.NoSuchProcess):
            if process.name() == Path(bubblewrap()).name:
                process.kill()


@dataclass(frozen=True, slots=True)
class _Files:
    """A ``Store`` of files, whose server is in the other process."""

    files: S3Server
    envs: Mapping[bool, dict[str, str]]
    apart: _Apart

    def env(self, *, tls: bool) -> dict[str, str]:
        return dict(self.envs[tls])

    def bucket_path(self, bucket: str) -> Path:
        return self.files.bucket_path(bucket)

    def put_file(
        self, bucket: str, key: str, body: bytes, content_encoding: str | None = None
    ) -> None:
        self.files.put_file(bucket, key, body, content_encoding)

    def read_tree(self, bucket: str, prefix: str = "") -> Mapping[str, bytes]:
        return self.files.read_tree(bucket, prefix)

    def clear(self, bucket: str) -> None:
        self.files.clear(bucket)

    def cpu_s(self) -> float | None:
        return self.apart.call(_servers_cpu_s)


@dataclass(frozen=True, slots=True)
class _Task:
    """A ``Sandbox`` that is one task. It has one invocation, which is its start, too."""

    apart: _Apart
    artefact: Artefact
    env: Mapping[str, str]
    size: TaskSize
    cores: frozenset[int] | None
    runs: list[TaskRun] = field(default_factory=list)

    def invoke(self, event: object) -> Invocation:
        made = self.artefact.implementation
        folder = self.artefact.folder.resolve()
        bundle = self.env.get(_CA_BUNDLE)
        run = self.apart.call(
            _run,
            task_command(made, folder, self.size.memory_mb, json.dumps(event)),
            folder,
            {**self.env, "PATH": "/usr/bin:/bin", "TZ": "UTC"},
            self.size,
            # the floor's client is given its keys
            keys_by_address=made.role is Role.LANGUAGE,
            files=() if bundle is None else (Path(bundle),),
            cores=self.cores,
        )
        self.runs.append(run)
        return invocation_of(run, self.size)

    def freeze(self) -> None:
        """A task has ended."""

    def thaw(self) -> None:
        """A task has ended."""

    @property
    def enforcement(self) -> Enforcement:
        return self.runs[-1].enforcement


def invocation_of(run: TaskRun, size: TaskSize) -> Invocation:
    """The task by its log: it starts until its line ``start``, and runs until ``end``."""
    # not splitlines(): a log line may contain U+0085 or U+2028
    log = [_parsed(line) for line in run.output.split("\n")]
    at = {line.get("event"): seconds for seconds, line in zip(run.line_s, log, strict=False)}
    end = next((line for line in log if line.get("event") == "end"), {})
    error = None
    if run.exit_code:
        error = str(end.get("error") or f"exit code {run.exit_code}: {run.output[-_TAIL:].strip()}")
    return Invocation(
        result=end.get("result"),
        error=error,
        cold=True,
        init_ms=at["start"] * 1000 if "start" in at else None,
        duration_ms=(at["end"] - at["start"]) * 1000 if at.keys() >= {"start", "end"} else None,
        cpu_ms=run.cpu_s * 1000,
        peak_rss_bytes=run.peak_rss_bytes or None,
        log=tuple(line for line in log if line),
        failure=_failure(run, size, error),
        peak_since=PeakSince.START,
        throttled_ms=run.throttled_ms,
        process_ms=run.duration_s * 1000,
    )


def _failure(run: TaskRun, size: TaskSize, error: str | None) -> Failure | None:
    if error is None:
        return None
    if run.oom_kills:
        kind = FailureKind.OUT_OF_MEMORY
        return Failure(kind, f"out of memory at {size.memory_mb:,} MiB")
    return Failure(FailureKind.ERROR, error)


def _parsed(line: str) -> Mapping[str, Any]:
    """A line of the log; empty for any other line, such as one of a runtime that dies."""
    try:
        found = json.loads(line)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


# ---- in the other process ----

_running = ExitStack()
_servers: list[S3Server] = []


def _begin(
    folder: Path, cores: frozenset[int] | None, transports: Set[bool]
) -> Mapping[bool, dict[str, str]]:
    """Start a server for each transport, over the same files."""
    envs = {}
    for tls in sorted(transports):
        server = _running.enter_context(S3Server(folder, cores, tls=tls))
        envs[tls] = server.env()
        _servers.append(server)
    return envs


def _run(
    command: Sequence[str | Path],
    folder: Path,
    env: Mapping[str, str],
    size: TaskSize,
    *,
    keys_by_address: bool,
    files: Sequence[Path],
    cores: frozenset[int] | None,
) -> TaskRun:
    if not keys_by_address:
        return run_bundle(command, folder, env, size, files=files, cores=cores)
    rest = {name: value for name, value in env.items() if name not in _KEYS}
    with credentials(*(env[name] for name in _KEYS)) as where:
        return run_bundle(command, folder, {**rest, **where}, size, files=files, cores=cores)


def _servers_cpu_s() -> float | None:
    spent = [each.cpu_s() for each in _servers]
    return None if None in spent else sum(each for each in spent if each is not None)


def _end() -> None:
    _running.close()
    _servers.clear()
