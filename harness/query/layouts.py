"""The layouts: each makes a table of the same records, and says how a question names its day.

Four are places for the records: the sources as they are (``raw``), the published chunks
(``chunks``), and Parquet and Iceberg, which Trino makes of the chunks. The others read the same
chunks by another kind of partitions.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import batched
from pathlib import Path

from sqlglot import exp

from harness.model import UsageError
from harness.query.lake import CHUNKS, SOURCES, TABLES, Lake, Spent
from harness.targets.athena_sql import create_table, is_external_table, statements
from harness.targets.local.trino_server import HIVE, ICEBERG, SCHEMA
from harness.toolchain.paths import ROOT

RAW_SQL = Path(__file__).with_name("raw.athena.sql")
CHUNKS_SQL = ROOT / "docs/athena.sql"
#: The places; all other names are kinds of partitions.
PLACES = ("raw", "chunks", "parquet", "iceberg")
#: One statement writes so many partitions at most, in Athena as in Trino.
MOST_PARTITIONS = 100
_ACCOUNT = "recipientaccountid AS account"


def named(day: date) -> str:
    return f"{day:%Y/%m/%d}"


def _day_is(day: date) -> str:
    return f"day = '{named(day)}'"


@dataclass(frozen=True, slots=True)
class Days:
    """The days of a dataset, and the accounts and regions of its sources."""

    days: Sequence[date]
    accounts: Sequence[str]
    regions: Sequence[str]

    def names(self) -> list[str]:
        return [named(day) for day in self.days]


@dataclass(frozen=True, slots=True)
class Layout:
    """``make`` makes the table, and returns the costs of the statements that wrote its data.

    ``records`` is the table or subquery with the columns of the questions. ``chunk_mb`` is the size
    of the chunks that it reads or is made of; ``None`` reads the sources.
    """

    name: str
    about: str
    make: Callable[[Lake, Days], Sequence[Spent]]
    records: str
    day_is: Callable[[date], str] = _day_is
    chunk_mb: int | None = None


def layouts(names: Sequence[str], chunk_mb: Sequence[int]) -> list[Layout]:
    """The layouts of these names; that of ``chunks`` once for each size of a chunk.

    All others that read chunks, or are made of them, have the first size.
    """
    styles = {each.name: each for each in STYLES}
    found: list[Layout] = []
    for name in names:
        if name == "raw":
            found.append(_raw())
        elif name in ("parquet", "iceberg"):
            found.append(_columns(name, chunk_mb[0]))
        elif name == "chunks" and len(chunk_mb) > 1:
            found += [_of_chunks(styles[name], size, f"chunks {size} MB") for size in chunk_mb]
        elif name in styles:
            found.append(_of_chunks(styles[name], chunk_mb[0]))
        else:
            known = ", ".join(PLACES + tuple(styles)[1:])
            raise UsageError(f"{name} is no layout: choose of {known}")
    return found


# ---- places ----


def _raw() -> Layout:
    def make(lake: Lake, days: Days) -> Sequence[Spent]:
        text = RAW_SQL.read_text()
        for placeholder, value in (
            ("SOURCE_BUCKET", SOURCES),
            ("ACCOUNTS", ",".join(days.accounts)),
            ("REGIONS", ",".join(days.regions)),
            ("FIRST_DAY", days.names()[0]),
            ("LAST_DAY", days.names()[-1]),
        ):
            text = text.replace(placeholder, value)
        create_table(_table(text), lake.server.metastore, SCHEMA)
        return []

    records = (
        f"(SELECT day, account, eventname, eventid FROM {HIVE}.{SCHEMA}.raw_sources "
        "CROSS JOIN UNNEST(records) AS t (eventname, eventid))"
    )
    return Layout("raw", "the sources; account, region and day are projected", make, records)


def _columns(name: str, size: int) -> Layout:
    """Parquet or Iceberg, made from the chunks by CREATE TABLE AS and INSERT INTO."""
    catalog, table = (HIVE if name == "parquet" else ICEBERG), f"as_{name}"
    place = f"s3://{TABLES}/{name}/"
    settings = (
        f"format = 'PARQUET', partitioned_by = ARRAY['day'], external_location = '{place}'"
        if name == "parquet"
        else f"format = 'PARQUET', partitioning = ARRAY['day'], location = '{place}'"
    )

    def make(lake: Lake, days: Days) -> Sequence[Spent]:
        source = _create(lake, days, f"chunks_for_{name}", size, _only_these_days)
        spent = []
        verb = f"CREATE TABLE {catalog}.{SCHEMA}.{table} WITH ({settings}) AS"
        for some in batched(days.names(), MOST_PARTITIONS, strict=False):
            some_days = f"day BETWEEN '{some[0]}' AND '{some[-1]}'"
            sql = f"{verb} SELECT * FROM {HIVE}.{SCHEMA}.{source} WHERE {some_days}"
            spent.append(lake.run(sql)[1])
            verb = f"INSERT INTO {catalog}.{SCHEMA}.{table}"
        return spent

    about = "made of the chunks by CREATE TABLE AS, zstd, " + (
        "registered partitions by day" if name == "parquet" else "partitioned by day"
    )
    records = f"(SELECT *, {_ACCOUNT} FROM {catalog}.{SCHEMA}.{table})"
    return Layout(name, about, make, records, chunk_mb=size)


# ---- kinds of partitions over the same chunks ----

type Change = Callable[[exp.Create, Days], None]


@dataclass(frozen=True, slots=True)
class Style:
    """A kind of partitions over the chunks: a change of the table in docs/athena.sql."""

    name: str
    about: str
    change: Change
    day_is: Callable[[date], str] = _day_is
    registers: bool = False


def _table(text: str) -> exp.Create:
    (table,) = (each for each in statements(text) if is_external_table(each))
    assert isinstance(table, exp.Create)
    return table


def _create(lake: Lake, days: Days, table: str, size: int, change: Change) -> str:
    """Create the table of docs/athena.sql under another name, with a change."""
    text = CHUNKS_SQL.read_text().replace("DESTINATION_BUCKET", CHUNKS)
    statement = _table(text.replace("DESTINATION_PREFIX/", f"{size}/"))
    change(statement, days)
    statement.this.this.set("this", exp.to_identifier(table))
    return create_table(statement, lake.server.metastore, SCHEMA)


def _of_chunks(style: Style, size: int, name: str | None = None) -> Layout:
    table = re.sub(r"\W", "_", name or style.name)

    def make(lake: Lake, days: Days) -> Sequence[Spent]:
        _create(lake, days, table, size, style.change)
        if style.registers:
            # as ALTER TABLE ADD PARTITION does
            for day in days.names():
                lake.run(
                    f"CALL {HIVE}.system.register_partition('{SCHEMA}', '{table}', ARRAY['day'], "
                    f"ARRAY['{day}'], 's3://{CHUNKS}/{size}/{day}/')"
                )
        return []

    records = f"(SELECT *, {_ACCOUNT} FROM {HIVE}.{SCHEMA}.{table})"
    return Layout(name or style.name, style.about, make, records, style.day_is, size)


def _properties(statement: exp.Create, changed: Mapping[str, str | None]) -> None:
    """Set properties of the table; ``None`` removes one."""
    clauses = statement.args["properties"].expressions
    kept = [each for each in clauses if type(each) is not exp.Property or each.name not in changed]
    added = [
        exp.Property(this=exp.Literal.string(name), value=exp.Literal.string(value))
        for name, value in changed.items()
        if value is not None
    ]
    statement.args["properties"].set("expressions", [*kept, *added])


def _only_these_days(statement: exp.Create, days: Days) -> None:
    """As if the last day were today."""
    _properties(statement, {"projection.day.range": f"{days.names()[0]},{days.names()[-1]}"})


def _enumerated(statement: exp.Create, days: Days) -> None:
    changed = {"projection.day.type": "enum", "projection.day.values": ",".join(days.names())}
    _properties(statement, {"projection.day.range": None, **changed})


def _injected(statement: exp.Create, _: Days) -> None:
    _properties(statement, {"projection.day.type": "injected", "projection.day.range": None})


def _registered(statement: exp.Create, _: Days) -> None:
    clauses = statement.args["properties"].find_all(exp.Property)
    names = [each.name for each in clauses if type(each) is exp.Property]
    projections = [each for each in names if each.startswith(("projection.", "storage."))]
    _properties(statement, dict.fromkeys(projections))


def _integers(statement: exp.Create, days: Days) -> None:
    """The table of the first versions: a column each for year, month and day."""
    columns = ("year", "month", "day")
    partitions = statement.find(exp.PartitionedByProperty)
    assert partitions is not None
    kind = exp.DataType.build("int")
    definitions = [exp.ColumnDef(this=exp.to_identifier(each), kind=kind) for each in columns]
    partitions.this.set("expressions", definitions)
    template = statement.find(exp.LocationProperty)
    assert template is not None
    changed: dict[str, str | None] = {
        "projection.day.format": None,
        "projection.day.interval": None,
        "projection.day.interval.unit": None,
        "storage.location.template": f"{template.this.name}${{year}}/${{month}}/${{day}}/",
    }
    for name, last, digits in (("year", 2040, 4), ("month", 12, 2), ("day", 31, 2)):
        first = 2013 if name == "year" else 1
        changed |= {
            f"projection.{name}.type": "integer",
            f"projection.{name}.range": f"{first},{last}",
            f"projection.{name}.digits": str(digits),
        }
    _properties(statement, changed)


def _integers_are(day: date) -> str:
    return f"year = {day.year} AND month = {day.month} AND day = {day.day}"


STYLES = (
    Style("chunks", "docs/athena.sql, its range from the first day to the last", _only_these_days),
    Style("from 2013", "docs/athena.sql as it stands: from 2013 to today", lambda *_: None),
    Style("integers", "year, month and day as integers from 2013", _integers, _integers_are),
    Style("enum", "a list of the days", _enumerated),
    Style("injected", "days that each query must name", _injected),
    Style("registered", "partitions that were added one by one", _registered, registers=True),
)
