"""Runs of one day at the same time, in real sandboxes, in an order that a seed decides.

The scripted S3 holds every request. The trial lets one go, waits until each run has a new request
or has ended, and looks at the destination. So an order of events can be had again by its seed.
"""

from __future__ import annotations

import gzip
import json
import random
import re
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from typing import Self

from harness.fixtures.chunks import CHUNK_NAME
from harness.model import Artefact, HarnessError, Invocation
from harness.targets.local.sandbox import LocalSandbox
from harness.verify.disturb.small_day import CLAIM, FOLDER, PREFIX, expired
from harness.verify.disturb.trials import Outcome, Trial
from harness.verify.scripted_s3.scene import Request, Stored
from harness.verify.scripted_s3.server import ScriptedS3, at_once
from harness.verify.vectors.cases import DESTINATION_BUCKET, SOURCE_BUCKET

_EVENT = b'{"year": 2024, "month": 2, "day": 8}'
_PATIENCE_S = 60.0

#: How a trial changes the sources while the runs work: what is there, what comes, what goes.
CHANGES: Mapping[str, tuple[str, str, str]] = {
    "equal": ("abc", "", ""),
    "grown": ("bc", "ad", ""),
    "shrunk": ("abcd", "", "ac"),
    "replaced": ("bc", "d", "b"),
}


