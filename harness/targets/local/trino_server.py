"""A local Trino for one run, over the run's own S3 server.

Trino is the engine that Athena is made of. One catalog reads tables of Hive, the other one those of
Iceberg. Both keep their tables in a file metastore: a folder of JSON files. No request for these
files goes to the S3 server, as with AWS's Glue.
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import requests
import trino

from harness.model import HarnessError
from harness.targets.local import processes
from harness.targets.local.authority import JAVA_PASSWORD, write_java_authorities
from harness.targets.local.limits import Limited, unlimited
from harness.targets.local.loopback import open_session
from harness.targets.local.ports import free_ports
from harness.targets.local.s3_access import REGION, S3Access
from harness.targets.local.server import Server
from harness.terminal import Progress, to_stderr
from harness.toolchain.programs import find_jdk
from harness.toolchain.tools import trino_home

HIVE, ICEBERG = "hive", "iceberg"
SCHEMA = "trail"
#: The server's heap. With it the process takes about 1.1 GB of memory.
HEAP_MB = 1024
JDK = 25
_START_TIMEOUT_S = 300
_NO_NODE_TIMEOUT_S = 60
_NO_ANSWER = (trino.exceptions.Error, trino.exceptions.HttpError, requests.RequestException)
_CONFIG = """\
coordinator=true
node-scheduler.include-coordinator=true
node.environment=rosetta
node.bind-ip=127.0.0.1
node.internal-address=127.0.0.1
http-server.http.port={port}
discovery.uri=http://127.0.0.1:{port}
catalog.config-dir={work}/etc/catalog
catalog.management=static
plugin.dir={home}/plugin
query.max-memory={memory}MB
query.max-memory-per-node={memory}MB
web-ui.enabled=false
"""
#: Reading S3, and the metastore in a folder of this machine.
_COMMON = """\
fs.native-s3.enabled=true
s3.endpoint={endpoint}
s3.region={region}
s3.path-style-access=true
s3.aws-access-key={access_key}
s3.aws-secret-key={secret_key}
fs.native-local.enabled=true
local.location={work}/metastore
hive.metastore.catalog.dir=local:///
"""
_HIVE = """\
connector.name=hive
hive.metastore=file
hive.metastore.disable-location-checks=true
hive.partition-projection-enabled=true
hive.recursive-directories=true
hive.non-managed-table-writes-enabled=true
hive.allow-register-partition-procedure=true
hive.storage-format=PARQUET
hive.compression-codec=ZSTD
"""
#: Athena keeps nothing between two queries, so no cache hides a request here.
_ICEBERG = """\
connector.name=iceberg
iceberg.catalog.type=TESTING_FILE_METASTORE
iceberg.compression-codec=ZSTD
iceberg.metadata-cache.enabled=false
"""


class NoAnswerError(HarnessError):
    """The server ended, or can't be reached."""


