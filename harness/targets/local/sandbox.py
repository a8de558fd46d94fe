"""One function in one execution environment: a Runtime Interface Emulator and its runtime.

The runtime starts at the first invocation, which is the cold one. Times come from the emulator's
platform lines. Its REPORT line is only passed on, because its numbers are wrong: its Init Duration
ends before the runtime starts, and its Max Memory Used is the configured size.
"""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path

import requests

from harness.model import (
    Artefact,
    Enforcement,
    Failure,
    FailureKind,
    HarnessError,
    Invocation,
    PeakSince,
    UsageError,
)
from harness.scratch import make_folder, remove_folder
from harness.targets.interface import Limits
from harness.targets.local import processes
from harness.targets.local.emulator_output import Answer, is_end, read_answer, read_output
from harness.targets.local.limits import Limited, Pressure, limited, unlimited
from harness.targets.local.loopback import open_session
from harness.targets.local.ports import free_ports
from harness.targets.local.runtime_processes import RuntimeProcesses
from harness.targets.local.runtimes import runtime_command, runtime_environment
from harness.targets.local.server import Started
from harness.terminal import to_stderr
from harness.toolchain import tools

_ROUTE = "/2015-03-31/functions/function/invocations"
_START_TIMEOUT_S = 20
_END_TIMEOUT_S = 5.0
_TAIL_LINES = 50


