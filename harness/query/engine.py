"""Asks Trino, and tells what each question cost: requests, bytes, times, CPU and memory."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import trino

from harness.analysis.cost import athena_cost, s3_price
from harness.model import HarnessError
from harness.query.questions import Answer
from harness.targets.local.s3server import S3Server
from harness.targets.local.trino_server import TrinoServer

SOURCES, CHUNKS, TABLES = "source-bucket", "chunks", "tables"
_OPERATION = re.compile(r" s3_([A-Z][a-z]+)(\w*) ")
_SETTLED_S = 0.1
#: Of a statement of the harness, and no limit of the engine.
_OWN_FAULTS = ("SYNTAX_ERROR", "TABLE_NOT_FOUND", "COLUMN_NOT_FOUND", "SCHEMA_NOT_FOUND")


class RefusedError(Exception):
    """Trino refused a statement; the message is its own."""


@dataclass(frozen=True, slots=True)
class Spent:
    """The cost of one statement. ``requests`` counts GET, LIST, HEAD, PUT and the like."""

    requests: Mapping[str, int]
    read_bytes: int
    planning_ms: float
    total_ms: float
    cpu_ms: float
    peak_bytes: int

    @property
    def dollars(self) -> float:
        """By Athena's and S3's list prices."""
        return athena_cost(self.read_bytes) + requests_cost(self.requests)


def requests_cost(requests: Mapping[str, int]) -> float:
    """US dollars for requests to S3. DELETE is free; LIST and COPY have the price of a PUT."""
    return sum(
        count * s3_price("get" if name in ("GET", "HEAD") else "put")
        for name, count in requests.items()
        if name != "DELETE"
    )


class Engine:
    """A running Trino over an S3 server that logs its requests."""

    def __init__(self, s3: S3Server, server: TrinoServer, endpoint: str) -> None:
        self._log: Path = s3.access_log
        self.server = server
        self.s3 = s3
        self.endpoint = endpoint  # a proxy with a latency, or the S3 server's own

    def run(self, sql: str, session: Mapping[str, str] | None = None) -> tuple[Answer, Spent]:
        """The rows and the cost of a statement. Raises :class:`RefusedError`.

        ``session`` sets properties of Trino for this statement.
        """
        self._forget()
        try:
            rows, stats = self.server.query(sql, session)
        except trino.exceptions.TrinoQueryError as error:
            if error.error_name in _OWN_FAULTS:
                raise HarnessError(f"Trino can't run {sql}: {error.message}") from error
            raise RefusedError(error.message) from error
        return rows, Spent(
            requests=self.requests(),
            read_bytes=stats["physicalInputBytes"],
            planning_ms=stats["planningTimeMillis"],
            total_ms=stats["elapsedTimeMillis"] - stats["queuedTimeMillis"],
            cpu_ms=stats["cpuTimeMillis"],
            peak_bytes=stats["peakMemoryBytes"],
        )

    def _forget(self) -> None:
        """Empty the log of requests; the server appends."""
        if self._log.exists():
            self._log.write_bytes(b"")

    def requests(self) -> Mapping[str, int]:
        """The requests to S3 since the last call, by kind."""
        size = -1
        while size != (size := self._log.stat().st_size if self._log.exists() else 0):
            time.sleep(_SETTLED_S)  # the server logs a request after its answer
        if not size:
            return {}
        text = self._log.read_text(errors="replace")
        self._forget()
        lines = (each for each in text.splitlines() if not each.startswith("log starts "))
        found = Counter(map(_kind, lines))
        return dict(sorted(found.items()))


def _kind(line: str) -> str:
    found = _OPERATION.search(line)
    if found is None:
        raise HarnessError(f"the S3 server's log has a line of another form: {line[:200]}")
    verb, rest = found.groups()
    names = {"Get": "GET", "Head": "HEAD", "List": "LIST", "Put": "PUT", "Delete": "DELETE"}
    if verb == "Get" and rest.startswith("Bucket"):
        return "LIST"
    return names.get(verb, "POST")
