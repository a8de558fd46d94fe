"""The layouts by name: places for the same records, and kinds of partitions over the chunks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from harness.model import UsageError
from harness.query.lake import SOURCES, Lake, Spent
from harness.query.layout import Days, Layout, day_column_is, table_of
from harness.query.partitions import STYLES, of_chunks
from harness.query.rewritten import columns_by_day, columns_by_region, json_by_region
from harness.targets.athena_sql import create_table
from harness.targets.local.trino_server import HIVE, SCHEMA

RAW_SQL = Path(__file__).with_name("raw.athena.sql")
#: Made of the chunks by SQL.
_REWRITTEN: Mapping[str, Callable[[str, int], Layout]] = {
    "parquet": columns_by_day,
    "iceberg": columns_by_day,
    "json by region": json_by_region,
    "parquet by region": columns_by_region,
    "iceberg by region": columns_by_region,
}


def layouts(names: Sequence[str], chunk_mb: Sequence[int]) -> list[Layout]:
    """The layouts of these names; that of ``chunks`` once for each size of a chunk.

    All others that read chunks, or are made of them, have the first size.
    """
    styles = {each.name: each for each in STYLES}
    found: list[Layout] = []
    for name in names:
        if name == "raw":
            found.append(_raw())
        elif name in _REWRITTEN:
            found.append(_REWRITTEN[name](name, chunk_mb[0]))
        elif name == "chunks" and len(chunk_mb) > 1:
            found += [of_chunks(styles[name], size, f"chunks {size} MB") for size in chunk_mb]
        elif name in styles:
            found.append(of_chunks(styles[name], chunk_mb[0]))
        else:
            known = ", ".join(["raw", *styles, *_REWRITTEN])
            raise UsageError(f"{name} is no layout: choose of {known}")
    return found


def _raw() -> Layout:
    def make(lake: Lake, days: Days) -> Sequence[Spent]:
        text = RAW_SQL.read_text()
        for placeholder, value in (
            ("SOURCE_BUCKET", SOURCES),
            ("ACCOUNTS", ",".join(days.accounts)),
            ("REGIONS", ",".join(days.regions)),
            ("DAYS", ",".join(days.names())),
        ):
            text = text.replace(placeholder, value)
        create_table(table_of(text), lake.server.metastore, SCHEMA)
        return []

    def account_is(account: str, days: Days) -> str:
        places = ", ".join(f"'{each}'" for each in days.places_of(account))
        return f"account IN ({places or 'NULL'})"

    records = (
        f"(SELECT day, account, eventname, eventid FROM {HIVE}.{SCHEMA}.raw_sources "
        "CROSS JOIN UNNEST(records) AS t (eventname, eventid))"
    )
    about = "the sources; account, region and day are projected"
    return Layout("raw", about, make, records, f"{SOURCES}/AWSLogs/", day_column_is, account_is)
