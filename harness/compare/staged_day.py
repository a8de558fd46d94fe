"""The day of a comparison: its sources in the target's S3, and the judge of the outputs there."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Set
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any
from urllib.parse import urlsplit

from harness.compare.floor.expected import ExpectedTexts
from harness.compare.peers.expected import judge_peer, peer_result
from harness.fixtures.staging import ExpectedDay, StagedObject, stage
from harness.model import (
    Artefact,
    Invocation,
    Role,
    Variant,
    Verdict,
    VerdictKind,
)
from harness.scratch import scratch
from harness.targets.interface import VCPU_MB, Latency, Limits, Placement, Sandbox, Store, Target
from harness.targets.local.placement import pinned
from harness.terminal import Progress
from harness.verify.outputs import same_json, verify_destination

_SOURCE_BUCKET = "source-bucket"
_DESTINATION_BUCKET = "destination-bucket"
_ENDPOINT = "AWS_ENDPOINT_URL_S3"
#: The place of the sources and of the chunks, unless a store's own variables name another.
_PLACES = {
    "SRC_BUCKET": _SOURCE_BUCKET,
    "SRC_PREFIX": "",
    "DST_BUCKET": _DESTINATION_BUCKET,
    "DST_PREFIX": "",
}


@dataclass(frozen=True, slots=True)
class StagedDay:
    """A day in a running store; it is the destination of a plan.

    ``envs`` has the variables that point a function to the store: over TLS by ``True``, over plain
    HTTP by ``False``. ``half`` is a second day with every second source of the first. ``texts`` is
    the expected output of the floor.
    """

    store: Store
    envs: Mapping[bool, Mapping[str, str]]
    expected: ExpectedDay
    half: ExpectedDay | None = None
    texts: ExpectedDay | None = None
    judged: dict[tuple[bytes, Role], Verdict] = field(default_factory=dict)

    def clear(self) -> None:
        self.store.clear(_DESTINATION_BUCKET)

    def judge(
        self, invocation: Invocation, *, half: bool = False, role: Role = Role.LANGUAGE
    ) -> Verdict:
        expected = self.texts if role is Role.FLOOR else self.half if half else self.expected
        assert expected is not None
        objects = self.store.read_tree(_DESTINATION_BUCKET)
        # the same objects get the same verdict; their keys contain the day
        found = (_digest(objects), role)
        if found not in self.judged:
            verdict = _judge_objects(expected, objects, role)
            if not verdict.accepts:
                return replace(
                    verdict, reason=f"{_own_words(invocation, expected)}{verdict.reason}"
                )
            self.judged[found] = verdict
        want = expected.result() if role is not Role.PEER else peer_result(expected)
        if same_json(invocation.result, want):
            return self.judged[found]
        told, wanted = json.dumps(invocation.result), json.dumps(want)
        words = _own_words(invocation, expected)
        return Verdict(VerdictKind.MISMATCH, f"{words}result is {told}, expected {wanted}")

    def stored_bytes(self) -> int:
        objects = self.store.read_tree(_DESTINATION_BUCKET)
        return sum(len(body) for key, body in objects.items() if key.endswith(".gz"))

    def server_cpu_ms(self) -> float | None:
        spent = self.store.cpu_s()
        return None if spent is None else spent * 1000

    def later(
        self, target: Target, latency: Latency, *, tls: bool
    ) -> AbstractContextManager[Mapping[str, str]]:
        """Variables of ``envs``, with a latency on the way to the store."""
        return _later(self.envs[tls], target, latency)


def _own_words(invocation: Invocation, expected: ExpectedDay) -> str:
    """The sources that the function itself calls bad (O2), and that are not; a line, or nothing."""
    told = [line for line in invocation.log if line.get("event") == "bad_source"]
    wrong = [each for each in told if (each.get("key"), each.get("code")) not in expected.bad]
    if not wrong:
        return ""
    first = wrong[0]
    more = f" and {len(wrong) - 1} more" if len(wrong) > 1 else ""
    return f"the function could not read {first.get('key')}{more}: {first.get('code')}\n"


def _judge_objects(expected: ExpectedDay, objects: Mapping[str, bytes], role: Role) -> Verdict:
    if role is Role.PEER:
        return judge_peer(expected, objects)
    difference = verify_destination(expected, objects)
    if difference is None:
        return Verdict(VerdictKind.MATCH)
    return Verdict(VerdictKind.MISMATCH, str(difference))


def _digest(objects: Mapping[str, bytes]) -> bytes:
    """The digest of all keys and bodies, each with its length."""
    digest = hashlib.sha256()
    for key, body in sorted(objects.items()):
        for part in (key.encode(), body):
            digest.update(len(part).to_bytes(8) + part)
    return digest.digest()


@contextmanager
def staged(
    target: Target,
    days: Mapping[date, Iterable[StagedObject]],
    settings: Mapping[str, str],
    placement: Placement,
    progress: Progress,
    transports: Set[bool],
) -> Iterator[StagedDay]:
    """A running store that holds one day, or a day and its half.

    The store and this thread use the cores beside the sandbox's. Leaving the context ends the store
    and removes its data. ``settings`` has the functions' ``CHUNK_BYTES`` and ``MAX_SOURCE_BYTES``.
    """
    chunk_bytes = int(settings["CHUNK_BYTES"])
    progress("starting the S3 server")
    with (
        scratch("expected") as folder,
        pinned(placement.others),
        target.serve(placement.others, transports) as store,
    ):
        store.bucket_path(_DESTINATION_BUCKET)
        prefix = {**_PLACES, **store.env(tls=max(transports))}["DST_PREFIX"]
        progress("staging the day")

        def put(each: StagedObject) -> None:
            store.put_file(_SOURCE_BUCKET, each.key, each.body, each.content_encoding)

        def put_first(each: StagedObject) -> None:
            put(each)
            texts.add(each)

        first, *others = days
        limit = int(settings["MAX_SOURCE_BYTES"])
        with ExpectedTexts(folder / "texts", first, chunk_bytes, limit) as texts:
            day_folder = folder / "day"
            expected = stage(days[first], put_first, day_folder, first, chunk_bytes, prefix)
        half = [
            stage(days[day], put, folder / day.isoformat(), day, chunk_bytes, prefix)
            for day in others
        ]
        envs = {tls: {**_PLACES, **store.env(tls=tls)} for tls in transports}
        yield StagedDay(store, envs, expected, half[0] if half else None, texts.day())


@contextmanager
def _later(env: Mapping[str, str], target: Target, latency: Latency) -> Iterator[Mapping[str, str]]:
    endpoint = urlsplit(env[_ENDPOINT])
    assert endpoint.port is not None
    with target.delay(endpoint.port, latency) as late:
        yield {**env, _ENDPOINT: f"{endpoint.scheme}://127.0.0.1:{late}"}


@dataclass(frozen=True, slots=True)
class ArtefactCandidate:
    """An artefact with the template's settings and the variables of the store."""

    artefact: Artefact
    env: Mapping[str, str]
    target: Target
    variant: Variant = field(default_factory=Variant)
    limits: Limits | None = None
    placement: Placement = field(default_factory=lambda: Placement(None, None))

    @property
    def name(self) -> str:
        each = self.artefact.implementation
        return f"{each.language} {each.client} {self.variant}".rstrip()

    @property
    def role(self) -> Role:
        return self.artefact.implementation.role

    def start(self) -> AbstractContextManager[Sandbox]:
        env = {**self.artefact.implementation.environment, **self.env}
        if self.variant.concurrency is not None:
            env["CONCURRENCY"] = str(self.variant.concurrency)
        memory_mb = self.variant.memory_mb or self.artefact.implementation.memory_mb
        given = {"snap_start": self.variant.snap_start, "start": self.variant.start}
        starts: dict[str, Any] = {name: each for name, each in given.items() if each is not None}
        return self.target.sandbox(
            self.artefact,
            env,
            memory_mb,
            limits=self.limits,
            cores=self.placement.cores(memory_mb / VCPU_MB),
            reset_peak=True,
            **starts,
        )
