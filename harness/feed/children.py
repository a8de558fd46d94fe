"""The client and the consumer as processes of their own, which can be killed and started again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from harness.model import HarnessError
from harness.targets.local import processes
from harness.targets.local.server import Started
from harness.toolchain.paths import ROOT

_TIMEOUT_S = 120
_LAST_WORDS = 2000


class Child(Started):
    """``python -m MODULE``, started again after a kill. The log of all its processes is kept."""

    def __init__(
        self, module: str, arguments: Sequence[str], env: Mapping[str, str], work: Path
    ) -> None:
        self._command = [sys.executable, "-m", module, *arguments]
        self._module = module
        self._work = work
        self._env = {
            "PATH": os.defpath,
            "HOME": str(work),
            "TMPDIR": str(work),
            "PYTHONPATH": str(ROOT),
            "AWS_EC2_METADATA_DISABLED": "true",
            **env,
        }
        self._log = work / f"{module}.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._lives = 0

    def start(self) -> None:
        self._lives += 1
        with self._log.open("ab") as output:
            self._process = processes.start(
                self._command, cwd=self._work, env=self._env, output=output
            )

    def stop(self) -> None:
        if self._process is not None:
            processes.stop(self._process)
            self._process = None

    def has_started(self) -> bool:
        """Whether the present process has logged its start. Before that a SIGTERM would kill it."""
        return len(self.events("started")) == self._lives

    def kill_and_start(self, between: Callable[[], None] = lambda: None) -> None:
        """SIGKILL, and a new process, as ECS replaces a task."""
        self.require_alive()
        self.stop()
        between()
        self.start()

    def terminate(self) -> None:
        """SIGTERM, and wait for the clean end."""
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
        self.wait()

    def wait(self) -> None:
        """Raises ``HarnessError`` where the process does not end, or ends with a fault."""
        assert self._process is not None
        try:
            code: int | None = self._process.wait(_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            code = None
        if code != 0:
            self.fail("does not end" if code is None else f"ended with {code}")
        self._process = None

    def require_alive(self) -> None:
        if self._process is not None and (code := self._process.poll()) is not None:
            self.fail(f"ended with {code}")

    def fail(self, what: str) -> None:
        words = self._log.read_text(errors="replace")[-_LAST_WORDS:]
        raise HarnessError(f"{self._module} {what}: {words}")

    def events(self, name: str) -> list[Mapping[str, Any]]:
        """The log lines of this event. A line that a kill has cut is no JSON, and left out."""
        found: list[Mapping[str, Any]] = []
        for line in self._log.read_bytes().splitlines():
            try:
                event = msgspec.json.decode(line)
            except msgspec.MsgspecError:
                continue
            if isinstance(event, dict) and event.get("event") == name:
                found.append(event)
        return found
