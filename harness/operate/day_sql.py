"""sql/aggregate.athena.sql: the aggregation of a day as SQL, with its placeholders filled in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from harness.model import HarnessError
from harness.targets.athena_sql import fill_in, statements, texts
from harness.targets.aws.athena import Athena, Result
from harness.terminal import Progress
from harness.toolchain.paths import ROOT

DAY = "YYYY/MM/DD"
FILE = ROOT / "sql/aggregate.athena.sql"


@dataclass(frozen=True, slots=True)
class Places:
    """The values of the placeholders, but for the day. Each prefix is empty or ends in ``/``.

    An account below an organisation is ``{o-id}/{account}``.
    """

    source_bucket: str
    source_prefix: str
    destination_bucket: str
    destination_prefix: str
    accounts: Sequence[str]
    regions: Sequence[str]


def filled_in(places: Places, day: date) -> str:
    """The file for one day: the sources' table, the aggregation, and two statements that drop."""
    return fill_in(
        FILE.read_text(),
        {
            "SOURCE_BUCKET": places.source_bucket,
            "SOURCE_PREFIX/": places.source_prefix,
            "DESTINATION_BUCKET": places.destination_bucket,
            "DESTINATION_PREFIX/": places.destination_prefix,
            "ACCOUNTS": ",".join(places.accounts),
            "REGIONS": ",".join(places.regions),
            DAY: f"{day:%Y/%m/%d}",
        },
    )


def select_for(dialect: str) -> str:
    """The SELECT of the aggregation in a dialect of sqlglot. Its placeholder is ``DAY``."""
    aggregation = statements(FILE.read_text())[1].expression
    return str(aggregation.sql(dialect=dialect, comments=False))


def aggregate(
    athena: Athena, database: str, places: Places, day: date, progress: Progress
) -> Result:
    """Run the file's statements, and return the result of the aggregation.

    The tables are dropped, too, after a failure or an interruption.
    """
    create, aggregation, *drops = texts(filled_in(places, day))
    progress(f"{day}: creating the table of the sources")
    athena.run(create, database)
    try:
        progress(f"{day}: aggregating")
        return athena.run(aggregation, database)
    finally:
        for each in drops:
            try:
                athena.run(each, database)
            except HarnessError as error:  # an earlier failure is the one to report
                progress(f"a table is left: {error}")
