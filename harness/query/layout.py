"""One layout: how its table is made, and how a question names a day and an account in it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from sqlglot import exp

from harness.query.engine import CHUNKS, Engine, Spent
from harness.targets.athena_sql import create_table, is_external_table, statements
from harness.targets.local.trino_server import SCHEMA
from harness.toolchain.paths import ROOT

CHUNKS_SQL = ROOT / "docs/athena.sql"
#: One statement writes so many partitions at most, in Athena as in Trino.
MOST_PARTITIONS = 100


def named(day: date) -> str:
    return f"{day:%Y/%m/%d}"


@dataclass(frozen=True, slots=True)
class Days:
    """The days of a dataset.

    ``accounts`` and ``regions`` are those of the keys; the account of an organisation's trail has
    the organisation before it, as in ``o-1/123456789012``. ``records`` has the regions of each
    account by day, as the records name them.
    """

    days: Sequence[date]
    accounts: Sequence[str]
    regions: Sequence[str]
    records: Mapping[date, Mapping[str, Sequence[str]]]

    def names(self) -> list[str]:
        return [named(day) for day in self.days]

    def plain_accounts(self) -> list[str]:
        """The accounts without their organisations."""
        return sorted({each.rpartition("/")[2] for each in self.accounts})

    def places_of(self, account: str) -> list[str]:
        """An account as the keys name it."""
        return [each for each in self.accounts if each.rpartition("/")[2] == account]


def day_column_is(day: date) -> str:
    return f"day = '{named(day)}'"


def account_column_is(account: str, _: Days) -> str:
    return f"account = '{account}'"


@dataclass(frozen=True, slots=True)
class Layout:
    """``make`` makes the table, and returns the costs of its statements.

    ``records`` is the table or subquery with the columns of the questions. ``files`` is the bucket
    and the folder that it reads. ``chunk_mb`` is the size of the chunks that it reads or is made
    of; ``None`` reads the sources. ``by_account`` means chunks of one account each.
    """

    name: str
    about: str
    make: Callable[[Engine, Days], Sequence[Spent]]
    records: str
    files: str
    day_is: Callable[[date], str] = day_column_is
    account_is: Callable[[str, Days], str] = account_column_is
    chunk_mb: int | None = None
    by_account: bool = False


type Change = Callable[[exp.Create, Days], None]


def table_name(layout: str) -> str:
    """In small letters: the engine looks for no others."""
    return re.sub(r"\W", "_", layout).lower()


def table_of(text: str) -> exp.Create:
    """The first statement that creates a table."""
    table = next(each for each in statements(text) if is_external_table(each))
    assert isinstance(table, exp.Create)
    return table


def create_chunk_table(
    engine: Engine, days: Days, name: str, change: Change, place: str
) -> exp.Create:
    """Create the table of docs/athena.sql under another name and place, with a change."""
    bucket, _, prefix = place.partition("/")
    text = CHUNKS_SQL.read_text().replace("DESTINATION_BUCKET", bucket)
    statement = table_of(text.replace("DESTINATION_PREFIX/", prefix))
    change(statement, days)
    statement.this.this.set("this", exp.to_identifier(name))
    create_table(statement, engine.server.metastore, SCHEMA)
    return statement


def chunk_folder(size: int, *, by_account: bool = False) -> str:
    return f"{CHUNKS}/{size}{'-by-account' if by_account else ''}/"


# ---- changes of a statement ----


def set_properties(statement: exp.Create, changed: Mapping[str, str | None]) -> None:
    """Set properties of the table; ``None`` removes one."""
    clauses = statement.args["properties"].expressions
    kept = [each for each in clauses if type(each) is not exp.Property or each.name not in changed]
    added = [
        exp.Property(this=exp.Literal.string(name), value=exp.Literal.string(value))
        for name, value in changed.items()
        if value is not None
    ]
    statement.args["properties"].set("expressions", [*kept, *added])


def set_partitions(statement: exp.Create, names: Sequence[str], kind: str = "string") -> None:
    partitions = statement.find(exp.PartitionedByProperty)
    assert partitions is not None
    built = exp.DataType.build(kind)
    definitions = [exp.ColumnDef(this=exp.to_identifier(each), kind=built) for each in names]
    partitions.this.set("expressions", definitions)


def without_projection(statement: exp.Create, _: Days) -> None:
    clauses = statement.args["properties"].find_all(exp.Property)
    names = [each.name for each in clauses if type(each) is exp.Property]
    projections = [each for each in names if each.startswith(("projection.", "storage."))]
    set_properties(statement, dict.fromkeys(projections))


def only_these_days(statement: exp.Create, days: Days) -> None:
    """As if the last day were today."""
    first, last = days.names()[0], days.names()[-1]
    changed: dict[str, str | None] = {"projection.day.range": f"{first},{last}"}
    if first == last:  # Trino refuses a range of one day
        changed = {"projection.day.type": "enum", "projection.day.values": first}
        changed["projection.day.range"] = None
    set_properties(statement, changed)


def location_of(statement: exp.Create) -> str:
    location = statement.find(exp.LocationProperty)
    assert location is not None
    return str(location.this.name)
