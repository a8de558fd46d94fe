"""docs/athena.sql on a real Trino: each statement as it stands, against the records themselves."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from conftest import built

from harness.fixtures.recipe import Recipe, make_day
from harness.fixtures.staging import stage
from harness.model import Artefact, HarnessError
from harness.query.engine import Engine
from harness.query.layouts import layouts
from harness.query.measure import Outcome, Request, measure_in
from harness.targets.athena_sql import create_table, is_external_table, metastore_table, statements
from harness.targets.local.trino_server import SCHEMA, TrinoServer
from harness.toolchain.paths import ROOT

# Trino is fetched at the first time, and takes a gigabyte of memory
pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

BUCKET, PREFIX = "lake", "chunks/"
DAYS = (date(2024, 2, 8), date(2024, 2, 10))
SQL = (ROOT / "docs/athena.sql").read_text()
FILLED_IN = SQL.replace("DESTINATION_BUCKET", BUCKET).replace("DESTINATION_PREFIX/", PREFIX)
#: The statements as text: a parser has not touched them.
TEXTS = [
    "\n".join(line for line in text.splitlines() if not line.startswith("--")).strip()
    for text in FILLED_IN.split(";\n")
]
VIEWS = [text for text in TEXTS if text.startswith("CREATE OR REPLACE VIEW")]
QUERIES = [text for text in TEXTS if text.startswith("SELECT")]

type Record = Mapping[str, Any]


@dataclass(frozen=True)
class Lake:
    """A server with the published chunks of some days, and what they hold."""

    trino: TrinoServer
    records: Mapping[date, Sequence[Record]]

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        return self.trino.query(sql)[0]

    def of_day(self) -> Sequence[Record]:
        return self.records[DAYS[0]]


@pytest.fixture(scope="module")
def lake(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Lake:
    records: dict[date, list[Record]] = {}
    for day in DAYS:
        recipe = Recipe(seed=day.day, objects=400, day=day)
        folder = tmp_path_factory.mktemp("day")
        expected = stage(make_day(recipe), lambda _: None, folder, day, 1 << 20, PREFIX)
        assert len(expected.chunks) > 1
        records[day] = []
        for chunk in expected.chunks:
            lines = list(chunk.lines())
            records[day] += map(json.loads, lines)
            engine.s3.put_file(BUCKET, chunk.key, gzip.compress(b"".join(lines)))
    # what a run that died, and one that ended, leave beside the chunks
    left = gzip.compress(b'{"eventID":"left by a run that died"}\n')
    engine.s3.put_file(BUCKET, f"{expected.day_prefix}_0-000001.ndjson.gz", left)
    manifest = json.dumps(expected.manifest()).encode()
    engine.s3.put_file(BUCKET, f"{expected.day_prefix}_manifest.json", manifest)
    made = Lake(engine.server, records)
    for table in filter(is_external_table, statements(FILLED_IN)):
        create_table(table, engine.server.metastore, SCHEMA)
    for view in VIEWS:
        made.rows(view)
    return made


def caller(record: Record) -> str | None:
    arn = record["userIdentity"].get("arn")
    return None if arn is None else str(arn)


def is_refused(record: Record) -> bool:
    code = record.get("errorCode", "")
    return "AccessDenied" in code or "UnauthorizedOperation" in code


def test_the_file_has_two_tables_four_views_and_a_query_for_each_and_the_days() -> None:
    assert (len(VIEWS), len(QUERIES)) == (4, 5)
    assert len(TEXTS) == len(VIEWS) + len(QUERIES) + 3  # two tables, and nothing after the last


def test_records_are_counted_by_day(lake: Lake) -> None:
    counts = [(f"{day:%Y/%m/%d}", len(records)) for day, records in lake.records.items()]
    assert lake.rows(QUERIES[0]) == counts


def test_refused_calls_are_those_of_the_records(lake: Lake) -> None:
    wanted = Counter(
        (caller(each), each["eventSource"], each["eventName"])
        for each in lake.of_day()
        if is_refused(each)
    )
    found = lake.rows(QUERIES[1])
    assert found
    assert {row[:3]: row[3] for row in found}.items() <= dict(wanted).items()
    assert (
        sorted((row[3] for row in found), reverse=True)
        == sorted(wanted.values(), reverse=True)[: len(found)]
    )
    assert len(found) == min(20, len(wanted))


def test_logins_without_a_second_factor_and_failed_ones_are_found(lake: Lake) -> None:
    logins = [each for each in lake.of_day() if each["eventName"] == "ConsoleLogin"]
    outcomes = {each["eventID"]: each["responseElements"]["ConsoleLogin"] for each in logins}
    wanted = sorted(
        (each["eventTime"], outcomes[each["eventID"]], each["additionalEventData"]["MFAUsed"])
        for each in logins
        if outcomes[each["eventID"]] == "Failure" or each["additionalEventData"]["MFAUsed"] == "No"
    )
    assert wanted
    assert sorted((row[0], row[3], row[4]) for row in lake.rows(QUERIES[2])) == wanted


def test_the_root_users_calls_are_counted(lake: Lake) -> None:
    wanted = Counter(
        (each["recipientAccountId"], each["eventSource"], each["eventName"])
        for records in lake.records.values()
        for each in records
        if each["userIdentity"]["type"] == "Root"
    )
    assert wanted
    assert {row[:3]: row[3] for row in lake.rows(QUERIES[3])} == wanted


def test_the_hours_with_the_most_failures_come_first(lake: Lake) -> None:
    calls, failed = Counter[str](), Counter[str]()
    for each in lake.of_day():
        hour = each["eventTime"][:13]
        calls[hour] += 1
        failed[hour] += "errorCode" in each
    worst = sorted(failed, key=lambda hour: (-failed[hour], hour))[:5]
    assert failed[worst[0]]
    assert lake.rows(QUERIES[4]) == [(hour, calls[hour], failed[hour]) for hour in worst]


def test_nested_values_keep_upper_and_lower_case(lake: Lake) -> None:
    found = lake.rows(
        "SELECT DISTINCT json_extract_scalar(requestparameters, '$.Host') IS NOT NULL, "
        "json_extract_scalar(requestparameters, '$.host') IS NOT NULL "
        "FROM cloudtrail_records WHERE day = '2024/02/08' AND eventname = 'GetObject'"
    )
    assert found == [(True, False)]


def test_columns_hold_the_values_of_their_keys(lake: Lake) -> None:
    table, _ = filter(is_external_table, statements(FILLED_IN))
    serde = metastore_table(table)["serdeParameters"]
    assert isinstance(serde, dict)
    keys = {
        name.removeprefix("mapping."): key
        for name, key in serde.items()
        if name.startswith("mapping.")
    }
    wanted = {
        key: sum(each.get(key) is not None for each in lake.of_day()) for key in keys.values()
    }
    counts = ", ".join(f"count({name})" for name in keys)
    (found,) = lake.rows(f"SELECT {counts} FROM cloudtrail_records WHERE day = '2024/02/08'")
    assert dict(zip(keys.values(), found, strict=True)) == wanted
    assert {key for record in lake.of_day() for key in record} <= set(keys.values())


# ---- the command query, on a small scale ----


#: Each kind of layout once.
LAYOUTS = (
    *("raw", "ignoring", "chunks", "accounts", "json by region", "parquet", "parquet by region"),
    *("iceberg", "iceberg by region", "injected", "registered", "repaired"),
)


@pytest.fixture(scope="module")
def asked(engine: Engine) -> Outcome:
    """Two days on each kind of layout, with an organisation's account and a plain one."""
    artefact = built("go")
    assert isinstance(artefact, Artefact), artefact
    recipe = Recipe(objects=30, accounts=2, regions=2, organisation=True, one_line=True)
    days = {
        day: [
            each
            for each in make_day(replace(recipe, day=day, variation=number))
            if each.records is not None
        ]
        for number, day in enumerate((date(2024, 2, 8), date(2024, 2, 9)), 1)
    }
    request = Request(days, layouts(LAYOUTS, [64]), rounds=0)
    return measure_in(engine, request, artefact.with_client("light"), lambda _: None)


