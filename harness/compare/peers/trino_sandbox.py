"""Trino as a sandbox: sql/aggregate.athena.sql, translated, makes one NDJSON.gz object or more.

The server has the limits of a function's sandbox. Its start is no part of any time, because Athena
always runs. So an invocation has no init, and only warm ones are compared.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import psutil
import trino
from sqlglot import exp

from harness.model import (
    Artefact,
    Enforcement,
    Failure,
    FailureKind,
    HarnessError,
    Invocation,
    PeakSince,
    UsageError,
)
from harness.operate.day_sql import Places, filled_in
from harness.operate.trails import TrailFinder
from harness.targets.athena_sql import create_table, for_trino, ignore_malformed, statements
from harness.targets.interface import Limits
from harness.targets.local import processes
from harness.targets.local.limits import limited, unlimited
from harness.targets.local.s3_access import open_s3
from harness.targets.local.server import Started
from harness.targets.local.trino_server import SCHEMA, NoAnswerError, TrinoServer

_UNREADABLE = "Failed to read file"
_ONE_LINE = "the serde reads a source as one line; --one-line generates such a day"


@dataclass(frozen=True, slots=True)
class S3Variables:
    """The S3 server that a function's variables name."""

    env: Mapping[str, str]

    @property
    def endpoint(self) -> str:
        return self.env["AWS_ENDPOINT_URL_S3"]

    @property
    def access_key(self) -> str:
        return self.env["AWS_ACCESS_KEY_ID"]

    @property
    def secret_key(self) -> str:
        return self.env["AWS_SECRET_ACCESS_KEY"]

    @property
    def ca_bundle(self) -> Path | None:
        bundle = self.env.get("AWS_CA_BUNDLE")
        return None if bundle is None else Path(bundle)

    def places(self) -> Places:
        """The buckets and prefixes. The accounts and regions are those of the stored sources."""
        bucket, prefix = self.env["SRC_BUCKET"], self.env["SRC_PREFIX"]
        with contextlib.closing(open_s3(self)) as client:
            trails = TrailFinder(client, bucket, prefix)
            accounts = trails.accounts()
            regions = trails.regions(accounts)
        return Places(
            bucket,
            prefix,
            self.env["DST_BUCKET"],
            self.env["DST_PREFIX"],
            accounts,
            regions,
        )


class TrinoDay:
    """The statements of the file on a running server.

    With ``ignore_malformed`` the serde passes over what it can't read.
    """

    def __init__(
        self, server: TrinoServer, places: Places, *, ignore_malformed: bool = False
    ) -> None:
        self._server = server
        self._places = places
        self._ignore_malformed = ignore_malformed

    def create(self) -> None:
        """Create the table of the sources."""
        self._server.query(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}")
        table = self._statements(date.min)[0]
        if self._ignore_malformed:
            ignore_malformed(table)
        create_table(table, self._server.metastore, SCHEMA)

    def aggregate(self, day: date, timeout_s: int) -> int:
        """Aggregate the day, and return the number of records. Raises as ``TrinoServer.query``."""
        sql, session = for_trino(self._statements(day)[1])
        limit = {"query_max_run_time": f"{timeout_s}s"}
        ((records,),) = self._server.query(sql, {**session, **limit})[0]
        return int(records)

    def drop(self, *, sources: bool = False) -> None:
        """Drop the table of the day, or that of the sources. The objects stay."""
        statement = self._statements(date.min)[3 if sources else 2]
        self._server.query(statement.sql(dialect="trino"))

    def _statements(self, day: date) -> list[exp.Expr]:
        return statements(filled_in(self._places, day))


class TrinoSandbox(Started):
    """A server for one row. It takes the arguments of ``LocalSandbox``."""

    def __init__(
        self,
        artefact: Artefact,
        env: Mapping[str, str],
        memory_mb: int | None = None,
        *,
        limits: Limits | None = None,
        cores: frozenset[int] | None = None,
        reset_peak: bool = False,
        snap_start: bool | None = None,
    ) -> None:
        if snap_start is not None:
            raise UsageError("Trino has no SnapStart")
        self._env = env
        self._memory_mb = memory_mb or artefact.implementation.memory_mb
        self._timeout_s = artefact.implementation.timeout_s
        self._asked = limits
        self._cores = cores
        self._reset_peak = reset_peak
        self._limits = unlimited(self._memory_mb)
        self._held = contextlib.ExitStack()
        self._server: TrinoServer | None = None
        self._day: TrinoDay | None = None
        self._invoked = False

    def start(self) -> None:
        """Start the server and create the table of the sources, which must be stored by now."""
        try:
            if self._asked is not None:
                cores = None if self._cores is None else len(self._cores)
                throttled = self._asked.throttle_init
                self._limits = self._held.enter_context(
                    limited(self._memory_mb, cores, throttle_init=throttled)
                )
            variables = S3Variables(self._env)
            server = TrinoServer(variables, cores=self._cores, limits=self._limits)
            self._server = self._held.enter_context(server)
            self._limits.hold()
            self._day = TrinoDay(self._server, variables.places())
            self._day.create()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        self._held.close()

    @property
    def enforcement(self) -> Enforcement:
        return self._limits.enforcement

    def freeze(self) -> None:
        psutil.Process(self.server.pid).suspend()

    def thaw(self) -> None:
        """Resume the server, and wait until it takes queries again."""
        psutil.Process(self.server.pid).resume()
        with contextlib.suppress(NoAnswerError):  # the invocation tells of it
            self.server.query("SELECT 1")

    def invoke(self, event: object) -> Invocation:
        server = self.server
        assert self._day is not None and isinstance(event, dict)
        day = date(event["year"], event["month"], event["day"])
        cold, self._invoked = not self._invoked, True
        reset = self._reset_peak and processes.reset_peak_rss(server.pid)
        pressed, before = self._limits.pressure(), processes.cpu_ms(server.pid)
        begin = time.monotonic()
        records, failure = self._aggregate(day)
        duration_ms = (time.monotonic() - begin) * 1000
        after = processes.cpu_ms(server.pid)
        pressure = self._limits.pressure().since(pressed)
        if failure is not None and pressure.oom_kills:
            told = f"out of memory at {self._memory_mb} MB"
            failure = Failure(FailureKind.OUT_OF_MEMORY, told)
        return Invocation(
            result=None if records is None else {"day": day.isoformat(), "records": records},
            error=None if failure is None else failure.reason,
            cold=cold,
            init_ms=None,
            duration_ms=duration_ms,
            cpu_ms=None if before is None or after is None else after - before,
            peak_rss_bytes=server.peak_rss_bytes(),
            failure=failure,
            peak_since=PeakSince.INVOCATION if reset else PeakSince.START,
            throttled_ms=pressure.throttled_ms,
        )

    def _aggregate(self, day: date) -> tuple[int | None, Failure | None]:
        assert self._day is not None
        try:
            records = self._day.aggregate(day, self._timeout_s)
            self._day.drop()
        except trino.exceptions.TrinoQueryError as error:
            if error.error_name == "EXCEEDED_TIME_LIMIT":
                return None, Failure(FailureKind.TIMED_OUT, f"timed out after {self._timeout_s} s")
            hint = f" ({_ONE_LINE})" if error.message.startswith(_UNREADABLE) else ""
            return None, Failure(FailureKind.ERROR, f"{error.message}{hint}")
        except NoAnswerError as error:
            return None, Failure(FailureKind.DIED, str(error))
        return records, None

    @property
    def server(self) -> TrinoServer:
        if self._server is None:
            raise HarnessError("the sandbox is not started")
        return self._server
