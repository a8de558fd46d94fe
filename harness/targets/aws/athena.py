"""Statements of SQL on Athena: each is started, awaited, and cancelled if its caller ends first."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from harness.model import HarnessError, UsageError
from harness.targets.aws.session import Clients, code_of, explained
from harness.terminal import Progress, to_stderr

WORKGROUP = "primary"
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.2, 2.0
#: The beginning or a part of Athena's own words, and what to do about it.
_REMEDIES: Mapping[str, str] = {
    "HIVE_PATH_ALREADY_EXISTS": "the place of the output holds objects: remove them first",
    "TABLE_ALREADY_EXISTS": "an earlier run left the table: drop it first",
    "AlreadyExistsException": "an earlier run left the table: drop it first",
    "HIVE_TOO_MANY_OPEN_PARTITIONS": "a statement writes 100 partitions at most: name fewer days",
    "HIVE_BAD_DATA": "an object is not one JSON object on one line",
    "HIVE_CURSOR_ERROR": "an object can't be read: Athena's words name it",
    "Access Denied": "give yourself the rights on the bucket, and on its KMS key if it has one",
    "Insufficient permissions": "give yourself the rights on the Glue database and its tables",
    "reduce your request rate": "S3 throttled the query: run it again later",
    "SlowDown": "S3 throttled the query: run it again later",
}


@dataclass(frozen=True, slots=True)
class Result:
    """The end of a statement.

    Athena gives each value as text; ``None`` is NULL. ``written`` is the number of records that
    a ``CREATE TABLE AS`` or ``INSERT INTO`` wrote, else ``None``.
    """

    query_id: str
    columns: Sequence[str]
    rows: Sequence[tuple[str | None, ...]]
    scanned_bytes: int
    seconds: float
    written: int | None = None


class Athena:
    """Runs statements in one workgroup.

    ``output`` is the place of the results, as ``s3://bucket/prefix/``. Without it the workgroup
    must name one. Tests pass another ``sleep``.
    """

    def __init__(
        self,
        clients: Clients,
        workgroup: str = WORKGROUP,
        output: str | None = None,
        progress: Progress = to_stderr,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._client = clients.athena
        self._workgroup = workgroup
        self._output = output
        self._progress = progress
        self._sleep = sleep

    def run(self, sql: str, database: str) -> Result:
        """Run one statement to its end, and read all of its rows.

        Raises ``HarnessError`` with Athena's reason if it fails. An exception in between, such as
        that of Ctrl-C, cancels the statement.
        """
        query_id = self._start(sql, database)
        try:
            execution = self._wait(query_id)
        except BaseException:
            self._cancel(query_id)
            raise
        status = execution["Status"]
        if status["State"] != "SUCCEEDED":
            raise HarnessError(_explain(sql, query_id, status))
        columns, rows, written = self._read(query_id)
        statistics = execution.get("Statistics", {})
        return Result(
            query_id,
            columns,
            rows,
            int(statistics.get("DataScannedInBytes", 0)),
            statistics.get("TotalExecutionTimeInMillis", 0) / 1000,
            written,
        )

    def _start(self, sql: str, database: str) -> str:
        place = {} if self._output is None else {"OutputLocation": self._output}
        with explained("athena:StartQueryExecution", f"workgroup {self._workgroup}"):
            try:
                # boto3 adds a token, so that a repeated request starts no second query
                answer = self._client.start_query_execution(
                    QueryString=sql,
                    QueryExecutionContext={"Database": database},
                    ResultConfiguration=place,
                    WorkGroup=self._workgroup,
                )
            except ClientError as error:
                raise self._refused(error) from error
        return str(answer["QueryExecutionId"])

    def _refused(self, error: ClientError) -> Exception:
        """Athena has one code for several faults of the request; its words tell them apart."""
        said = error.response.get("Error", {}).get("Message", "")
        if code_of(error) != "InvalidRequestException":
            return error
        if "output location" in said.lower():
            return UsageError(
                f"workgroup {self._workgroup} has no place for results: give --output "
                f"s3://BUCKET/PREFIX/, or set one in the workgroup ({said})"
            )
        if "workgroup" in said.lower():
            return UsageError(f"workgroup {self._workgroup} can't be used: {said}")
        return HarnessError(f"Athena refuses the statement: {said}")

    def _wait(self, query_id: str) -> Mapping[str, Any]:
        pause, told = _FIRST_PAUSE_S, ""
        while True:
            with explained("athena:GetQueryExecution", f"query {query_id}"):
                found = self._client.get_query_execution(QueryExecutionId=query_id)
            execution: Mapping[str, Any] = found["QueryExecution"]
            state = execution["Status"]["State"]
            if state in ("SUCCEEDED", "FAILED", "CANCELLED"):
                return execution
            if state != told:
                told = state
                self._progress(f"query {query_id}: {state.lower()}")
            self._sleep(pause)
            pause = min(pause * 1.5, _LONGEST_PAUSE_S)

    def _cancel(self, query_id: str) -> None:
        """Ask Athena to stop the query. A failure is only told: another exception is under way."""
        self._progress(f"cancelling query {query_id}")
        try:
            with explained("athena:StopQueryExecution", f"query {query_id}"):
                self._client.stop_query_execution(QueryExecutionId=query_id)
        except HarnessError as error:
            with suppress(OSError):
                to_stderr(f"query {query_id} may still run: {error}")

    def _read(
        self, query_id: str
    ) -> tuple[Sequence[str], Sequence[tuple[str | None, ...]], int | None]:
        columns: list[str] = []
        rows: list[tuple[str | None, ...]] = []
        written = None
        with explained("athena:GetQueryResults", f"query {query_id}"):
            pages = self._client.get_paginator("get_query_results")
            for page in pages.paginate(QueryExecutionId=query_id):
                found = page["ResultSet"]
                written = page.get("UpdateCount", written)
                columns = columns or _columns(found)
                rows += _rows(found)
        if rows and list(rows[0]) == columns:  # a SELECT's first row has the names
            del rows[0]
        return columns, rows, written


def _columns(found: Mapping[str, Any]) -> list[str]:
    return [each["Name"] for each in found.get("ResultSetMetadata", {}).get("ColumnInfo", ())]


def _rows(found: Mapping[str, Any]) -> Iterator[tuple[str | None, ...]]:
    for row in found.get("Rows", ()):
        yield tuple(value.get("VarCharValue") for value in row.get("Data", ()))


def _explain(sql: str, query_id: str, status: Mapping[str, Any]) -> str:
    error = status.get("AthenaError", {})
    said = error.get("ErrorMessage") or status.get("StateChangeReason") or "no reason is given"
    begin = " ".join(sql.split())[:60]
    if status["State"] == "CANCELLED":
        return f"Athena's query {query_id} was cancelled ({begin}): {said}"
    remedy = next((words for part, words in _REMEDIES.items() if part in said), None)
    if remedy is None and error.get("Retryable"):
        remedy = "Athena calls this fault a passing one: run the statement again"
    return f"Athena's query {query_id} failed ({begin}): {said}" + (
        "" if remedy is None else f"\n{remedy}"
    )
