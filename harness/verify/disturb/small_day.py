"""A small day for disturbances: its sources, what must be published of it, and its check."""

from __future__ import annotations

import gzip
import json
import re
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date

from harness.fixtures.chunks import CHUNK_NAME, Chunk
from harness.fixtures.staging import ExpectedDay
from harness.verify.outputs import MANIFEST, verify_destination
from harness.verify.scripted_s3.scene import Stored
from harness.verify.vectors.request_checks import CLAIM_NAME

EVENT: Mapping[str, object] = {"year": 2024, "month": 2, "day": 8}
#: A day may have fewer sources than before, which only ``force`` publishes (W3).
FORCED: Mapping[str, object] = {**EVENT, "force": True}
PREFIX = "2024/02/08/"
CLAIM = PREFIX + CLAIM_NAME
FOLDER = f"AWSLogs/111122223333/CloudTrail/eu-west-1/{PREFIX}"


@dataclass(frozen=True, slots=True)
class SmallDay:
    """The sources by their keys, and the output that a run must make of them."""

    sources: Mapping[str, Stored]
    expected: ExpectedDay

    def published(self) -> dict[str, Stored]:
        """The objects of a run that was here before."""
        chunks = {
            chunk.key: Stored(gzip.compress(_bytes(chunk), mtime=0), "application/gzip")
            for chunk in self.expected.chunks
        }
        manifest = json.dumps(self.expected.manifest()).encode()
        return {**chunks, PREFIX + MANIFEST: Stored(manifest, "application/json")}


def small_day(records: Mapping[str, Sequence[bytes]], chunk_bytes: int) -> SmallDay:
    """The day whose sources have these keys and records."""
    keys = sorted(records, key=str.encode)
    sources = {key: Stored(b'{"Records":[' + b",".join(records[key]) + b"]}") for key in keys}
    lines = [record + b"\n" for key in keys for record in records[key]]
    expected = ExpectedDay(
        date(2024, 2, 8),
        PREFIX,
        len(sources),
        (),
        tuple(_chunks(lines, chunk_bytes)),
        sum(len(source.body) for source in sources.values()),
        0,
    )
    return SmallDay(sources, expected)


def _chunks(lines: Sequence[bytes], chunk_bytes: int) -> Iterator[Chunk]:
    """C3."""
    number, held = 1, list[bytes]()
    for place, line in enumerate(lines, 1):
        held.append(line)
        size = sum(map(len, held))
        if size >= chunk_bytes or place == len(lines):
            key = f"{PREFIX}{number:06d}.ndjson.gz"
            yield Chunk(key, b"".join(held), False, len(held), size)
            number, held = number + 1, []


def differences(expected: ExpectedDay, objects: Mapping[str, Stored]) -> list[str]:
    """The difference from the expected objects at rest, hidden ones and the claim included."""
    bodies = {key: stored.body for key, stored in objects.items()}
    bodies[PREFIX + MANIFEST] = _without_deleted(bodies.get(PREFIX + MANIFEST, b""))
    found = verify_destination(expected, bodies)
    return [] if found is None else [str(found)]


def _without_deleted(manifest: bytes) -> bytes:
    """How many chunks a run deleted depends on what the run before it had left."""
    try:
        found = json.loads(manifest)
        if isinstance(found["result"]["deleted"], int):
            found["result"] = {**found["result"], "deleted": 0}
    except (ValueError, TypeError, KeyError):
        return manifest
    return json.dumps(found).encode()


def visible(objects: Mapping[str, Stored]) -> Counter[bytes]:
    """The records that a reader of the chunks sees, and how often.

    Raises ``ValueError`` for a chunk that can't be read.
    """
    seen: Counter[bytes] = Counter()
    for key, stored in objects.items():
        if re.fullmatch(re.escape(PREFIX) + CHUNK_NAME, key):
            try:
                seen.update(gzip.decompress(stored.body).splitlines())
            except (OSError, EOFError, zlib.error) as error:
                raise ValueError(f"{key} can't be read: {error}") from error
    return seen


def expired(claim: Stored) -> Stored:
    """The same claim, as if its time were over: a trial does not wait for minutes."""
    text = {**json.loads(claim.body), "expires": "2024-02-09T00:00:00.000Z"}
    return replace(claim, body=json.dumps(text).encode())


def _bytes(chunk: Chunk) -> bytes:
    assert isinstance(chunk.body, bytes)
    return chunk.body
