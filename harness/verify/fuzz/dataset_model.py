"""Computes the output for a whole dataset by SPEC.md in a simple way: one pattern, sort and loop.

It works on a dictionary of objects in memory and shares no code with the implementations. The slow
oracle reads the bodies.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from harness.fixtures.chunks import CHUNK_NAME, HIDDEN_CHUNK_NAME
from harness.fixtures.sources import BadSourceError, read_records
from harness.verify.scripted_s3.scene import Stored
from harness.verify.vectors.cases import Expectation

_ACCOUNT = r"[0-9]{12}"
_MOST_NAMED = 10
_LONGEST_CLAIM = 65536


@dataclass(frozen=True, slots=True)
class Run:
    """A trigger: ``account`` as in T7 or ``None``."""

    year: int
    month: int
    day: int
    account: str | None = None
    force: bool = False

    @property
    def folder(self) -> str:
        """The day as in keys, with a final slash."""
        return f"{self.year:04d}/{self.month:02d}/{self.day:02d}/"

    def event(self) -> dict[str, object]:
        members: dict[str, object] = {"year": self.year, "month": self.month, "day": self.day}
        if self.account is not None:
            members["account"] = self.account
        if self.force:
            members["force"] = True
        return members


@dataclass(frozen=True, slots=True)
class Limits:
    """The settings on which a run's output depends."""

    source_prefix: str = ""
    destination_prefix: str = ""
    chunk_bytes: int = 67108864
    max_source_bytes: int = 134217728


@dataclass(slots=True)
class DatasetModel:
    """Both buckets. ``destination`` maps keys to inflated texts; every run changes it.

    ``manifested`` maps each day prefix to the counts in its manifest.
    """

    limits: Limits
    sources: dict[str, bytes]
    destination: dict[str, bytes]
    manifested: dict[str, Mapping[str, float]] = field(default_factory=dict)

    def run(self, run: Run) -> Expectation:
        """Run one invocation: return its answer, and change the model's destination."""
        claim = f"{self._prefix(run)}_claim.json"
        if _is_live(self.destination.get(claim, b"")):
            return _fails(f"BUSY: {_escaped(claim)}")
        self.destination.pop(claim, None)
        account = _ACCOUNT if run.account is None else run.account
        region = re.escape(f"{self.limits.source_prefix}AWSLogs/") + (
            rf"(?:o-[a-z0-9]+/)?{account}/CloudTrail/[^/]*/"
        )
        if not any(re.match(region, key) for key in self.sources):
            return _fails(f"NO_TRAIL: {_escaped(self.limits.source_prefix)}AWSLogs/")
        of_day = re.compile(region + re.escape(run.folder))
        keys = [key for key in self.sources if of_day.match(key) and not key.endswith("/")]
        records, bad = self._read(sorted(keys, key=str.encode))
        return self._publish(run, len(keys), list(self._chunks(records)), bad)

    def _read(self, keys: Sequence[str]) -> tuple[list[bytes], dict[str, str]]:
        records: list[bytes] = []
        bad: dict[str, str] = {}
        for key in keys:
            try:
                records += read_records(self.sources[key], self.limits.max_source_bytes)
            except BadSourceError as fault:
                bad[key] = fault.code
        return records, bad

    def _chunks(self, records: Sequence[bytes]) -> Iterator[bytes]:
        chunk = b""
        for record in records:
            chunk += record + b"\n"
            if len(chunk) >= self.limits.chunk_bytes:
                yield chunk
                chunk = b""
        if chunk:
            yield chunk

    def _publish(
        self, run: Run, sources: int, chunks: Sequence[bytes], bad: Mapping[str, str]
    ) -> Expectation:
        prefix = self._prefix(run)
        log = tuple(bad.items())
        if not run.force and (refusal := self._refusal(prefix, sources - len(bad))):
            return _fails(refusal, log)
        keys = [f"{prefix}{number:06d}.ndjson.gz" for number in range(1, len(chunks) + 1)]
        published = self._names(prefix, CHUNK_NAME)
        higher = [key for key in published if int(key[len(prefix) :].split(".")[0]) > len(chunks)]
        for key in (*higher, *self._names(prefix, HIDDEN_CHUNK_NAME)):
            del self.destination[key]
        self.destination.update(zip(keys, chunks, strict=True))
        self.destination.pop(f"{prefix}_manifest.json", None)
        result = {
            "day": run.folder[:-1].replace("/", "-"),
            "sources": sources,
            "bad": len(bad),
            "records": sum(chunk.count(b"\n") for chunk in chunks),
            "bytes": sum(map(len, chunks)),
            "chunks": len(chunks),
            "deleted": len(higher),
        }
        self.manifested[prefix] = {"sources": sources, "bad": len(bad)}
        failed = bool(bad) and not run.force
        error = _bad_sources(bad, sources) if failed else None
        return Expectation(None if failed else result, error, result, log, 0, prefix)

    def _refusal(self, prefix: str, readable: int) -> str | None:
        """The reason by W2 and W3 why nothing may be published, or ``None``."""
        key = f"{prefix}_manifest.json"
        before = self.manifested.get(prefix)
        if before is None and key not in self.destination:
            return None
        if before is None:
            before = _counts_of(self.destination[key])
        if before is None:
            return f"BAD_MANIFEST: {_escaped(key)}"
        named = int(before["sources"] - before["bad"])
        return (
            f"FEWER_SOURCES: published {named}, readable {readable}" if named > readable else None
        )

    def _prefix(self, run: Run) -> str:
        owner = "" if run.account is None else f"{run.account}/"
        return f"{self.limits.destination_prefix}{owner}{run.folder}"

    def _names(self, prefix: str, name: str) -> list[str]:
        return [
            key
            for key in self.destination
            if key.startswith(prefix) and re.fullmatch(name, key.removeprefix(prefix), re.DOTALL)
        ]


