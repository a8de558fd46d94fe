"""The day of a drill: its sources, the expected chunks, and the view of a reader of the chunks."""

from __future__ import annotations

import gzip
import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from harness.fixtures.chunks import CHUNK_NAME, HIDDEN_CHUNK_GLOB
from harness.fixtures.recipe import Recipe, make_day
from harness.fixtures.staging import ExpectedDay, StagedObject, stage
from harness.verify.outputs import MANIFEST, verify_destination
from harness.verify.vectors.request_checks import CLAIM_NAME


@dataclass(frozen=True, slots=True)
class Sources:
    """The sources of a day with their keys below the prefix, and the output that is expected."""

    day: date
    objects: Sequence[StagedObject]
    expected: ExpectedDay

    @property
    def records(self) -> Counter[bytes]:
        return Counter(line for chunk in self.expected.chunks for line in chunk.lines())


def sources_of(day: date, objects: int, seed: int) -> list[StagedObject]:
    """The sources of a generated day, in key order and without its neighbours."""
    made = make_day(Recipe(seed=seed, objects=objects, day=day))
    return [each for each in made if each.records is not None]


def with_expected(
    day: date, objects: Sequence[StagedObject], folder: Path, chunk_bytes: int, prefix: str
) -> Sources:
    """The sources with the output of a run over all of them."""
    return Sources(day, objects, stage(objects, lambda _: None, folder, day, chunk_bytes, prefix))


class Saw(StrEnum):
    """A reader's view, compared with the records of the day before the night and in the end."""

    NOTHING = "nothing"
    OLD = "old"
    PART = "part"  # all of the old records and some new ones, each of them once
    DOUBLED = "doubled"  # some record more often than it should be
    LESS = "less"  # not all of the old records
    NEW = "new"


@dataclass(frozen=True, slots=True)
class Look:
    """``missing`` counts records that were published before and are gone, ``doubled`` those that
    are there once too often.
    """

    at: datetime
    saw: Saw
    missing: int = 0
    doubled: int = 0


@dataclass(slots=True)
class Destination:
    """The destination below one day prefix, read as a query engine reads it: chunks by name.

    ``old`` are the records that were published before the night, ``new`` those that must be there
    in the end.
    """

    s3: Any
    bucket: str
    prefix: str
    old: Counter[bytes] = field(default_factory=Counter)
    new: Counter[bytes] = field(default_factory=Counter)
    looks: list[Look] = field(default_factory=list)
    _texts: dict[str, tuple[bytes, ...]] = field(default_factory=dict)  # by ETag

    def look(self, now: datetime) -> None:
        """Read all chunks, and note what was seen."""
        self.looks.append(self._judged(self._seen(), now))

    def is_visible(self, key: str) -> bool:
        name = key.removeprefix(self.prefix)
        return key != name and (name == MANIFEST or re.fullmatch(CHUNK_NAME, name) is not None)

    def objects(self) -> dict[str, bytes]:
        """Every object below the day prefix."""
        return {key: self._body(key) for key, _ in self._listed()}

    def differences(self, expected: ExpectedDay) -> str | None:
        """The first difference from the expected objects, hidden ones and claims included.

        How many chunks a run has deleted depends on the runs before it, so it does not count.
        """
        objects = self.objects()
        key = self.prefix + MANIFEST
        if key in objects:
            manifest = json.loads(objects[key])
            manifest["result"]["deleted"] = 0
            objects[key] = json.dumps(manifest).encode()
        found = verify_destination(expected, objects)
        return None if found is None else str(found)

    def lost(self) -> int:
        """How many records of the day are absent."""
        return (self.new - self._seen()).total()

    def digest(self) -> str:
        """One hash of the chunks' names and texts: equal for equal datasets, whatever the gzip."""
        whole = hashlib.sha256()
        for key, body in sorted(self.objects().items()):
            if key.endswith(".ndjson.gz"):
                whole.update(f"{key.removeprefix(self.prefix)}\n".encode() + gzip.decompress(body))
        return whole.hexdigest()

    def delete_hidden(self) -> None:
        """Delete the objects that the runbook's ``aws s3 rm`` deletes, by its pattern."""
        for key, _ in list(self._listed()):
            if fnmatchcase(key.removeprefix(self.prefix), HIDDEN_CHUNK_GLOB):
                self.s3.delete_object(Bucket=self.bucket, Key=key)

    # ---- the claim of the day ----

    @property
    def claim_key(self) -> str:
        return self.prefix + CLAIM_NAME

    def has_claim(self) -> bool:
        return any(key == self.claim_key for key, _ in self._listed())

    def let_claim_expire(self) -> None:
        """Give the claim an ``expires`` in the past: the drill's clock is not that of the run."""
        claim = {**json.loads(self._body(self.claim_key)), "expires": "2020-01-01T00:00:00.000Z"}
        self.s3.put_object(Bucket=self.bucket, Key=self.claim_key, Body=json.dumps(claim).encode())

    # ---- reading ----

    def _listed(self) -> Iterator[tuple[str, str]]:
        found = self.s3.list_objects_v2(Bucket=self.bucket, Prefix=self.prefix)
        for each in found.get("Contents", ()):
            yield each["Key"], each["ETag"]

    def _body(self, key: str) -> bytes:
        body: bytes = self.s3.get_object(Bucket=self.bucket, Key=key)["Body"].read()
        return body

    def _seen(self) -> Counter[bytes]:
        seen: Counter[bytes] = Counter()
        for key, etag in self._listed():
            if self.is_visible(key) and not key.endswith(MANIFEST):
                if etag not in self._texts:
                    text = gzip.decompress(self._body(key))
                    self._texts[etag] = tuple(text.splitlines(keepends=True))
                seen.update(self._texts[etag])
        return seen

    def _judged(self, seen: Counter[bytes], now: datetime) -> Look:
        if seen == self.new:
            return Look(now, Saw.NEW)
        if seen == self.old:
            return Look(now, Saw.OLD if self.old else Saw.NOTHING)
        missing = (self.old - seen).total()
        doubled = (seen - (self.old | self.new)).total()
        saw = Saw.LESS if missing else Saw.DOUBLED if doubled else Saw.PART
        return Look(now, saw, missing, doubled)
