"""The sandboxes of one function in a drill: a night may need several, and some are killed."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self

from harness.drill.deployment import Deployment
from harness.model import Artefact, FailureKind, HarnessError, Invocation
from harness.operate.ledger import Task
from harness.targets.local.runtimes import task_command
from harness.targets.local.sandbox import LocalSandbox
from harness.targets.ministack.local_aws import REGION

_TASK_MB = 2048
_TASK_TIMEOUT_S = 600


@dataclass(slots=True)
class Sandboxes:
    """They have the deployed settings, the rights of the role, and an S3 at ``endpoint``.

    ``pace_s`` seconds stand for the deployed time-out; with ``None`` a run has the deployed one.
    """

    artefact: Artefact
    deployment: Deployment
    endpoint: str
    pace_s: int | None = None
    _ready: list[LocalSandbox] = field(default_factory=list)
    _dead: set[int] = field(default_factory=set)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        while self._ready:
            self._ready.pop().stop()

    def pace(self, seconds: int | None) -> None:
        """From now on so many seconds stand for the deployed time-out."""
        if seconds != self.pace_s:
            self.__exit__()
            self.pace_s = seconds

    def prepare(self, count: int) -> None:
        """Start sandboxes until so many work. The calling thread must outlive them."""
        for number in self._dead:
            self._ready[number].stop()
            self._ready[number] = self._started()
        self._dead.clear()
        while len(self._ready) < count:
            self._ready.append(self._started())

    def invoke(self, number: int, event: bytes) -> Invocation:
        """Invoke one of those that were prepared."""
        invocation = self._ready[number].invoke(event)
        failure = invocation.failure
        if failure is not None and failure.kind is not FailureKind.ERROR:
            self._dead.add(number)
        return invocation

    def runtime_pids(self, number: int) -> list[int]:
        return self._ready[number].runtime_pids()

    @property
    def scale(self) -> float:
        """Seconds of the drill's clock for a second of a run."""
        return 1.0 if self.pace_s is None else self.deployment.timeout.total_seconds() / self.pace_s

    def run_task(self, task: Task) -> None:
        """Run the artefact's entry for a task (SPEC K). Raises ``HarnessError`` if it fails."""
        made, folder = self.artefact.implementation, self.artefact.folder.resolve()
        done = subprocess.run(
            task_command(made, folder, _TASK_MB, json.dumps(task.event())),
            cwd=folder,
            env={**self._env(), "PATH": "/usr/bin:/bin", "TZ": "UTC", "LANG": "C.UTF-8"},
            capture_output=True,
            text=True,
            timeout=_TASK_TIMEOUT_S,
            check=False,
        )
        if done.returncode:
            raise HarnessError(f"the task of {task} ends with {done.returncode}: {done.stdout}")

    def _env(self) -> Mapping[str, str]:
        return {
            **self.deployment.variables,
            **self.deployment.function.credentials,
            "AWS_ENDPOINT_URL_S3": self.endpoint,
            "AWS_REGION": REGION,
        }

    def _started(self) -> LocalSandbox:
        sandbox = LocalSandbox(
            self.artefact,
            self._env(),
            timeout_s=self.pace_s or int(self.deployment.timeout.total_seconds()),
        )
        sandbox.start()
        sandbox.invoke([])  # no trigger: it only starts the runtime
        return sandbox
