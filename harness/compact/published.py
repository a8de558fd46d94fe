"""A published day as its manifest and its listing tell it, or the reason why it can't be read."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from harness.compact.places import Part
from harness.compact.store import Store, Stored
from harness.fixtures.chunks import CHUNK_NAME

#: Another number when the files of the same chunks shall be made again.
_FORMAT = 1


class DayFault(Exception):
    """The day stays as it is; the message says why, and what to do."""


@dataclass(frozen=True, slots=True)
class Published:
    """The manifest of a day, and its chunks: key -> (records, bytes).

    ``fingerprint`` changes with the chunks. Two readings are equal if nothing was published between
    them.
    """

    manifest: bytes
    chunks: Mapping[str, tuple[int, int]]
    fingerprint: str

    @property
    def records(self) -> int:
        return sum(records for records, _ in self.chunks.values())


def read_published(store: Store, part: Part, now: datetime) -> Published:
    """Raises :class:`DayFault` where a publication is missing, half done, or under way."""
    claim = store.get(f"{part.chunks}_claim.json")
    if claim is not None and _holds(claim, now):
        raise DayFault("a run is about to publish it: compact it again later")
    key = f"{part.chunks}_manifest.json"
    manifest = store.get(key)
    if manifest is None:
        raise DayFault("it is not published: there is no manifest")
    named = _chunks_of(manifest)
    if named is None:
        raise DayFault(f"{key} is not a manifest: aggregate the day again")
    found = [each for each in store.list(part.chunks) if not _is_hidden(each.key, part.chunks)]
    name = re.compile(re.escape(part.chunks) + CHUNK_NAME)
    for each in found:
        if name.fullmatch(each.key) is None:
            raise DayFault(f"{each.key} is no chunk, but queries would read it: move it away")
    if {each.key for each in found} != named.keys():
        raise DayFault("its chunks are not those of its manifest: aggregate the day again")
    return Published(manifest, named, _fingerprint(found))


def _holds(claim: bytes, now: datetime) -> bool:
    """Whether a claim (SPEC W11) has not expired. What has another form claims nothing (W12)."""
    try:
        content = json.loads(claim)
        return isinstance(content["run"], str) and datetime.fromisoformat(content["expires"]) > now
    except (ValueError, KeyError, TypeError):
        return False


def _chunks_of(manifest: bytes) -> Mapping[str, tuple[int, int]] | None:
    try:
        content: Any = json.loads(manifest)
        return {
            str(each["key"]): (int(each["records"]), int(each["bytes"]))
            for each in content["chunks"]
        }
    except (ValueError, KeyError, TypeError):
        return None


def _is_hidden(key: str, folder: str) -> bool:
    """Whether query engines skip it."""
    return any(each.startswith(("_", ".")) for each in key.removeprefix(folder).split("/"))


def _fingerprint(chunks: Sequence[Stored]) -> str:
    """Without an ETag, as a local copy may be, the time of the last change tells the chunk."""
    told = [[each.key, each.size, each.etag.strip('"') or str(each.changed)] for each in chunks]
    return hashlib.sha256(json.dumps([_FORMAT, told]).encode()).hexdigest()[:16]
