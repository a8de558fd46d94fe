"""Step: handler (SPEC S14, B, E6, E7, O1). Connects the steps, reports a run's end.

The event loop itself decodes and compresses, while the clients' threads go on with the requests in
flight. Holds one source's lines, and the keys of the first bad sources.
"""

import asyncio
import os
import sys
from collections.abc import Callable
from functools import cache
from typing import NamedTuple, Protocol

from aggregator.attempts import Attempts, OutOfTimeError, open_attempts
from aggregator.claim import Claim
from aggregator.config import Config, read_config
from aggregator.errors import AggregationError, BadSourceError, end_if_out_of_memory
from aggregator.inflater import inflate
from aggregator.journal import Journal, Result
from aggregator.lister import Lister
from aggregator.publisher import Publisher
from aggregator.reader import Read, Reader
from aggregator.s3 import open_store
from aggregator.splitter import split_records
from aggregator.store import Store
from aggregator.trigger import Day, parse_trigger
from aggregator.writer import Writer

_BAD_SOURCES_NAMED = 10

# Lambda's runtime client parses the event, and would fail at an integer of 4,301 digits (T5).
sys.set_int_max_str_digits(0)


class Context(Protocol):
    """The part of Lambda's context that is used."""

    aws_request_id: str

    def get_remaining_time_in_millis(self) -> int: ...


class Prepared(NamedTuple):
    """Shared by the invocations of a sandbox."""

    config: Config
    store: Store
    begin: Callable[[Attempts], None] = lambda _: None  # gives a task its run's attempts (K4)


@cache
def prepare() -> Prepared:
    config = read_config(os.environ)
    return Prepared(config, open_store(config))


# Ready before the first event. No fault is cached, so every invocation meets it again (S14).
try:
    prepare()
except Exception as error:
    end_if_out_of_memory(error)


def handle(event: object, context: Context) -> dict[str, object]:
    """Lambda's entry: the result, or an ``AggregationError`` whose text is the message."""
    return run(event, context, prepare)


def run(event: object, context: Context, prepare: Callable[[], Prepared]) -> dict[str, object]:
    """One invocation. ``prepare`` gives the settings and S3, or raises ``BAD_SETTINGS`` (S14)."""
    journal = Journal(context.aws_request_id)
    try:
        prepared = prepare()
        journal.level = prepared.config.log_level
        day = parse_trigger(event)
        result = asyncio.run(_Run(prepared, day, context, journal).aggregate())._asdict()
    except AggregationError as error:
        end_if_out_of_memory(error)
        journal.end(None, error)
        raise
    except Exception as error:
        end_if_out_of_memory(error)
        internal = AggregationError("INTERNAL", "see the log")
        internal.__cause__ = error
        journal.end(None, internal)
        raise internal from error
    journal.end(result, None)
    return result


class _Run:
    """One day's run, and how far it has come."""

    def __init__(self, prepared: Prepared, day: Day, context: Context, journal: Journal) -> None:
        self._config, self._store, self._begin = prepared
        self._day, self._context, self._journal = day, context, journal
        self._sources = self._bad = 0
        self._named: list[str] = []

    async def aggregate(self) -> Result:
        day, run, journal = self._day, self._context.aws_request_id, self._journal
        journal.log("INFO", "start", day=str(day.date), account=day.account, force=day.force)
        remaining_ms = self._context.get_remaining_time_in_millis
        claim = Claim(self._store, self._config, day, run, remaining_s := remaining_ms() / 1000)
        try:
            async with open_attempts(self._config.concurrency, remaining_s, journal) as attempts:
                self._begin(attempts)
                await claim.take(attempts)
                result = await self._read_and_publish(attempts)
        except OutOfTimeError:
            raise AggregationError("OUT_OF_TIME", f"{self._sources} sources read") from None
        finally:  # all other requests have ended, whatever has ended them
            await claim.release(attempts, remaining_ms() / 2000)
        if self._bad and not day.force:
            unnamed = self._bad - len(self._named)
            names = ", ".join(self._named) + (f", and {unnamed} more" if unnamed else "")
            raise AggregationError("BAD_SOURCES", f"{self._bad} of {self._sources}: {names}")
        return result

    async def _read_and_publish(self, attempts: Attempts) -> Result:
        store, config, journal = self._store, self._config, self._journal
        hidden = f"{self._day.prefix(config.dst_prefix)}_{self._context.aws_request_id}-"
        lister = Lister(store, attempts, config, journal)
        reader = Reader(store, attempts, config, journal)
        writer = Writer(store, attempts, config, hidden, journal)
        prefixes = await lister.find_day_prefixes(self._day)
        async for source, body in reader.read_bodies(lister.list_pages(prefixes)):
            attempts.check_time()
            try:
                await writer.write(self._lines(body, attempts.check_time))
            except BadSourceError as error:
                self._note_bad(source.key, error)
            self._sources += 1
        chunks = await writer.finish()
        publisher = Publisher(store, attempts, config, self._day)
        with journal.timed("publish"):
            return await publisher.publish(chunks, self._sources, self._bad)

    def _lines(self, body: Read, check: Callable[[], None]) -> bytes | bytearray:
        """One source's records; a source is taken in whole or not at all (B3)."""
        if isinstance(body, BadSourceError):
            raise body
        with self._journal.timed("decode"):
            return split_records(inflate(body, self._config.max_source_bytes, check), check)

    def _note_bad(self, key: str, error: BadSourceError) -> None:
        self._journal.log("WARN", "bad_source", key=key, code=error.code)
        self._bad += 1
        if self._bad <= _BAD_SOURCES_NAMED:
            self._named.append(f"{key} ({error.code})")
