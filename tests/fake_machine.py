"""A target without a machine: its sandboxes aggregate in memory and its clock does not wait."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

from harness.fixtures.sources import inflate, read_records
from harness.model import (
    Artefact,
    Enforcement,
    Finding,
    Implementation,
    Invocation,
    NotReady,
    Role,
    Start,
)
from harness.targets.interface import Limits, Placement, Target
from harness.targets.local.latency import delayed

LANGUAGES = ("python", "java", "javascript", "go")


ENVIRONMENT: Mapping[str, object] = {
    "cpu": "abacus [8]",
    "cores": 2,
    "memory_mb": 24_100,
    "kernel": "Linux 6.1",
    "architecture": "x86_64",
    "load": 0.25,
    "emulator": "aws-sam-cli 1.2.3",
    "commit": None,
    "clean": None,
}


def implementation(language: str, environment: Mapping[str, str] | None = None) -> Implementation:
    settings = {"CHUNK_BYTES": "50000", "MAX_SOURCE_BYTES": "1000000", "S3_CLIENT": "sdk"}
    return Implementation(
        language, f"{language}Function", "x", "y", Path(), 1769, 900, environment or settings
    )


class FakeStore:
    """Buckets in memory."""

    def __init__(self) -> None:
        self.buckets: dict[str, dict[str, bytes]] = {}

    def env(self, *, tls: bool = True) -> dict[str, str]:
        if tls:
            return {"AWS_ENDPOINT_URL_S3": "https://127.0.0.1:2", "AWS_CA_BUNDLE": "/authority"}
        return {"AWS_ENDPOINT_URL_S3": "http://127.0.0.1:1"}

    def bucket_path(self, bucket: str) -> Path:
        self.buckets.setdefault(bucket, {})
        return Path(bucket)

    def put_file(
        self, bucket: str, key: str, body: bytes, content_encoding: str | None = None
    ) -> None:
        self.buckets.setdefault(bucket, {})[key] = body

    def read_tree(self, bucket: str, prefix: str = "") -> Mapping[str, bytes]:
        return {k: v for k, v in self.buckets[bucket].items() if k.startswith(prefix)}

    def clear(self, bucket: str) -> None:
        self.buckets[bucket].clear()

    def cpu_s(self) -> float:
        return 1.5


def enforcement(memory_mb: int, limits: Limits | None = None) -> Enforcement:
    vcpus = memory_mb / 1769
    if limits is None:
        return Enforcement(memory_mb, vcpus, None, "not requested")
    return Enforcement(memory_mb, vcpus, "abacus", None, 20_000, 20_000, True)


type Spoil = Callable[[list[bytes]], list[bytes]]


@dataclass
class FakeMachine:
    """The machine behind the fake target. Tests set its faults and read its actions."""

    languages: Sequence[str] = LANGUAGES
    missing: Mapping[str, str] = field(default_factory=dict)
    unbuildable: Mapping[str, str] = field(default_factory=dict)
    spoil: Mapping[str, Spoil] = field(default_factory=dict)
    log: Mapping[str, Sequence[Mapping[str, object]]] = field(default_factory=dict)
    interrupt_at: str | None = None
    may_limit: bool = True
    mechanism: str | None = "abacus"
    companions: bool | NotReady = False
    store: FakeStore = field(default_factory=FakeStore)
    done: list[str] = field(default_factory=list)

    def target(self) -> Target:
        return Target(
            load=lambda: [implementation(language) for language in self.languages],
            check=self._check,
            build=self._build,
            serve=self._serve,
            sandbox=self._sandbox,
            describe=lambda: ENVIRONMENT,
            delay=delayed,
            place=lambda: Placement(None, None),
            may_limit=lambda: self.may_limit,
            prepare=self._prepare if self.companions else None,
            wait=lambda _: None,
        )

    def _prepare(
        self, companion: Implementation, progress: Callable[[str], None]
    ) -> Artefact | NotReady:
        if isinstance(self.companions, NotReady):
            return self.companions
        return Artefact(companion, Path(), None, None)

    def _check(self, each: Implementation) -> list[Finding]:
        if each.language in self.missing:
            detail = f"{self.missing[each.language]} is not on PATH"
            remedy = f"install {self.missing[each.language]}"
            return [Finding("machine", True, "found"), Finding("tool", False, detail, remedy)]
        return [Finding("machine", True, "found")]

    def _build(
        self, implementations: Sequence[Implementation], progress: Callable[[str], None]
    ) -> Mapping[str, Artefact | NotReady]:
        self.done.append("build " + " ".join(each.language for each in implementations))
        return {
            each.language: NotReady(self.unbuildable[each.language])
            if each.language in self.unbuildable
            else Artefact(each, Path(), 1_500_000, 4_000_000)
            for each in implementations
        }

    @contextmanager
    def _serve(self, cores: frozenset[int] | None, transports: Set[bool]) -> Iterator[FakeStore]:
        self.done.append("serve")
        try:
            yield self.store
        finally:
            self.done.append("stop serving")

    @contextmanager
    def _sandbox(
        self,
        artefact: Artefact,
        env: Mapping[str, str],
        memory_mb: int | None = None,
        *,
        limits: Limits | None = None,
        cores: frozenset[int] | None = None,
        reset_peak: bool = False,
        snap_start: bool | None = None,
        start: Start | None = None,
    ) -> Iterator[FakeSandbox]:
        language = artefact.implementation.language
        self.done.append(f"start {language}")
        try:
            held = enforcement(memory_mb or 1769, limits)
            if self.mechanism is None:
                held = replace(held, mechanism=None, reason="refused")
            yield FakeSandbox(self, language, env, held)
        finally:
            self.done.append(f"stop {language}")


@cache  # the oracle is slow, and each sandbox reads the same bodies again and again
def records_of(body: bytes) -> Sequence[bytes]:
    return [record + b"\n" for record in read_records(body)]


@cache
def zipped(text: bytes) -> bytes:
    return gzip.compress(text, 1, mtime=0)


class FakeSandbox:
    """A sandbox that aggregates by the slow oracle."""

    def __init__(
        self, machine: FakeMachine, language: str, env: Mapping[str, str], enforcement: Enforcement
    ) -> None:
        self.enforcement = enforcement
        self._machine = machine
        self._language = language
        self._env = env
        self._cold = True

    def freeze(self) -> None:
        pass

    def thaw(self) -> None:
        pass

    def invoke(self, event: object) -> Invocation:
        if self._machine.interrupt_at == self._language:
            raise KeyboardInterrupt
        cold, self._cold = self._cold, False
        assert isinstance(event, dict)
        result = self._aggregate(f"{event['year']:04d}/{event['month']:02d}/{event['day']:02d}")
        end = {"event": "end", "phases": {"get": {"count": 3, "sum_ms": 5}}}
        log = (*self._machine.log.get(self._language, ()), end)
        init = 100.0 if cold else None
        return Invocation(result, None, cold, init, 1000.0 if cold else 200.0, 150, 50 << 20, log)

    def _aggregate(self, day: str) -> dict[str, object]:
        source = self._machine.store.buckets[self._env["SRC_BUCKET"]]
        pattern = rf"AWSLogs/(o-[a-z0-9]+/)?\d{{12}}/CloudTrail/[^/]+/{day}/.+"
        keys = sorted(key for key in source if re.fullmatch(pattern, key))
        if self._language == Role.FLOOR:
            records = [inflate(source[key]) for key in keys]
        else:
            records = [record for key in keys for record in records_of(source[key])]
        records = self._machine.spoil.get(self._language, list)(records)
        if self._language == Role.PEER:
            return self._print_anew(day, records)
        chunks: list[list[bytes]] = [[]]
        size, most = 0, int(self._env["CHUNK_BYTES"])
        for record in records:
            if size >= most:
                chunks.append([])
                size = 0
            chunks[-1].append(record)
            size += len(record)
        result: dict[str, object] = {
            "day": day.replace("/", "-"),
            "sources": len(keys),
            "bad": 0,
            "records": len(records),
            "bytes": sum(map(len, records)),
            "chunks": len(chunks),
            "deleted": 0,
        }
        named = {f"{day}/{n:06d}.ndjson.gz": b"".join(each) for n, each in enumerate(chunks, 1)}
        listed = [
            {"key": key, "records": len(each), "bytes": len(named[key])}
            for key, each in zip(named, chunks, strict=True)
        ]
        bucket = self._machine.store.buckets[self._env["DST_BUCKET"]]
        bucket.update({key: zipped(text) for key, text in named.items()})
        manifest = {"result": result, "chunks": listed}
        bucket[f"{day}/_manifest.json"] = json.dumps(manifest).encode()
        return result

    def _print_anew(self, day: str, records: Sequence[bytes]) -> dict[str, object]:
        """One object with the same values in another text, as after a JSON parser and printer."""
        text = b"".join(json.dumps(json.loads(each)).encode() + b"\n" for each in records)
        bucket = self._machine.store.buckets[self._env["DST_BUCKET"]]
        bucket[f"{day}/000001.ndjson.gz"] = gzip.compress(text)
        return {"day": day.replace("/", "-"), "records": len(records)}