def _is_live(claim: bytes) -> bool:
    """W12: whether another run's claim has its form and has not expired."""
    if len(claim) > _LONGEST_CLAIM:
        return False
    try:
        expires = datetime.strptime(_json(claim)["expires"], "%Y-%m-%dT%H:%M:%S.%f%z")
    except (ValueError, TypeError, KeyError):
        return False
    return expires > datetime.now(UTC)


def _json(text: bytes) -> Any:
    """JSON of RFC 8259 in UTF-8, without a byte order mark; raises ``ValueError`` otherwise."""

    def refuse(constant: str) -> float:
        raise ValueError(f"{constant} is not JSON")

    return json.loads(text.decode(), parse_int=float, parse_constant=refuse)


def _fails(error: str, bad: tuple[tuple[str, str], ...] = ()) -> Expectation:
    return Expectation(None, error, None, bad, 0, None)


def _counts_of(manifest: bytes) -> Mapping[str, float] | None:
    try:
        result = _json(manifest)["result"]
        counts = {name: result[name] for name in ("sources", "bad")}
    except (ValueError, TypeError, LookupError):
        return None
    return counts if all(map(_is_count, counts.values())) else None


def _is_count(value: object) -> bool:
    return isinstance(value, float) and value.is_integer() and 0 <= value <= 2**53


def _bad_sources(bad: Mapping[str, str], sources: int) -> str:
    named = [f"{_escaped(key)} ({code})" for key, code in bad.items()]
    if len(named) > _MOST_NAMED:
        named[_MOST_NAMED:] = [f"and {len(named) - _MOST_NAMED} more"]
    return f"BAD_SOURCES: {len(bad)} of {sources}: {', '.join(named)}"


def _escaped(key: str) -> str:
    return re.sub(r"[\x00-\x1f\x7f-\x9f]", lambda found: f"\\u{ord(found[0]):04x}", key)


def stored(objects: Mapping[str, bytes]) -> dict[str, Stored]:
    """The objects in the form of a scene."""
    return {key: Stored(body) for key, body in objects.items()}
