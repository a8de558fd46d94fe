"""Layouts that SQL makes of the published chunks: gzipped JSON, Parquet and Iceberg."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import batched

from sqlglot import exp

from harness.query.engine import TABLES, Engine, Spent
from harness.query.layout import (
    MOST_PARTITIONS,
    Days,
    Layout,
    chunk_folder,
    create_chunk_table,
    named,
    only_these_days,
    set_partitions,
    table_name,
    without_projection,
)
from harness.query.partitions import repair
from harness.query.questions import NONE
from harness.targets.local.trino_server import HIVE, ICEBERG, SCHEMA

_BY_REGION = ("account", "region", "day")
_LAZY_SIMPLE = "org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe"
#: Athena's write_compression.
_GZIP = {"hive.compression_codec": "GZIP"}


def columns_by_day(name: str, size: int) -> Layout:
    """Parquet or Iceberg, partitioned by day."""

    def make(engine: Engine, days: Days) -> Sequence[Spent]:
        source, _ = _chunks_for(name, size, engine, days)
        selects = (
            f"SELECT * FROM {source} WHERE day BETWEEN '{some[0]}' AND '{some[-1]}'"
            for some in batched(days.names(), MOST_PARTITIONS, strict=False)
        )
        return _write(engine, name, ("day",), selects)

    records = f"(SELECT *, recipientaccountid AS account FROM {_table(name)})"
    about = "made of the chunks by CREATE TABLE AS, zstd, by day"
    return Layout(name, about, make, records, _folder(name), chunk_mb=size)


def columns_by_region(name: str, size: int) -> Layout:
    """Parquet or Iceberg, partitioned by account, region and day."""

    def make(engine: Engine, days: Days) -> Sequence[Spent]:
        source, columns = _chunks_for(name, size, engine, days)
        selects = _selects(source, columns, "recipientaccountid", "awsregion", days)
        return _write(engine, name, _BY_REGION, selects)

    about = "made of the chunks by CREATE TABLE AS, zstd, by account, region and day"
    return Layout(name, about, make, _table(name), _folder(name), chunk_mb=size)


def json_by_region(name: str, size: int) -> Layout:
    """The lines of the chunks, in a gzipped file or more for each account, region and day."""

    def make(engine: Engine, days: Days) -> Sequence[Spent]:
        source, _ = _chunks_for(name, size, engine, days, as_lines=True)
        account, region = (
            f"json_extract_scalar(line, '$.{each}')" for each in ("recipientAccountId", "awsRegion")
        )
        selects = _selects(source, ["line"], account, region, days)
        written = _write(engine, f"{name} lines", _BY_REGION, selects, _folder(name), text=True)

        def change(statement: exp.Create, days: Days) -> None:
            without_projection(statement, days)
            set_partitions(statement, _BY_REGION)

        create_chunk_table(engine, days, table_name(name), change, _folder(name))
        return [*written, *repair(engine, table_name(name))]

    about = "the lines of the chunks by CREATE TABLE AS, gzip, by account, region and day"
    return Layout(name, about, make, _table(name), _folder(name), chunk_mb=size)


def _folder(name: str) -> str:
    return f"{TABLES}/{table_name(name)}/"


def _table(name: str) -> str:
    catalog = ICEBERG if name.startswith("iceberg") else HIVE
    return f"{catalog}.{SCHEMA}.{table_name(name)}"


def _chunks_for(
    name: str, size: int, engine: Engine, days: Days, *, as_lines: bool = False
) -> tuple[str, list[str]]:
    """The table that a layout is made of, and its columns but for the day."""

    def change(statement: exp.Create, days: Days) -> None:
        only_these_days(statement, days)
        if as_lines:
            _read_lines(statement)

    table = f"chunks_for_{table_name(name)}"
    statement = create_chunk_table(engine, days, table, change, chunk_folder(size))
    return f"{HIVE}.{SCHEMA}.{table}", [each.name for each in statement.this.expressions]


def _read_lines(statement: exp.Create) -> None:
    """One column with the whole line, in place of the keys of the records."""
    line = exp.ColumnDef(this=exp.to_identifier("line"), kind=exp.DataType.build("string"))
    statement.this.set("expressions", [line])
    serde = statement.find(exp.RowFormatSerdeProperty)
    assert serde is not None
    serde.set("this", exp.Literal.string(_LAZY_SIMPLE))
    serde.set("serde_properties", None)


def _selects(
    source: str, columns: Sequence[str], account: str, region: str, days: Days
) -> Iterator[str]:
    named_columns = (
        f"coalesce({account}, '{NONE}') AS account, coalesce({region}, '{NONE}') AS region"
    )
    for condition in conditions(days):
        yield (
            f"SELECT {', '.join(columns)}, account, region, day "
            f"FROM (SELECT *, {named_columns} FROM {source}) WHERE {condition}"
        )


def conditions(days: Days) -> Iterator[str]:
    """Parts of the records, each of which has MOST_PARTITIONS at most."""
    part: dict[str, list[str]] = {}
    size = 0
    for day, accounts in days.records.items():
        for account, regions in accounts.items():
            if part and size + len(regions) > MOST_PARTITIONS:
                yield _condition(part)
                part, size = {}, 0
            part.setdefault(named(day), []).append(account)
            size += len(regions)
    if part:
        yield _condition(part)


def _condition(part: Mapping[str, Sequence[str]]) -> str:
    return " OR ".join(
        f"(day = '{day}' AND account IN ({', '.join(f"'{each}'" for each in accounts)}))"
        for day, accounts in part.items()
    )


def _write(
    engine: Engine,
    name: str,
    partitions: Sequence[str],
    selects: Iterable[str],
    folder: str | None = None,
    *,
    text: bool = False,
) -> list[Spent]:
    """The first statement creates the table of its rows, the others add theirs."""
    is_iceberg = name.startswith("iceberg")
    settings = {
        "format": "'TEXTFILE'" if text else "'PARQUET'",
        "location" if is_iceberg else "external_location": f"'s3://{folder or _folder(name)}'",
        "partitioning" if is_iceberg else "partitioned_by": f"ARRAY{list(partitions)}",
    }
    given = ", ".join(f"{key} = {value}" for key, value in settings.items())
    verb = f"CREATE TABLE {_table(name)} WITH ({given}) AS"
    spent = []
    for select in selects:
        spent.append(engine.run(f"{verb} {select}", _GZIP if text else {})[1])
        verb = f"INSERT INTO {_table(name)}"
    return spent
