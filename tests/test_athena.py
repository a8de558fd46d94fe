"""docs/athena.sql: it parses, and it counts what a function's manifests count, by DuckDB."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import duckdb
import pytest
import sqlglot
from conftest import built
from sqlglot import exp

from harness.model import Artefact
from harness.targets.local.sandbox import LocalSandbox
from harness.toolchain.paths import ROOT
from harness.verify.scripted_s3.scene import Stored
from harness.verify.scripted_s3.server import ScriptedS3
from harness.verify.vectors.cases import DESTINATION_BUCKET, SOURCE_BUCKET

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]  # the first test builds

PREFIX = "day/chunks/"
SQL = (ROOT / "docs/athena.sql").read_text()
FILLED_IN = SQL.replace("DESTINATION_BUCKET", DESTINATION_BUCKET).replace(
    "DESTINATION_PREFIX/", PREFIX
)
TABLE, *OTHERS = (each for each in sqlglot.parse(FILLED_IN, read="athena") if each is not None)
VIEWS = [each for each in OTHERS if isinstance(each, exp.Create) and each.kind == "VIEW"]
QUERIES = [each for each in OTHERS if isinstance(each, exp.Select)]
PROPERTIES = {
    each.name: each.args["value"].name
    for each in TABLE.find_all(exp.Property)
    if type(each) is exp.Property  # its subclasses are clauses of their own
}


def record(number: int, refused: bool) -> dict[str, object]:
    return {
        "eventVersion": "1.08",
        "userIdentity": {"type": "IAMUser", "arn": f"arn:aws:iam::111122223333:user/{number % 2}"},
        "eventSource": "s3.amazonaws.com",
        "eventName": "GetObject",
        **({"errorCode": "AccessDenied"} if refused else {}),
        "requestParameters": {"Tags": 1, "tags": 2},
        "eventID": str(number),
    }


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A function's output of two days, as files: chunks, manifests, and one hidden chunk."""
    artefact = built("go")
    assert isinstance(artefact, Artefact), artefact
    folder = tmp_path_factory.mktemp("dataset")
    days = {"2024/02/08": 7, "2024/02/10": 4}
    account = "AWSLogs/111122223333/CloudTrail/eu-central-1"
    sources = {
        f"{account}/{day}/{number}.json": Stored(
            json.dumps({"Records": [record(number, refused=number > 1)]}).encode()
        )
        for day, count in days.items()
        for number in range(count)
    }
    settings = {
        "SRC_BUCKET": SOURCE_BUCKET,
        "DST_BUCKET": DESTINATION_BUCKET,
        "DST_PREFIX": PREFIX,
        "CHUNK_BYTES": "500",
    }
    with ScriptedS3() as s3, LocalSandbox(artefact, {**s3.env(), **settings}) as sandbox:
        s3.begin({SOURCE_BUCKET: sources, DESTINATION_BUCKET: {}})
        for day in days:
            year, month, number = map(int, day.split("/"))
            done = sandbox.invoke({"year": year, "month": month, "day": number})
            assert done.error is None
        objects = s3.objects(DESTINATION_BUCKET)
    hidden = f"{PREFIX}2024/02/08/_00000000-0000-0000-0000-000000000000-000001.ndjson.gz"
    objects[hidden] = Stored(gzip.compress(b'{"eventID":"left by a run that died"}\n'))
    for key, stored in objects.items():
        path = folder / DESTINATION_BUCKET / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(stored.body)
    yield folder


def locations() -> Iterator[tuple[str, str]]:
    """Each value of the partition column and its place by the template, for one year only."""
    first, last = PROPERTIES["projection.day.range"].split(",")
    assert first < "2024/01/01" and last == "NOW"
    assert PROPERTIES["projection.day.format"] == "yyyy/MM/dd"
    for number in range(366):
        day = f"{date(2024, 1, 1) + timedelta(number):%Y/%m/%d}"
        yield day, PROPERTIES["storage.location.template"].replace("${day}", day)


@pytest.fixture(scope="module")
def database(dataset: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """The table as the serde would make it, of the files that are in its locations."""
    columns = {PROPERTIES[f"mapping.{each.name}"]: each.name for each in TABLE.this.expressions}
    chosen = ", ".join(f'"{key}" AS {name}' for key, name in columns.items())
    types = ", ".join(f"'{key}': 'VARCHAR'" for key in columns)
    parts = []
    for day, location in locations():
        folder = dataset / location.removeprefix("s3://")
        # Athena passes over names that begin with _ or a dot
        files = [str(path) for path in sorted(folder.glob("*")) if path.name[0] not in "_."]
        if files:
            parts.append(
                f"SELECT {chosen}, '{day}' AS day FROM "
                f"read_json({files}, format='newline_delimited', columns={{{types}}})"
            )
    connection = duckdb.connect()
    connection.execute(f"CREATE VIEW {TABLE.this.this.name} AS {' UNION ALL '.join(parts)}")
    for view in VIEWS:
        connection.execute(view.sql(dialect="duckdb"))
    yield connection
    connection.close()


def test_the_table_is_partitioned_by_day_and_every_column_is_mapped() -> None:
    assert isinstance(TABLE, exp.Create)
    names = [each.name for each in TABLE.find_all(exp.ColumnDef)]
    mapped = [name.removeprefix("mapping.") for name in PROPERTIES if name.startswith("mapping.")]
    assert sorted(names) == sorted([*mapped, "day"])
    for name in mapped:
        assert PROPERTIES[f"mapping.{name}"].lower() == name
    assert PROPERTIES["storage.location.template"].startswith(f"s3://{DESTINATION_BUCKET}/{PREFIX}")


def test_its_count_is_the_manifests_count(
    dataset: Path, database: duckdb.DuckDBPyConnection
) -> None:
    manifests = {}
    for path in dataset.rglob("_manifest.json"):
        result = json.loads(path.read_text())["result"]
        assert result["chunks"] > 1
        manifests[result["day"]] = result["records"]
    rows = database.execute(QUERIES[0].sql(dialect="duckdb")).fetchall()
    assert {day.replace("/", "-"): count for day, count in rows} == manifests
    assert manifests == {"2024-02-08": 7, "2024-02-10": 4}


def test_nested_values_are_read_by_the_second_query(database: duckdb.DuckDBPyConnection) -> None:
    rows = database.execute(QUERIES[1].sql(dialect="duckdb")).fetchall()
    service = ("s3.amazonaws.com", "GetObject")
    user = "arn:aws:iam::111122223333:user"
    assert rows == [(f"{user}/0", *service, 3), (f"{user}/1", *service, 2)]


def test_placeholders_stand_where_the_file_says() -> None:
    statements = SQL[SQL.index("CREATE") :]
    assert len(re.findall("DESTINATION_BUCKET/DESTINATION_PREFIX/", statements)) == 4
    assert statements.count("DESTINATION") == 8
