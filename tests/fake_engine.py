"""An engine that knows the statements of ``compact`` alone, over the files of the local S3 server.

Its "Parquet" files are lines of JSON. It writes them one after the other, so that a run can die
between two of them. Its catalog outlives a run, as AWS's does.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from harness.compact.engines import Rows
from harness.targets.local.s3server import S3Server

_ADDRESS = re.compile(r"LOCATION 's3://([^/]+)/([^']+)'")


@dataclass
class FakeEngine:
    """``before`` is called with a few words before each step.

    ``change`` spoils a cell that is written; ``loses`` is the number of rows that are not.
    """

    s3: S3Server
    columns: Mapping[str, str]
    before: Callable[[str], None] = lambda _: None
    change: Callable[[str, Any], Any] = lambda _, value: value
    loses: int = 0
    tables: dict[str, str] = field(default_factory=dict)
    database: str = "lake"

    def run(self, sql: str) -> Rows:
        verb = sql.split("(")[0].strip()
        self.before(f"engine: {verb}")
        if created := re.match(r"CREATE EXTERNAL TABLE (\w+) ", sql):
            assert created[1] not in self.tables
            self.tables[created[1]] = sql
        elif dropped := re.match(r"DROP TABLE IF EXISTS (\w+)$", sql):
            self.tables.pop(dropped[1], None)
        elif filled := re.match(r"INSERT INTO (\w+)\n", sql):
            self._fill(filled[1], re.findall(r"FROM (\w+)", sql)[0])
        elif "information_schema" in sql:
            return [[name] for name in self.tables]
        elif '"$path"' in sql:
            return self._count(re.findall(r"FROM (\w+)", sql)[0])
        else:
            return [self._sums(re.findall(r"FROM (\w+)", sql)[-1])]
        return []

    def _place(self, table: str) -> tuple[str, str]:
        found = _ADDRESS.search(self.tables[table])
        assert found is not None
        return found[1], found[2]

    def _objects(self, table: str) -> Mapping[str, bytes]:
        bucket, prefix = self._place(table)
        found = self.s3.read_tree(bucket, prefix)
        return {k: v for k, v in found.items() if not k.removeprefix(prefix).startswith("_")}

    def _records(self, table: str) -> Sequence[Mapping[str, Any]]:
        return [
            json.loads(line)
            for body in self._objects(table).values()
            for line in gzip.decompress(body).splitlines()
        ]

    def _count(self, table: str) -> Rows:
        bucket, _ = self._place(table)
        texts = {key: gzip.decompress(body) for key, body in self._objects(table).items()}
        return [
            [f"s3://{bucket}/{key}", str(text.count(b"\n")), str(len(text))]
            for key, text in texts.items()
        ]

    def _fill(self, table: str, source: str) -> None:
        bucket, folder = self._place(table)
        assert not self.s3.read_tree(bucket, folder), "a folder of another run"
        rows = [
            [self.change(name, record.get(key)) for name, key in self.columns.items()]
            for record in self._records(source)[self.loses :]
        ]
        half = len(rows) // 2
        for number, some in enumerate((rows[:half], rows[half:])):
            self.before(f"engine: file {number}")
            lines = "".join(f"{json.dumps(row)}\n" for row in some)
            self.s3.put_file(bucket, f"{folder}{number}", lines.encode())

    def _sums(self, table: str) -> Sequence[str]:
        if table.endswith("_columns"):
            texts = self._objects(table).values()
            rows = [json.loads(line) for text in texts for line in text.splitlines()]
        else:
            records = self._records(table)
            rows = [[each.get(key) for key in self.columns.values()] for each in records]
        columns = [[row[number] for row in rows] for number in range(len(self.columns))]
        return [str(len(rows)), _sum(rows), *map(_sum, columns)]


def _sum(values: Sequence[Any]) -> str:
    texts = sorted(json.dumps(each, sort_keys=True) for each in values)
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()