class Gate:
    """Holds the requests of each run, told by its access key, until ``let_go``."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._waiting: dict[str, list[object]] = {}
        self._open = False

    @contextmanager
    def hold(self, access_key: str, _request: Request) -> Iterator[None]:
        """The server answers a request inside the block."""
        ticket = object()
        with self._changed:
            self._waiting.setdefault(access_key, []).append(ticket)
            self._changed.notify_all()
            self._changed.wait_for(
                lambda: self._open or ticket not in self._waiting[access_key], _PATIENCE_S
            )
        yield

    def let_go(self, access_key: str) -> None:
        with self._changed:
            self._waiting[access_key].pop(0)
            self._changed.notify_all()

    def forget(self, access_key: str) -> None:
        """Let all requests go of a run that no longer waits for their answers."""
        with self._changed:
            self._waiting[access_key] = []
            self._changed.notify_all()

    def wait_for_all(self, runs: Mapping[str, Future[Invocation]]) -> list[str]:
        """Wait until each run has a request here or has ended; the runs that have one."""

        def settled() -> bool:
            return all(self._waiting.get(key) or run.done() for key, run in runs.items())

        with self._changed:
            if not self._changed.wait_for(settled, _PATIENCE_S):
                raise HarnessError(f"a run neither asks S3 nor ends for {_PATIENCE_S:.0f} s")
            return [key for key, run in runs.items() if self._waiting.get(key) and not run.done()]

    def notice(self, _run: Future[Invocation]) -> None:
        """A run has ended."""
        with self._changed:
            self._changed.notify_all()


@contextmanager
def runs(artefact: Artefact, count: int, *, kill: bool = False) -> Iterator[Trial]:
    """``count`` runs at the same time; with ``kill`` one of them dies before a request."""
    with _Runs(artefact, count, kill=kill) as trials:
        yield trials.trial


class _Runs:
    def __init__(self, artefact: Artefact, runs: int, *, kill: bool) -> None:
        self._artefact = artefact
        self._with_kill = kill
        self._keys = [f"run-{number}" for number in range(1, runs + 1)]
        self._sandboxes: dict[str, LocalSandbox] = {}
        self._resources = ExitStack()
        self._seen: set[str] = set()

    def __enter__(self) -> Self:
        self._s3 = self._resources.enter_context(ScriptedS3())
        for key in self._keys:
            self._sandboxes[key] = self._start(key)
        self._threads = self._resources.enter_context(ThreadPoolExecutor(len(self._keys)))
        return self

    def __exit__(self, *_: object) -> None:
        for sandbox in self._sandboxes.values():
            sandbox.stop()
        self._resources.close()

    def _start(self, key: str) -> LocalSandbox:
        settings = {"SRC_BUCKET": SOURCE_BUCKET, "DST_BUCKET": DESTINATION_BUCKET}
        settings |= {"CHUNK_BYTES": "1", "CONCURRENCY": "2", "AWS_ACCESS_KEY_ID": key}
        choice = self._artefact.implementation.choice
        sandbox = LocalSandbox(self._artefact, {**choice, **self._s3.env(), **settings})
        sandbox.start()
        return sandbox

    def trial(self, seed: int) -> Outcome:
        change = list(CHANGES)[seed % len(CHANGES)]
        rng = random.Random(f"{seed} {self._with_kill}")
        outcome = Outcome(seed)
        there, coming, going = CHANGES[change]
        self._s3.begin({SOURCE_BUCKET: _sources(there), DESTINATION_BUCKET: {}})
        if rng.random() < 0.5:  # half of the trials begin with a published day
            self._sandboxes[self._keys[0]].invoke(_EVENT)
        events: list[Callable[[], None]] = [
            *(lambda name=name: self._change(add=name) for name in coming),
            *(lambda name=name: self._change(remove=name) for name in going),
        ]
        errors = self._interleave(rng, events)
        outcome.note = f"{change}, runs end with {errors}"
        for event in events:  # what had no turn
            event()
        outcome.problems += self._problems_at_rest(errors)
        self._let_claims_expire()
        last = self._sandboxes[self._keys[0]].invoke(_EVENT.replace(b"}", b', "force": true}'))
        if last.error is not None:
            outcome.problems.append(f"a repeated run fails: {last.error}")
        elif self._visible() != sorted(self._source_records()):
            outcome.problems.append(f"a repeated run leaves {self._visible()}")
        return outcome

    def _interleave(self, rng: random.Random, events: list[Callable[[], None]]) -> list[str | None]:
        """Let the runs go on until all have ended; the error of each run, or ``None``."""
        gate = Gate()
        self._s3.hold = gate.hold
        runs = {
            key: self._threads.submit(sandbox.invoke, _EVENT)
            for key, sandbox in self._sandboxes.items()
        }
        for run in runs.values():
            run.add_done_callback(gate.notice)
        seen: set[str] = set(self._visible())
        victim = rng.choice(self._keys) if self._with_kill else None
        killed = set[str]()
        while waiting := gate.wait_for_all(runs):
            if events and rng.random() < 0.1:
                events.pop(rng.randrange(len(events)))()
            key = rng.choice(waiting)
            if key == victim and rng.random() < 0.15:
                self._kill(key, runs, gate)
                killed.add(key)
                victim = None
                continue
            gate.let_go(key)
            seen |= set(self._visible())
        self._s3.hold = at_once
        self._seen = seen
        return ["killed" if key in killed else run.result().error for key, run in runs.items()]

    def _kill(self, key: str, runs: Mapping[str, Future[Invocation]], gate: Gate) -> None:
        self._sandboxes[key].stop()
        gate.forget(key)
        runs[key].exception()  # waits until the invocation has noticed
        self._sandboxes[key] = self._start(key)

    def _problems_at_rest(self, errors: Sequence[str | None]) -> Iterator[str]:
        """A run that failed will come back, so then more may be missing."""
        for error in errors:
            code = (error or "").partition(":")[0]
            if code not in ("", "killed", "BUSY", "FEWER_SOURCES", "BAD_SOURCES"):
                yield f"a run fails with {error}"
        if "killed" in errors or None not in errors:
            return
        visible = self._visible()
        if missing := (self._seen & set(self._source_records())) - set(visible):
            yield f"gone: {sorted(missing)}"
        if self._manifest() != self._published():
            yield f"the manifest names {self._manifest()}"
        hidden = [key for key in self._destination() if "/_" in key and "_manifest" not in key]
        if hidden:
            yield f"left: {hidden}"

    def _change(self, add: str = "", remove: str = "") -> None:
        self._s3.change(SOURCE_BUCKET, _sources(add), list(_sources(remove)))

    def _let_claims_expire(self) -> None:
        """A run that was killed has left its claim; the trial does not wait for minutes."""
        if claim := self._destination().get(CLAIM):
            self._s3.change(DESTINATION_BUCKET, {CLAIM: expired(claim)})

    def _destination(self) -> dict[str, Stored]:
        return self._s3.objects(DESTINATION_BUCKET)

    def _published(self) -> list[tuple[str, int]]:
        return [
            (key, gzip.decompress(stored.body).count(b"\n"))
            for key, stored in sorted(self._destination().items())
            if re.fullmatch(re.escape(PREFIX) + CHUNK_NAME, key)
        ]

    def _manifest(self) -> list[tuple[str, int]]:
        manifest = json.loads(self._destination()[f"{PREFIX}_manifest.json"].body)
        return [(chunk["key"], chunk["records"]) for chunk in manifest["chunks"]]

    def _visible(self) -> list[str]:
        """The records that a reader of the chunks sees, sorted."""
        bodies = [self._destination()[key].body for key, _ in self._published()]
        return sorted(line for body in bodies for line in gzip.decompress(body).decode().split())

    def _source_records(self) -> list[str]:
        return [_record(key[-6]) for key in self._s3.objects(SOURCE_BUCKET)]


def _record(name: str) -> str:
    return f'{{"source":"{name}"}}'


def _sources(names: Sequence[str]) -> dict[str, Stored]:
    return {
        f"{FOLDER}{name}.json": Stored(f'{{"Records":[{_record(name)}]}}'.encode())
        for name in names
    }