def test_every_layout_answers_right_but_for_two_kinds_of_partitions(asked: Outcome) -> None:
    assert len(asked.asked) == len(LAYOUTS) * 6
    wrong = {(each.layout, each.question): each.wrong for each in asked.asked if each.wrong}
    without_day = ["one account, all days", *asked.questions()[3:]]
    assert [key for key in wrong if key[0] == "injected"] == [
        ("injected", each) for each in without_day
    ]
    # the keys of the chunks are not those that MSCK REPAIR TABLE looks for, and it tells nobody
    empty = [reason for (layout, _), reason in wrong.items() if layout == "repaired"]
    assert len(empty) == 6
    assert all("the answer differs: " in each for each in empty)
    assert len(wrong) == len(without_day) + len(empty)


def test_a_query_of_all_reads_each_object_once(asked: Outcome) -> None:
    for name in ("raw", "chunks", "accounts", "json by region", "registered"):
        found = asked.of(name, "no condition")
        assert found is not None
        (sample,) = found.samples
        assert sample.requests["GET"] == asked.making[name].objects, name
        assert sample.read_bytes == asked.making[name].stored_bytes
    assert asked.making["raw"].objects == asked.sources == 60
    assert asked.making["chunks"].objects == 2
    assert asked.making["accounts"].objects == 4