class TrinoServer(Server):
    """A server on the objects of ``s3``; it runs on ``cores``, and under ``limits``, if given.

    ``endpoint`` is the address of the S3 server for Trino, if it is not the server's own: that of a
    proxy with a latency.
    """

    def __init__(
        self,
        s3: S3Access,
        endpoint: str | None = None,
        cores: frozenset[int] | None = None,
        progress: Progress = to_stderr,
        limits: Limited | None = None,
    ) -> None:
        super().__init__("trino")
        self._s3 = s3
        self._endpoint = endpoint or s3.endpoint
        self._cores = cores
        self._progress = progress
        self._limits = unlimited(HEAP_MB) if limits is None else limits

    def _launch(self, work: Path) -> subprocess.Popen[bytes]:
        home, java = trino_home(self._progress), find_jdk(JDK) / "bin/java"
        self._progress(f"starting Trino with a heap of {HEAP_MB} MB")
        (self._port,) = free_ports(1)
        self._configure(home, work)
        trusted: tuple[str, ...] = ()
        if self._s3.ca_bundle is not None:
            write_java_authorities(self._s3.ca_bundle, work / "authorities.p12")
            trusted = (
                f"-Djavax.net.ssl.trustStore={work}/authorities.p12",
                f"-Djavax.net.ssl.trustStorePassword={JAVA_PASSWORD}",
            )
        return processes.start_server(
            java,
            [
                *self._limits.prefix,
                java,
                f"-Xmx{HEAP_MB}M",
                "-XX:+UseG1GC",
                "-XX:+ExitOnOutOfMemoryError",
                "--add-modules=jdk.incubator.vector",
                f"-Dnode.data-dir={work}/data",
                f"-Dconfig={work}/etc/config.properties",
                f"-Djava.io.tmpdir={work}",
                *trusted,
                "-Dlog.enable-console=true",
                *("-cp", f"{home}/lib/*"),
                "io.trino.server.TrinoServer",
            ],
            self._started,
            cwd=work,
            env={"PATH": os.defpath, "HOME": str(work), "TMPDIR": str(work)},
            log=work / "log",
            timeout_s=_START_TIMEOUT_S,
            cores=self._cores,
            join=self._limits.join,
            started=self._limits.started,
        )

    def connect(
        self,
        catalog: str = HIVE,
        schema: str = SCHEMA,
        session: Mapping[str, str] | None = None,
    ) -> trino.dbapi.Connection:
        """A connection of Trino's own Python client; closing it does not end the server."""
        return trino.dbapi.Connection(
            host="127.0.0.1",
            port=self._port,
            http_scheme="http",
            user="harness",
            catalog=catalog,
            schema=schema,
            session_properties=dict(session or {}),
        )

    def query(
        self, sql: str, session: Mapping[str, str] | None = None
    ) -> tuple[list[tuple[Any, ...]], Mapping[str, Any]]:
        """The rows of a statement, and the server's statistics of it.

        On a busy machine the server may miss its own sign of life, and has no node for a moment.
        Then the statement is repeated: it has not begun. Raises ``TrinoQueryError`` of ``trino``
        where the server refuses the statement, and :class:`NoAnswerError`.
        """
        with self.connect(session=session) as connection:
            end = time.monotonic() + _NO_NODE_TIMEOUT_S
            while True:
                cursor = connection.cursor()
                try:
                    rows = [tuple(row) for row in cursor.execute(sql).fetchall()]
                except trino.exceptions.TrinoQueryError as error:
                    if error.error_name != "NO_NODES_AVAILABLE" or time.monotonic() > end:
                        raise
                    time.sleep(0.5)
                    continue
                except _NO_ANSWER as error:
                    raise NoAnswerError(f"Trino {self._whether_ended()}: {error}") from error
                return rows, cursor.stats or {}

    def _whether_ended(self) -> str:
        code = None if self._process is None else self._process.poll()
        if code is None:
            return "gave no answer"
        return f"ended with code {code}; it ends when its heap of {HEAP_MB} MB is full"

    @property
    def metastore(self) -> Path:
        """The folder with a folder for each schema, and in it one for each table."""
        if self._work is None:
            raise HarnessError("Trino is not started")
        return self._work / "metastore"

    @property
    def pid(self) -> int:
        if self._process is None:
            raise HarnessError("Trino is not started")
        return self._process.pid

    def peak_rss_bytes(self) -> int | None:
        return processes.peak_rss_bytes(self._process.pid) if self._process else None

    def _configure(self, home: Path, work: Path) -> None:
        catalogs = work / "etc/catalog"
        catalogs.mkdir(parents=True)
        for name in ("metastore", "data"):
            (work / name).mkdir()
        memory = HEAP_MB // 2
        text = _CONFIG.format(port=self._port, work=work, home=home, memory=memory)
        (work / "etc/config.properties").write_text(text)
        common = _COMMON.format(
            endpoint=self._endpoint,
            region=REGION,
            access_key=self._s3.access_key,
            secret_key=self._s3.secret_key,
            work=work,
        )
        for name, own in ((HIVE, _HIVE), (ICEBERG, _ICEBERG)):
            (catalogs / f"{name}.properties").write_text(own + common)

    def _started(self) -> bool:
        with open_session() as session:
            try:
                answer = session.get(f"http://127.0.0.1:{self._port}/v1/info", timeout=1)
            except requests.RequestException:
                return False
            return answer.status_code == 200 and not answer.json()["starting"]
