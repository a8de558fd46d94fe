"""Step: handler (SPEC S14, B, E6, E7, O). Wires the steps for one invocation, reports how it ended.

Holds one source's lines, and the key of every bad source.
"""

import os
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from typing import NamedTuple, Protocol

from aggregator.attempts import Attempts, Lanes, OutOfTimeError
from aggregator.config import Config, read_config
from aggregator.errors import AggregationError, BadSourceError
from aggregator.inflater import inflate
from aggregator.journal import Journal
from aggregator.lister import Lister
from aggregator.publisher import Publisher, Result
from aggregator.reader import Reader
from aggregator.splitter import split_records
from aggregator.store import Store, open_store
from aggregator.trigger import Day, parse_trigger
from aggregator.writer import Writer

_BAD_SOURCES_NAMED = 10

# Lambda's runtime client parses the event: by default it fails at an integer of 4,301 digits before
# this module sees it, and the caller gets a message that the contract doesn't know (T5).
sys.set_int_max_str_digits(0)


class Context(Protocol):
    """What is used of Lambda's context."""

    @property
    def aws_request_id(self) -> str: ...

    def get_remaining_time_in_millis(self) -> int: ...


class Prepared(NamedTuple):
    """What the invocations of a sandbox share."""

    config: Config
    store: Store
    lanes: Lanes


@cache
def _prepare() -> Prepared:
    config = read_config(os.environ)
    return Prepared(config, open_store(config), Lanes(config.concurrency))


# Ready before the first event; a fault is not cached, so every invocation meets it again (S14).
with suppress(Exception):
    _prepare()


def handle(event: object, context: Context) -> dict[str, object]:
    """Lambda's entry: the result (O1), or an ``AggregationError`` whose text is the message."""
    return run(event, context, _prepare)


def run(event: object, context: Context, prepare: Callable[[], Prepared]) -> dict[str, object]:
    """One invocation with what ``prepare`` gives; that reports bad settings (S14)."""
    journal = Journal(context.aws_request_id)
    try:
        prepared = prepare()
        journal.level = prepared.config.log_level
        day = parse_trigger(event)
        result = _aggregate(prepared, day, context, journal)._asdict()
    except AggregationError as error:
        journal.end(None, error)
        raise
    except Exception as error:
        internal = AggregationError("INTERNAL", "see the log")
        internal.__cause__ = error
        journal.end(None, internal)
        raise internal from error
    journal.end(result, None)
    return result


def _aggregate(prepared: Prepared, day: Day, context: Context, journal: Journal) -> Result:
    config, store, lanes = prepared
    attempts = Attempts(lanes, context.get_remaining_time_in_millis() / 1000, journal)
    lister = Lister(store, attempts, config, journal)
    reader = Reader(store, attempts, config, journal)
    writer = Writer(store, attempts, config, day, context.aws_request_id, journal)
    publisher = Publisher(store, attempts, config, day)
    sources = bad = 0
    named: list[str] = []
    journal.log("INFO", "start", day=str(day.date), account=day.account, force=day.force)
    try:
        prefixes = lister.find_day_prefixes(day)
        for source, body in reader.read_bodies(lister.list_pages(prefixes)):
            attempts.check_time()
            try:
                writer.write(_lines(body, config.max_source_bytes, journal))
            except BadSourceError as error:
                journal.log("WARN", "bad_source", key=source.key, code=error.code)
                bad += 1
                if bad <= _BAD_SOURCES_NAMED:
                    named.append(f"{source.key} ({error.code})")
            sources += 1
        chunks = writer.finish()
        with journal.timed("publish"):
            result = publisher.publish(chunks, sources, bad)
    except OutOfTimeError:
        raise AggregationError("OUT_OF_TIME", f"{sources} sources read") from None
    finally:
        attempts.close()
    if bad and not day.force:
        more = f", and {bad - len(named)} more" if bad > len(named) else ""
        raise AggregationError("BAD_SOURCES", f"{bad} of {sources}: {', '.join(named)}{more}")
    return result


def _lines(body: bytes | BadSourceError, limit: int, journal: Journal) -> bytes | bytearray:
    """One source's records; a source is taken in whole or not at all (B3)."""
    if isinstance(body, BadSourceError):
        raise body
    with journal.timed("decode"):
        return split_records(inflate(body, limit))
