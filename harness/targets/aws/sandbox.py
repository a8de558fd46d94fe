"""One version of a deployed function as a sandbox.

``harness.targets.local.sandbox.LocalSandbox`` is the sandbox of this machine.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping
from typing import Any, Self

from harness.model import (
    LAMBDA,
    Enforcement,
    Failure,
    FailureKind,
    HarnessError,
    Invocation,
    PeakSince,
)
from harness.targets.aws.deployed import Deployed
from harness.targets.aws.report_line import ReportLine, read_report
from harness.targets.aws.session import explained
from harness.targets.aws.settings import Published, SettingsKeeper
from harness.targets.interface import VCPU_MB


class AwsSandbox:
    """A context manager: entering it publishes a version, so that the first invocation is cold.

    Lambda chooses the execution environment of each invocation; with one at a time it is nearly
    always the same one. Whether an invocation was cold is read from its REPORT line.
    """

    def __init__(
        self,
        keeper: SettingsKeeper,
        deployed: Deployed,
        env: Mapping[str, str],
        memory_mb: int,
        snap_start: bool | None,
    ) -> None:
        self._keeper = keeper
        self._deployed = deployed
        self._snap_start = deployed.snap_start if snap_start is None else snap_start
        self._variables = {**_variables(deployed, snap_start=self._snap_start), **env}
        self._memory_mb = memory_mb
        self._published: Published | None = None

    def __enter__(self) -> Self:
        self._published = self._keeper.publish(
            self._deployed, self._memory_mb, self._variables, self._snap_start
        )
        return self

    def __exit__(self, *_: object) -> None:
        """Do nothing: the keeper removes the version later, and an idle version costs nothing."""

    @property
    def enforcement(self) -> Enforcement:
        return Enforcement(self._memory_mb, self._memory_mb / VCPU_MB, LAMBDA, None)

    def freeze(self) -> None:
        """Do nothing: Lambda freezes the sandbox itself."""

    def thaw(self) -> None:
        """Do nothing: Lambda thaws the sandbox itself."""

    def invoke(self, event: object) -> Invocation:
        """Invoke once through the alias, without retries."""
        if self._published is None:
            raise HarnessError("the sandbox is not started")
        name = self._published.function
        with explained("lambda:InvokeFunction", f"function {name}"):
            answer = self._keeper.clients.invoker.invoke(
                FunctionName=name,
                Qualifier=self._published.alias,
                LogType="Tail",
                Payload=json.dumps(event).encode(),
            )
            payload = answer["Payload"].read()
        tail = base64.b64decode(answer.get("LogResult", "")).decode(errors="replace")
        report = read_report(tail)
        error = _error(payload) if "FunctionError" in answer else None
        return Invocation(
            result=None if error is not None else json.loads(payload),
            error=error,
            cold=report.cold,
            init_ms=report.init_ms,
            duration_ms=report.duration_ms,
            cpu_ms=None,
            peak_rss_bytes=_mebibytes(report),
            log=tuple(_log(tail)),
            failure=None if error is None else _failure(error, report, self._memory_mb),
            peak_since=None if _mebibytes(report) is None else PeakSince.REPORT,
            restore_ms=report.restore_ms,
            billed_ms=report.billed_ms,
            publish_ms=self._published.publish_ms if report.cold else None,
        )


def _variables(deployed: Deployed, *, snap_start: bool) -> dict[str, str]:
    """Those of the deployed function; a change of SnapStart changes them as the template does."""
    if snap_start == deployed.snap_start:
        return dict(deployed.variables)
    changed = deployed.implementation.with_snap_start
    kept = {name: value for name, value in deployed.variables.items() if name not in changed}
    return {**kept, **(changed if snap_start else {})}


def _mebibytes(report: ReportLine) -> int | None:
    return None if report.max_memory_mb is None else report.max_memory_mb << 20


def _error(payload: bytes) -> str:
    try:
        said: Any = json.loads(payload)
        return str(said["errorMessage"])
    except (ValueError, KeyError, TypeError):
        return f"an error without a message: {payload[:200]!r}"


def _failure(error: str, report: ReportLine, memory_mb: int) -> Failure:
    """Tell time-outs, lack of memory and other deaths from the function's own errors.

    https://docs.aws.amazon.com/lambda/latest/dg/troubleshooting-invocation.html has the words of a
    time-out. A function that is killed at the memory limit reports all its memory as used.
    """
    if "Task timed out after" in error:
        return Failure(FailureKind.TIMED_OUT, error)
    died = "signal: killed" in error or "Runtime exited" in error
    if died and (report.max_memory_mb or 0) >= memory_mb:
        return Failure(FailureKind.OUT_OF_MEMORY, f"out of memory at {memory_mb} MB")
    return Failure(FailureKind.DIED if died else FailureKind.ERROR, error)


def _log(tail: str) -> Iterator[Mapping[str, object]]:
    """The function's JSON lines in the tail; a cut first line is left out."""
    for line in tail.split("\n"):
        try:
            found = json.loads(line)
        except ValueError:
            continue
        if isinstance(found, dict):
            yield found
