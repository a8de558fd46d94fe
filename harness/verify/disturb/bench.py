"""The scripted S3 and one sandbox on it, which a trial disturbs and replaces."""

from __future__ import annotations

import itertools
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from typing import Self

from harness.fixtures.staging import ExpectedDay
from harness.model import Artefact, Invocation
from harness.targets.interface import Limits
from harness.targets.local.sandbox import LocalSandbox
from harness.verify.disturb.small_day import CLAIM, differences, expired
from harness.verify.scripted_s3.scene import Fault, Stored
from harness.verify.scripted_s3.server import ScriptedS3
from harness.verify.vectors.cases import DESTINATION_BUCKET, SOURCE_BUCKET

#: The codes of a run that S3 has failed, or that has run out of time.
FAILED_BY_S3 = ("S3_ERROR", "OUT_OF_TIME")
_EMULATORS_LINE = re.compile(r"\(rapid\) |^(?:START|END|REPORT) RequestId: |^\s*$")
_MOST_LINES = 5_000  # a runtime's own report of an error may have hundreds
_QUIET_S = 0.02
_PATIENCE_S = 10.0


class Bench:
    """``with Bench(artefact, {"CHUNK_BYTES": "1"}) as bench: bench.invoke(event)``.

    The thread that enters it must outlive it. ``sandbox`` may die; ``renew`` gives another.
    """

    def __init__(
        self,
        artefact: Artefact,
        settings: Mapping[str, str] | None = None,
        memory_mb: int | None = None,
        timeout_s: int | None = None,
        limits: Limits | None = None,
    ) -> None:
        self._artefact = artefact
        self._settings = dict(settings or {})
        self._memory_mb = memory_mb
        self._timeout_s = timeout_s
        self._limits = limits
        self._resources = ExitStack()
        self.s3 = ScriptedS3()
        self.sandbox: LocalSandbox

    def __enter__(self) -> Self:
        self._resources.enter_context(self.s3)
        self.sandbox = self._start()
        return self

    def __exit__(self, *_: object) -> None:
        self.sandbox.stop()
        self._resources.close()

    def renew(self, settings: Mapping[str, str] | None = None) -> None:
        """A new sandbox; ``settings`` are added to those that it had."""
        self._settings |= settings or {}
        self.sandbox.stop()
        self.sandbox = self._start()

    def _start(self) -> LocalSandbox:
        buckets = {"SRC_BUCKET": SOURCE_BUCKET, "DST_BUCKET": DESTINATION_BUCKET}
        choice = self._artefact.implementation.choice
        env = {**choice, **self.s3.env(), **buckets, **self._settings}
        sandbox = LocalSandbox(
            self._artefact, env, self._memory_mb, self._timeout_s, limits=self._limits
        )
        sandbox.start()
        return sandbox

    def begin(
        self,
        sources: Mapping[str, Stored],
        destination: Mapping[str, Stored] | None = None,
        faults: tuple[Fault, ...] = (),
    ) -> None:
        self.s3.begin({SOURCE_BUCKET: sources, DESTINATION_BUCKET: destination or {}}, faults)

    def invoke(self, event: object) -> Invocation:
        return self.sandbox.invoke(event)

    def destination(self) -> dict[str, Stored]:
        return self.s3.objects(DESTINATION_BUCKET)

    def wait_for_rest(self) -> None:
        """Wait until the server has done what a dead sandbox had asked of it.

        A request of a cut connection may not even be read yet.
        """
        self.s3.settle()
        scene, end = self.s3.scene, time.monotonic() + _PATIENCE_S
        time.sleep(_QUIET_S)
        while scene.in_flight and time.monotonic() < end:
            time.sleep(_QUIET_S)

    def let_claim_expire(self) -> None:
        """Give a claim that was left an ``expires`` in the past, in place of waiting for it."""
        if claim := self.destination().get(CLAIM):
            self.s3.change(DESTINATION_BUCKET, {CLAIM: expired(claim)})

    def repeat_problems(self, event: object, expected: ExpectedDay) -> Iterator[str]:
        """The difference after the claim has expired and the run was repeated without faults."""
        self.let_claim_expire()
        repeat = self.invoke(event)
        if repeat.error is not None:
            yield f"the repeat fails with {repeat.error}"
        yield from differences(expected, self.destination())

    def log_problems(self, invocation: Invocation) -> list[str]:
        """O3: one ``end``, the last line; no library writes between; E2: the fault has a name.

        After ``end`` the runtime's own client may print the error that it reports to Lambda.
        """
        problems = []
        events = [entry["event"] for entry in invocation.log]
        if events.count("end") != 1 or events[-1] != "end":
            problems.append(f"the events of the log are {events}")
        tail = self.sandbox.output_tail(_MOST_LINES)
        output = tail.rpartition("INVOKE START(")[2].split("\n")[1:]
        for line in itertools.takewhile(lambda line: '"event":"end"' not in line, output):
            if not _EMULATORS_LINE.search(line) and '"event":' not in line:
                problems.append(f"not a line of the log: {line[:200]}")
                break
        if (invocation.error or "").startswith("INTERNAL"):
            cause = next((e.get("cause") for e in invocation.log if e["event"] == "end"), None)
            problems.append(f"{invocation.error} ({cause})")
        return problems
