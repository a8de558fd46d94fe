"""Kinds of partitions over the published chunks: changes of the table in docs/athena.sql."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date

from sqlglot import exp

from harness.query.engine import Engine, Spent
from harness.query.layout import (
    Days,
    Layout,
    chunk_folder,
    create_chunk_table,
    day_column_is,
    location_of,
    only_these_days,
    set_partitions,
    set_properties,
    table_name,
    without_projection,
)
from harness.targets.local.trino_server import HIVE, SCHEMA


@dataclass(frozen=True, slots=True)
class Style:
    """A kind of partitions. ``register`` brings them into the catalog if none are projected."""

    name: str
    about: str
    change: Callable[[exp.Create, Days], None]
    day_is: Callable[[date], str] = day_column_is
    register: Callable[[Engine, str, str, Days], Sequence[Spent]] | None = None
    by_account: bool = False


def of_chunks(style: Style, size: int, name: str | None = None) -> Layout:
    """The layout of chunks of this size, in MiB."""
    name = name or style.name
    table, folder = table_name(name), chunk_folder(size, by_account=style.by_account)

    def make(engine: Engine, days: Days) -> Sequence[Spent]:
        create_chunk_table(engine, days, table, style.change, folder)
        return [] if style.register is None else style.register(engine, table, folder, days)

    account = "" if style.by_account else ", recipientaccountid AS account"
    return Layout(
        name,
        style.about,
        make,
        f"(SELECT *{account} FROM {HIVE}.{SCHEMA}.{table})",
        folder,
        style.day_is,
        chunk_mb=size,
        by_account=style.by_account,
    )


def _enumerated(statement: exp.Create, days: Days) -> None:
    changed = {"projection.day.type": "enum", "projection.day.values": ",".join(days.names())}
    set_properties(statement, {"projection.day.range": None, **changed})


def _injected(statement: exp.Create, _: Days) -> None:
    set_properties(statement, {"projection.day.type": "injected", "projection.day.range": None})


def _accounts(statement: exp.Create, days: Days) -> None:
    """The table for days that were queued by account."""
    only_these_days(statement, days)
    set_partitions(statement, ("account", "day"))
    set_properties(
        statement,
        {
            "projection.account.type": "enum",
            "projection.account.values": ",".join(days.plain_accounts()),
            "storage.location.template": f"{location_of(statement)}${{account}}/${{day}}/",
        },
    )


def _integers(statement: exp.Create, days: Days) -> None:
    """The table of the first versions: a column each for year, month and day."""
    set_partitions(statement, ("year", "month", "day"), "int")
    changed: dict[str, str | None] = {
        "projection.day.format": None,
        "projection.day.interval": None,
        "projection.day.interval.unit": None,
        "storage.location.template": f"{location_of(statement)}${{year}}/${{month}}/${{day}}/",
    }
    for name, last, digits in (("year", 2040, 4), ("month", 12, 2), ("day", 31, 2)):
        first = 2013 if name == "year" else 1
        changed |= {
            f"projection.{name}.type": "integer",
            f"projection.{name}.range": f"{first},{last}",
            f"projection.{name}.digits": str(digits),
        }
    set_properties(statement, changed)


def _integers_are(day: date) -> str:
    return f"year = {day.year} AND month = {day.month} AND day = {day.day}"


def add_each(engine: Engine, table: str, folder: str, days: Days) -> list[Spent]:
    """Name each day and its folder to the catalog, as ALTER TABLE ADD PARTITION does."""
    return [
        engine.run(
            f"CALL {HIVE}.system.register_partition('{SCHEMA}', '{table}', ARRAY['day'], "
            f"ARRAY['{day}'], 's3://{folder}{day}/')"
        )[1]
        for day in days.names()
    ]


def repair(engine: Engine, table: str, *_: object) -> list[Spent]:
    """Let the engine look for folders such as ``day=2024-02-08/``, as MSCK REPAIR TABLE does."""
    call = f"CALL {HIVE}.system.sync_partition_metadata('{SCHEMA}', '{table}', 'ADD')"
    return [engine.run(call)[1]]


STYLES = (
    Style("chunks", "docs/athena.sql, its range from the first day to the last", only_these_days),
    Style("accounts", "chunks of each account, by account and day", _accounts, by_account=True),
    Style("from 2013", "docs/athena.sql as it stands: from 2013 to today", lambda *_: None),
    Style("integers", "year, month and day as integers from 2013", _integers, _integers_are),
    Style("enum", "a list of the days", _enumerated),
    Style("injected", "days that each query must name", _injected),
    Style(
        "registered", "partitions that were added one by one", without_projection, register=add_each
    ),
    Style(
        "repaired",
        "partitions that MSCK REPAIR TABLE looked for",
        without_projection,
        register=repair,
    ),
)
