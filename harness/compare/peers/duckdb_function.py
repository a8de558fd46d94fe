"""DuckDB as a function: one statement turns the day's sources into one NDJSON.gz object.

The SELECT is that of sql/aggregate.athena.sql, which the harness translates. Each record passes
through DuckDB's JSON parser and printer, so its values stay but its text may change. The CSV writer
prints the record as it is; the JSON writer would wrap it into an object with one column. No
character of a record is the delimiter, because JSON escapes control characters.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from importlib.resources import as_file, files
from typing import Any
from urllib.parse import urlsplit

import duckdb

_MEMORY_SHARE = 0.7  # the rest is for Python, and for memory that DuckDB does not count

_STATEMENT = """
COPY (
  WITH cloudtrail_sources AS (
    SELECT Records AS records, '{day}' AS day
    FROM read_json($sources, format = 'unstructured', columns = {{Records: 'JSON[]'}})
  )
  {select}
)
TO '{chunk}' (FORMAT csv, HEADER false, QUOTE '', ESCAPE '', DELIMITER '\x01', COMPRESSION gzip)
"""


def _connect() -> duckdb.DuckDBPyConnection:
    """A database in memory with the S3 server's settings. The extension is a Python package."""
    memory_mb = int(int(os.environ["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"]) * _MEMORY_SHARE)
    database = duckdb.connect(
        config={
            "memory_limit": f"{memory_mb}MB",
            "temp_directory": "/tmp",
            # each thread waits for its file: DuckDB recommends more threads than cores here
            "threads": int(os.environ["CONCURRENCY"]),
        }
    )
    folder = f"extensions/v{duckdb.__version__}"
    with as_file(files("duckdb_extension_httpfs") / folder / "httpfs.duckdb_extension") as file:
        database.load_extension(str(file))
    endpoint = urlsplit(os.environ["AWS_ENDPOINT_URL_S3"])
    settings = {
        "s3_endpoint": endpoint.netloc,
        "s3_use_ssl": endpoint.scheme == "https",
        "s3_url_style": "path",
        "s3_region": os.environ["AWS_REGION"],
        "s3_access_key_id": os.environ["AWS_ACCESS_KEY_ID"],
        "s3_secret_access_key": os.environ["AWS_SECRET_ACCESS_KEY"],
        "ca_cert_file": os.environ.get("AWS_CA_BUNDLE", ""),
        "enable_server_cert_verification": True,
        "httpfs_connection_caching": True,
        # a day is read once: a second invocation must not find it in memory
        "enable_external_file_cache": False,
    }
    for name, value in settings.items():
        database.execute(f"SET {name} = ?", [value])
    return database


_database = _connect()


def handle(event: Mapping[str, int], context: Any) -> dict[str, object]:
    """The day and the number of records, which is all that DuckDB reports."""
    day = f"{event['year']:04d}/{event['month']:02d}/{event['day']:02d}"
    chunk = f"s3://{os.environ['DST_BUCKET']}/{os.environ['DST_PREFIX']}{day}/000001.ndjson.gz"
    select = os.environ["AGGREGATE_SELECT"].replace("YYYY/MM/DD", day)
    statement = _STATEMENT.format(day=day, select=select, chunk=chunk)
    written = _database.execute(statement, {"sources": _sources(day)})
    (records,) = written.fetchone() or (0,)
    return {"day": day.replace("/", "-"), "records": records}


def _sources(day: str) -> list[str]:
    """A pattern for each layout (L1) that has files: DuckDB fails on one without files."""
    root = f"s3://{os.environ['SRC_BUCKET']}/{os.environ['SRC_PREFIX']}AWSLogs"
    accounts, organisation = (f"{root}/{folder}/CloudTrail/*/{day}/**" for folder in ("*", "o-*/*"))
    # this one first: if it has no files, the answer takes one request and no listing of the day
    if not _finds(organisation):
        return [accounts]
    return [each for each in (accounts, organisation) if _finds(each)]


def _finds(pattern: str) -> bool:
    return bool(_database.execute("SELECT 1 FROM glob(?) LIMIT 1", [pattern]).fetchone())