def test_a_query_of_one_account_reads_its_objects_only(asked: Outcome) -> None:
    for name, share in (("accounts", 2), ("json by region", 2), ("chunks", 1)):
        found = asked.of(name, "one account, all days")
        assert found is not None
        (sample,) = found.samples
        assert sample.requests["GET"] == asked.making[name].objects / share, name


def test_making_costs_what_was_asked_of_s3(asked: Outcome) -> None:
    made = {name: each.requests for name, each in asked.making.items()}
    assert made["raw"] == {}
    assert made["chunks"]["GET"] >= asked.sources  # and some for the manifests
    for name in ("parquet", "iceberg", "json by region", "parquet by region"):
        assert made[name]["PUT"] > made["chunks"]["PUT"]
        assert asked.making[name].dollars > asked.making["chunks"].dollars > 0
    # a statement of the catalog alone costs its requests
    extra = asked.making["registered"].dollars - asked.making["chunks"].dollars
    assert 0 <= extra < 0.0001


# ---- the translation alone ----


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("SELECT 1", "no CREATE EXTERNAL TABLE"),
        ("CREATE EXTERNAL TABLE t (a string) STORED AS ORC LOCATION 's3://b/'", "ORC is none"),
        ("CREATE EXTERNAL TABLE t (a string) STORED AS PARQUET", "needs a LOCATION"),
    ],
)
def test_a_statement_that_is_no_known_table_is_refused(
    text: str, fault: str, tmp_path: Path
) -> None:
    (statement,) = statements(text)
    with pytest.raises(HarnessError, match=fault):
        create_table(statement, tmp_path, SCHEMA)


def test_nested_types_are_written_as_hive_writes_them() -> None:
    (statement,) = statements(
        "CREATE EXTERNAL TABLE t (records array<struct<eventname:string,n:int>>) "
        "PARTITIONED BY (day string) STORED AS PARQUET LOCATION 's3://b/p/'"
    )
    made = metastore_table(statement)
    nested = {"name": "records", "type": "array<struct<eventname:string,n:int>>", "properties": {}}
    assert made["dataColumns"] == [nested]
    assert made["partitionColumns"] == [{"name": "day", "type": "string", "properties": {}}]
    assert (made["storageFormat"], made["externalLocation"]) == ("PARQUET", "s3://b/p/")
