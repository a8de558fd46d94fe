"""Compacts published days, one after the other.

The order of the steps makes each of them harmless to interrupt. The files get a folder of their
own, which no reader knows. They are checked there. Then one put of the list makes them count. A
folder that no list names is deleted by a later run, when no query can read it any more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime

from harness.compact.engines import Engine
from harness.compact.places import TABLES, Part, begun, generation, new_run, write_list
from harness.compact.published import DayFault, Published, read_published
from harness.compact.state import KEEP, Done, Seen, State, look
from harness.compact.statements import DROP, TABLES_LIKE, Statements
from harness.compact.store import Store
from harness.model import HarnessError, NotReady, UsageError
from harness.terminal import Progress

#: After so many days, one after the other, that the engine or S3 refused, the rest would fail too.
_MOST_REFUSALS = 3


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(slots=True)
class Compactor:
    """``columns`` maps the columns to the keys of a record. Tests pass another ``now``.

    ``open_engine`` is called once, when the first day is due.
    """

    store: Store
    open_engine: Callable[[], Engine]
    columns: Mapping[str, str]
    progress: Progress
    now: Callable[[], datetime] = _now
    _engine: Engine | None = field(default=None, init=False)

    def compact(self, parts: Sequence[Part]) -> Iterator[Done]:
        """Compact the days that are due, in order.

        A fault of one day leaves that day as it is. Raises ``HarnessError`` after three days that
        the engine or S3 has refused, one after the other.
        """
        refused = 0
        for part in parts:
            try:
                yield self._compact(part)
                refused = 0
            except DayFault as fault:
                yield Done(part, State.LEFT, reason=str(fault))
            except (NotReady, UsageError):
                raise
            except HarnessError as error:
                refused += 1
                if refused == _MOST_REFUSALS:
                    raise
                yield Done(part, State.LEFT, reason=str(error))

    def _compact(self, part: Part) -> Done:
        seen = look(self.store, part, self.now())
        if seen.state is not State.DUE:
            self.store.delete(seen.old_files(self.now()))
            return seen.done
        if seen.published.chunks:
            return self._make(seen)
        self.store.delete([part.list_key])
        return Done(part, State.EMPTY)

    def _make(self, seen: Seen) -> Done:
        part, published, run = seen.part, seen.published, new_run(self.now())
        folder = f"{part.files}{generation(published.fingerprint, run)}/"
        made = Statements(self.columns, run.table, part.address(part.chunks), part.address(folder))
        engine = self._opened()
        with _tables(engine, made):
            self.progress(f"{part}: comparing the chunks with the manifest")
            _compare_with_manifest(engine, part, published, made)
            self.progress(f"{part}: writing {published.records:,} records")
            engine.run(made.fill())
            self.progress(f"{part}: comparing the values")
            self._compare_values(engine, published, made)
        files = self.store.list(folder)
        if read_published(self.store, part, self.now()) != published:
            raise DayFault("it was published again meanwhile: compact it again")
        self.store.put(part.list_key, write_list(part, [each.key for each in files]))
        size = sum(each.size for each in files)
        return Done(part, State.COMPACTED, published.records, len(files), size)

    def _compare_values(self, engine: Engine, published: Published, made: Statements) -> None:
        """The files must have each value of each record, as another reading of the chunks does."""
        (written,) = engine.run(made.sum_columns())
        if written[0] != str(published.records):
            raise DayFault(f"{written[0]} records were written in place of {published.records}")
        (wanted,) = engine.run(made.sum_chunks())
        names = ("number of records", "whole records", *self.columns)
        differ = [n for n, a, b in zip(names, written, wanted, strict=True) if a != b]
        if differ:
            raise DayFault(f"the written values differ from the chunks' in: {', '.join(differ)}")

    def _opened(self) -> Engine:
        if self._engine is None:
            self._engine = self.open_engine()
            _drop_abandoned_tables(self._engine, self.now())
        return self._engine


def look_at(store: Store, parts: Sequence[Part]) -> Iterator[Done]:
    """The state of each day, without a change of any kind."""
    for part in parts:
        try:
            yield look(store, part, _now()).done
        except DayFault as fault:
            yield Done(part, State.LEFT, reason=str(fault))


@contextmanager
def _tables(engine: Engine, made: Statements) -> Iterator[None]:
    try:
        for each in made.create():
            engine.run(each)
        yield
    except BaseException:
        with suppress(HarnessError):  # a later run drops them, too
            _drop(engine, made.tables)
        raise
    _drop(engine, made.tables)


def _compare_with_manifest(
    engine: Engine, part: Part, published: Published, made: Statements
) -> None:
    """The engine must find all records and bytes of each chunk, and no other object."""
    found = {
        str(path): (int(records or 0), int(size or 0))
        for path, records, size in engine.run(made.count())
    }
    wanted = {part.address(key): counts for key, counts in published.chunks.items()}
    for address in sorted(wanted.keys() | found.keys()):
        if found.get(address) != wanted.get(address):
            raise DayFault(
                f"{address} has {_counted(found.get(address))}, by the manifest "
                f"{_counted(wanted.get(address))}: aggregate the day again"
            )


def _drop_abandoned_tables(engine: Engine, now: datetime) -> None:
    """Those of runs that died. A run that is alive is younger."""
    pattern = f"{TABLES.replace('_', '!_')}%"
    rows = engine.run(TABLES_LIKE.format(database=engine.database, pattern=pattern))
    times = {str(name): begun(str(name)) for (name,) in rows}
    _drop(engine, [name for name, when in times.items() if when is not None and when < now - KEEP])


def _drop(engine: Engine, tables: Sequence[str]) -> None:
    for each in tables:
        engine.run(DROP.format(table=each))


def _counted(counts: tuple[int, int] | None) -> str:
    return "nothing" if counts is None else f"{counts[0]:,} records of {counts[1]:,} bytes"
