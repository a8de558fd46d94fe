"""The state of a day: what is published, what readers of Parquet see, and what may be deleted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from harness.compact.places import Part, fingerprint_of, read_list
from harness.compact.published import DayFault, Published, read_published
from harness.compact.store import Store, Stored

#: Athena lets a query run for four hours at most, so none reads a file a day after its list.
KEEP = timedelta(days=1)


class State(StrEnum):
    DUE = "due"  # never compacted, or published again since
    CURRENT = "current"
    EMPTY = "empty"  # published without records, and readers see none
    COMPACTED = "compacted"
    LEFT = "left"


@dataclass(frozen=True, slots=True)
class Done:
    """The outcome for a day. ``reason`` is that of a day which was left as it is."""

    part: Part
    state: State
    records: int = 0
    files: int = 0
    size_bytes: int = 0
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Seen:
    """``listed`` are the files that readers read; ``folders`` has all files by their folder.

    ``switched`` is the time of the list; ``None`` if there is no list.
    """

    part: Part
    published: Published
    generation: str | None
    listed: Sequence[str]
    switched: datetime | None
    folders: Mapping[str, Sequence[Stored]]

    @property
    def state(self) -> State:
        if not self.published.chunks:
            return State.EMPTY if self.switched is None else State.DUE
        if self.generation is None:
            return State.DUE
        here = {each.key for each in self.folders.get(self.generation, ())}
        fresh = fingerprint_of(self.generation) == self.published.fingerprint
        return State.CURRENT if fresh and here.issuperset(self.listed) else State.DUE

    @property
    def done(self) -> Done:
        return Done(self.part, self.state, self.published.records)

    def old_files(self, now: datetime) -> Sequence[str]:
        """The files that no list names, and that nobody reads or writes any more."""
        limit = now - KEEP
        if self.switched is not None and self.switched > limit:
            return []  # queries may still read the files of the list before
        return [
            file.key
            for folder, files in self.folders.items()
            if folder != self.generation and max(each.changed for each in files) < limit
            for file in files
        ]


def look(store: Store, part: Part, now: datetime) -> Seen:
    """Read the state of a day, and change nothing. Raises :class:`DayFault`."""
    published = read_published(store, part, now)
    switched = None
    for each in store.list(part.list_folder):
        if each.key != part.list_key:
            raise _foreign(each.key)
        switched = each.changed
    found: tuple[str | None, Sequence[str]] = (None, ())
    body = store.get(part.list_key)
    if body is not None:
        read = read_list(part, body)
        if read is None:
            raise _foreign(part.list_key)
        found = read
    folders: dict[str, list[Stored]] = {}
    for each in store.list(part.files):
        folder = each.key.removeprefix(part.files).partition("/")[0]
        if fingerprint_of(folder) is None:
            raise _foreign(each.key)
        folders.setdefault(folder, []).append(each)
    return Seen(part, published, *found, switched, folders)


def _foreign(key: str) -> DayFault:
    return DayFault(f"{key} is not of this command: move it away")
