"""The statements that make Parquet of a day's chunks, and those that check it.

Each is in Athena's SQL. The columns are those of docs/athena.sql.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import sqlglot
from sqlglot import exp

from harness.toolchain.paths import ROOT

#: The chunks as lines of text. A record has no control character, so it is one field.
_LINES = """\
CREATE EXTERNAL TABLE {lines} (record string)
ROW FORMAT SERDE 'org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe'
LOCATION '{chunks}'"""

#: The chunks as docs/athena.sql reads them, of one day.
_RECORDS = """\
CREATE EXTERNAL TABLE {records} (
  {definitions}
)
ROW FORMAT SERDE 'org.openx.data.jsonserde.JsonSerDe'
WITH SERDEPROPERTIES (
  'case.insensitive' = 'false',
  {mappings}
)
LOCATION '{chunks}'"""

_COLUMNS = """\
CREATE EXTERNAL TABLE {columns} (
  {definitions}
)
STORED AS PARQUET
LOCATION '{files}'
TBLPROPERTIES ('parquet.compression' = 'ZSTD')"""

_FILL = """\
INSERT INTO {columns}
SELECT {names}
FROM {records}"""

_COUNT = """\
SELECT "$path", count(*), sum(length(to_utf8(record)) + 1)
FROM {lines}
GROUP BY 1"""

#: The number of rows, and sums over each column and over whole rows that don't depend on the order.
_SUM = """\
SELECT count(*), to_hex(checksum(ROW({names}))),
  {sums}
FROM (
  SELECT
    {cells}
  FROM {source}
)"""

#: The members of each record as text. Here a JSON function reads the lines, and not the serde. It
#: reads them twice: the first time leaves the last one of two members with one name, as the serde.
_MEMBERS = """\
(
    SELECT
    {members}
    FROM (
      SELECT CAST(json_parse(json_format(json_parse(record))) AS MAP(varchar, json)) AS members
      FROM {lines}
    )
  )"""
_MEMBER = (
    "coalesce(json_extract_scalar(element_at(members, '{key}'), '$'), "
    "nullif(json_format(element_at(members, '{key}')), 'null')) AS {name}"
)
#: JSON as JSON: its members in one order, without spaces.
_CELL = (
    "CASE WHEN substr({name}, 1, 1) IN ('{{', '[') "
    "THEN coalesce(TRY(json_format(json_parse({name}))), {name}) ELSE {name} END AS {name}"
)

DROP = "DROP TABLE IF EXISTS {table}"

TABLES_LIKE = """\
SELECT table_name
FROM information_schema.tables
WHERE table_schema = '{database}' AND table_name LIKE '{pattern}' ESCAPE '!'"""


@dataclass(frozen=True, slots=True)
class Statements:
    """The statements of one day, over its own three tables. ``columns`` maps names to keys."""

    columns: Mapping[str, str]
    table: str
    chunks: str
    files: str

    @property
    def tables(self) -> Sequence[str]:
        return [f"{self.table}_{each}" for each in ("lines", "records", "columns")]

    def create(self) -> Sequence[str]:
        return [self._fill(each) for each in (_LINES, _RECORDS, _COLUMNS)]

    def count(self) -> str:
        """The records and bytes of each chunk."""
        return self._fill(_COUNT)

    def fill(self) -> str:
        return self._fill(_FILL)

    def sum_chunks(self) -> str:
        members = [_MEMBER.format(name=name, key=key) for name, key in self.columns.items()]
        return self._sum(_MEMBERS.format(lines=self.tables[0], members=",\n    ".join(members)))

    def sum_columns(self) -> str:
        return self._sum(self.tables[2])

    def drop(self) -> Sequence[str]:
        return [DROP.format(table=each) for each in self.tables]

    def _sum(self, source: str) -> str:
        return _SUM.format(
            names=", ".join(self.columns),
            sums=",\n  ".join(f"to_hex(checksum({each}))" for each in self.columns),
            cells=",\n    ".join(_CELL.format(name=each) for each in self.columns),
            source=source,
        )

    def _fill(self, template: str) -> str:
        lines, records, columns = self.tables
        return template.format(
            lines=lines,
            records=records,
            columns=columns,
            chunks=self.chunks,
            files=self.files,
            names=", ".join(self.columns),
            definitions=",\n  ".join(f"{each} string" for each in self.columns),
            mappings=",\n  ".join(f"'mapping.{n}' = '{key}'" for n, key in self.columns.items()),
        )


def columns_of_athena_sql() -> Mapping[str, str]:
    """column -> key of a record, from the table of docs/athena.sql."""
    text = (ROOT / "docs/athena.sql").read_text()
    table = next(
        each for each in sqlglot.parse(text, read="athena") if isinstance(each, exp.Create)
    )
    serde = table.find(exp.RowFormatSerdeProperty)
    assert serde is not None
    given = serde.args["serde_properties"].expressions
    keys = {each.name: each.args["value"].name for each in given}
    return {each.name: keys[f"mapping.{each.name}"] for each in table.this.expressions}
