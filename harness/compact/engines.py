"""The engines that run the statements: Athena on AWS, and Trino here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import trino

from harness.model import HarnessError
from harness.targets.athena_sql import create_table, statements
from harness.targets.aws.athena import Athena
from harness.targets.local.trino_server import SCHEMA, TrinoServer

type Rows = Sequence[Sequence[str | None]]


class Engine(Protocol):
    """``run`` raises ``HarnessError`` with the engine's reason if a statement fails."""

    @property
    def database(self) -> str: ...

    def run(self, sql: str) -> Rows: ...


class OnAthena:
    def __init__(self, athena: Athena, database: str) -> None:
        self._athena = athena
        self.database = database

    def run(self, sql: str) -> Rows:
        return self._athena.run(sql, self.database).rows


class OnTrino:
    """A ``CREATE EXTERNAL TABLE`` goes to Trino's metastore, all others to Trino as they are."""

    def __init__(self, server: TrinoServer) -> None:
        self._server = server
        self.database = SCHEMA
        self.run(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}")

    def run(self, sql: str) -> Rows:
        if sql.startswith("CREATE EXTERNAL TABLE"):
            (statement,) = statements(sql)
            create_table(statement, self._server.metastore, SCHEMA)
            return []
        try:
            rows, _ = self._server.query(sql)
        except trino.exceptions.TrinoQueryError as error:
            raise HarnessError(f"Trino refuses {sql.split()[0]}: {error.message}") from error
        return [[None if each is None else str(each) for each in row] for row in rows]
