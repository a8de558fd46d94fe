"""The layouts by name: places for the same records, and kinds of partitions over the chunks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from sqlglot import exp

from harness.model import UsageError
from harness.query.engine import SOURCES, Engine, Spent
from harness.query.layout import Days, Layout, day_column_is, table_name, table_of
from harness.query.partitions import STYLES, of_chunks
from harness.query.rewritten import columns_by_day, columns_by_region, json_by_region
from harness.targets.athena_sql import create_table, ignore_malformed
from harness.targets.local.trino_server import HIVE, SCHEMA

RAW_SQL = Path(__file__).with_name("raw.athena.sql")
_IGNORING = "ignoring"
_OF_SOURCES: Mapping[str, str] = {
    "raw": "the sources; account, region and day are projected",
    _IGNORING: "the sources, with ignore.malformed.json: what can't be read is left out",
}
#: Made of the chunks by SQL.
_REWRITTEN: Mapping[str, Callable[[str, int], Layout]] = {
    "parquet": columns_by_day,
    "iceberg": columns_by_day,
    "json by region": json_by_region,
    "parquet by region": columns_by_region,
    "iceberg by region": columns_by_region,
}


def layouts(names: Sequence[str], chunk_mb: Sequence[int]) -> list[Layout]:
    """The layouts of these names, each once; that of ``chunks`` once for each size of a chunk.

    All others that read chunks, or are made of them, have the first size.
    """
    styles = {each.name: each for each in STYLES}
    sizes = list(dict.fromkeys(chunk_mb))
    found: list[Layout] = []
    for name in dict.fromkeys(names):
        if name in _OF_SOURCES:
            found.append(_of_sources(name))
        elif name in _REWRITTEN:
            found.append(_REWRITTEN[name](name, sizes[0]))
        elif name == "chunks" and len(sizes) > 1:
            found += [of_chunks(styles[name], size, f"chunks {size} MB") for size in sizes]
        elif name in styles:
            found.append(of_chunks(styles[name], sizes[0]))
        else:
            known = ", ".join([*_OF_SOURCES, *styles, *_REWRITTEN])
            raise UsageError(f"{name} is no layout: choose of {known}")
    return found


def _of_sources(name: str) -> Layout:
    table = f"{table_name(name)}_sources"

    def make(engine: Engine, days: Days) -> Sequence[Spent]:
        text = RAW_SQL.read_text()
        for placeholder, value in (
            ("SOURCE_BUCKET", SOURCES),
            ("ACCOUNTS", ",".join(days.accounts)),
            ("REGIONS", ",".join(days.regions)),
            ("DAYS", ",".join(days.names())),
        ):
            text = text.replace(placeholder, value)
        statement = table_of(text)
        statement.this.this.set("this", exp.to_identifier(table))
        if name == _IGNORING:
            ignore_malformed(statement)
        create_table(statement, engine.server.metastore, SCHEMA)
        return []

    def account_is(account: str, days: Days) -> str:
        places = ", ".join(f"'{each}'" for each in days.places_of(account))
        return f"account IN ({places or 'NULL'})"

    records = (
        f"(SELECT day, account, eventname, eventid FROM {HIVE}.{SCHEMA}.{table} "
        "CROSS JOIN UNNEST(records) AS t (eventname, eventid))"
    )
    files = f"{SOURCES}/AWSLogs/"
    return Layout(name, _OF_SOURCES[name], make, records, files, day_column_is, account_is)