class LocalSandbox(Started):
    """A context manager around one emulator process. The thread that enters it must outlive it.

    The function gets ``env`` and Lambda's own variables, but no variable of the user's environment.
    Memory (MB) and time-out (s) default to the template's.

    With ``limits`` the emulator and its runtime get Lambda's share of CPU and memory, as far as
    the machine allows; ``enforcement`` has the result. They run on ``cores`` if given. With
    ``reset_peak`` the peak memory of a warm invocation is its own, if the kernel allows it, and
    else that since the runtime's start. ``Invocation.peak_since`` has the result.
    """

    def __init__(
        self,
        artefact: Artefact,
        env: Mapping[str, str],
        memory_mb: int | None = None,
        timeout_s: int | None = None,
        *,
        limits: Limits | None = None,
        cores: frozenset[int] | None = None,
        reset_peak: bool = False,
        snap_start: bool | None = None,
    ) -> None:
        if snap_start is not None:
            raise UsageError("the emulator has no SnapStart: use --target aws")
        self._implementation = artefact.implementation
        self._folder = artefact.folder.resolve()
        self._env = dict(env)
        self._memory_mb = memory_mb or self._implementation.memory_mb
        self._timeout_s = timeout_s or self._implementation.timeout_s
        self._asked = limits
        self._cores = cores
        self._reset_peak = reset_peak
        self._limits = unlimited(self._memory_mb)
        self._held = contextlib.ExitStack()
        self._process: subprocess.Popen[bytes] | None = None
        self._scratch: Path | None = None
        self._ports: Sequence[int] = ()
        self._read = 0  # how much of the emulator's output has been read
        self._peak_since = PeakSince.INVOCATION
        self._cpu_before: Mapping[int, float] = {}
        self._pressed = Pressure()

    def start(self) -> None:
        """Start the emulator. Raises ``NotReady`` if it does not listen in time.

        It is started again once, because another program may take a port before it.
        """
        try:
            self._start()
        except processes.NotListening as error:
            to_stderr(f"{error}\nstarting the sandbox again")
            self._start()

    def _start(self) -> None:
        emulator = tools.rie_binary()
        self._scratch = make_folder("sandbox")
        self._ports = free_ports(2)
        function, runtime_api = (f"127.0.0.1:{port}" for port in self._ports)
        try:
            command = self._command()
            if self._asked is not None:
                self._limits = self._held.enter_context(self._limited(self._asked))
            self._process = processes.start_server(
                emulator,
                [
                    *self._limits.prefix,
                    emulator,
                    *("--runtime-interface-emulator-address", function),
                    *("--runtime-api-address", runtime_api),
                    *command,
                ],
                self._listens,
                cwd=self._folder,
                env=self._environment(),
                log=self._output,
                timeout_s=_START_TIMEOUT_S,
                cores=self._cores,
                join=self._limits.join,
                started=self._limits.started,
            )
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End the emulator and its runtime, and remove the scratch folder.

        It may be called twice.
        """
        if self._process is not None:
            processes.stop(self._process)
            self._process = None
        self._held.close()
        if self._scratch is not None:
            remove_folder(self._scratch)
            self._scratch = None

    def invoke(self, event: object) -> Invocation:
        """Invoke once, without retries. ``bytes`` are sent as they are, other events as JSON.

        A fault is in ``Invocation.error``. A cold invocation's CPU time contains the runtime's
        init.
        """
        if self._process is None:
            raise HarnessError("the sandbox is not started")
        payload = event if isinstance(event, bytes) else json.dumps(event).encode()
        is_new = not self._runtime.pids()
        if is_new:
            self._limits.init_begins(self._output, self._read)
        self._begin_measuring()
        try:
            body = self._post(payload)
        except requests.RequestException as error:
            words = f"the Lambda emulator gave no answer ({type(error).__name__}: {error})"
            answer = Answer(None, f"{words}\n{self.output_tail()}", FailureKind.DIED)
            seen = read_output(self._new_lines(wait=False))
        else:
            answer = read_answer(body)
            seen = read_output(self._new_lines(wait=True))
            if not body:  # the cause is in the runtime's output
                answer = replace(answer, error=f"{answer.error}\n{self.output_tail()}")
        self._limits.init_ended()
        pressure = self._limits.pressure().since(self._pressed)
        failure = self._failure(answer, pressure.oom_kills)
        after = self._runtime.cpu_by_process()
        spent = [now - self._cpu_before.get(pid, 0.0) for pid, now in after.items()]
        peak = self._runtime.peak_rss_bytes()
        killed = failure is not None and failure.kind is FailureKind.OUT_OF_MEMORY
        return Invocation(
            result=answer.result,
            error=f"{failure.reason}: {answer.error}" if failure and killed else answer.error,
            cold=seen.init_ms is not None,
            init_ms=seen.init_ms,
            duration_ms=seen.duration_ms,
            cpu_ms=sum(spent) if spent else None,
            peak_rss_bytes=peak,
            log=tuple(seen.log),
            failure=failure,
            peak_since=None if peak is None else self._peak_since,
            throttled_ms=pressure.throttled_ms,
            emulator=seen.report,
        )

    @property
    def enforcement(self) -> Enforcement:
        """The limits of the function, or the reason why there are none."""
        return self._limits.enforcement

    def freeze(self) -> None:
        """Stop the runtime until the next :meth:`thaw`, as Lambda does between invocations."""
        self._runtime.stop()

    def thaw(self) -> None:
        self._runtime.resume()

    def runtime_pids(self) -> list[int]:
        """The processes of the runtime; none before the first invocation."""
        return self._runtime.pids()

    def output_tail(self, most: int = _TAIL_LINES) -> str:
        """The last lines of the output of the emulator and the function, ``most`` or fewer."""
        if self._scratch is None or not self._output.exists():
            return ""
        text = self._output.read_text(errors="replace")
        return "\n".join(text.splitlines()[-most:])

    def _begin_measuring(self) -> None:
        self._peak_since = self._runtime.begin_peak(reset=self._reset_peak)
        self._cpu_before, self._pressed = self._runtime.cpu_by_process(), self._limits.pressure()

    # ---- the emulator ----

    def _command(self) -> Sequence[str | Path]:
        """The command of the runtime. The ports are known, and nothing is started yet."""
        return runtime_command(self._implementation, self._folder, self._memory_mb)

    @property
    def _output(self) -> Path:
        if self._scratch is None:
            raise HarnessError("the sandbox is not started")
        return self._scratch / "output"

    def _environment(self) -> dict[str, str]:
        temporary = self._output.parent / "tmp"
        temporary.mkdir()
        return {
            "AWS_LAMBDA_FUNCTION_NAME": self._implementation.function,
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(self._memory_mb),
            "AWS_LAMBDA_FUNCTION_TIMEOUT": str(self._timeout_s),
            "LAMBDA_TASK_ROOT": str(self._folder),
            "AWS_REGION": "us-east-1",
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "HOME": str(temporary),
            "TMPDIR": str(temporary),
            "LANG": "C.UTF-8",
            "TZ": "UTC",
            **runtime_environment(self._implementation, self._memory_mb),
            **self._env,
        }

    def _listens(self) -> bool:
        """Whether the emulator serves both the harness and the runtime, which it does later."""
        return all(map(_accepts, self._ports))

    def _post(self, payload: bytes) -> bytes:
        # the emulator answers at the function's time-out; this longer one is for its death
        with open_session() as session:
            url = f"http://127.0.0.1:{self._ports[0]}{_ROUTE}"
            return session.post(url, data=payload, timeout=self._timeout_s + 30).content

    def _new_lines(self, *, wait: bool) -> Sequence[str]:
        """The output since the last call. With ``wait``, wait for the end of an invocation."""
        end = time.monotonic() + (_END_TIMEOUT_S if wait else 0.0)
        while True:
            with self._output.open("rb") as file:
                file.seek(self._read)
                data = file.read()
            # not splitlines(): a log line may contain U+0085 or U+2028
            lines = data.decode(errors="replace").split("\n")
            if any(is_end(line) for line in lines) or time.monotonic() >= end:
                self._read += len(data)
                return lines
            time.sleep(0.002)

    @property
    def _runtime(self) -> RuntimeProcesses:
        return RuntimeProcesses(None if self._process is None else self._process.pid)

    # ---- the limits ----

    def _limited(self, asked: Limits) -> AbstractContextManager[Limited]:
        cores = None if self._cores is None else len(self._cores)
        return limited(self._memory_mb, cores, throttle_init=asked.throttle_init)

    def _failure(self, answer: Answer, oom_kills: int | None) -> Failure | None:
        if answer.error is None or answer.kind is None:
            return None
        if answer.kind is FailureKind.TIMED_OUT:
            return Failure(answer.kind, f"timed out after {self._timeout_s} s")
        if oom_kills:
            kind = FailureKind.OUT_OF_MEMORY
            return Failure(kind, f"out of memory at {self._memory_mb} MB")
        return Failure(answer.kind, answer.error)


def _accepts(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
