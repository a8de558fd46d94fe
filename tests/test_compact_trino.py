"""``compact`` by a real Trino, of days that a function has published."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import date
from typing import Any

import pytest
from conftest import built

from harness.cli import main
from harness.compact.statements import Statements, columns_of_athena_sql
from harness.fixtures.recipe import Recipe, make_day
from harness.model import Artefact
from harness.query.engine import Engine
from harness.targets.athena_sql import create_table, is_external_table, statements
from harness.targets.local.s3server import S3Server
from harness.targets.local.sandbox import LocalSandbox
from harness.targets.local.trino_server import SCHEMA, TrinoServer
from harness.toolchain.paths import ROOT

# as those of test_trino.py
pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

SOURCES, BUCKET, PREFIX = "sources", "compacted", "day/"
DAYS = (date(2024, 2, 8), date(2024, 2, 9))
COLUMNS = columns_of_athena_sql()
SQL = (ROOT / "docs/athena.sql").read_text()
#: The tables of the file under names of their own, over the bucket of these tests.
FILLED_IN = (
    SQL.replace("DESTINATION_BUCKET", BUCKET)
    .replace("DESTINATION_PREFIX/", PREFIX)
    .replace("cloudtrail_", "compacted_")
)
#: Records that a reader of JSON may change or refuse.
ODD = [
    r'{"eventID":"1","eventName":"A","requestParameters":{"n":1e3,"big":12345678901234567890}}',
    r'{"eventID":"2","eventName":"\ud800","userIdentity":{"name":"\u00fc \u2028 \" \\ \/"}}',
    r'{"eventID":"3","eventName":"","errorCode":null,"resources":[],"tlsDetails":{}}',
    r'{"eventID":"4","eventName":"[not JSON","additionalEventData":"{\"text\":1}"}',
    r'{"eventID":"5","readOnly":true,"managementEvent":false,"recipientAccountId":111122223333}',
    r'{"eventID":"6","unknown":1,"requestParameters":{"Host":1,"host":2,"a":{"a":[[{}]]}}}',
    r'{"eventID":"8","eventName":"a","eventName":"b","tlsDetails":{"a":1,"a":2}}',
    r'{ "eventID" : "7" , "userIdentity" : { "b" : 1 , "a" : [ 1 , 2.50 ] } }',
]


@dataclass(frozen=True)
class Lake:
    """Published days, and a Trino that reads them by the tables of docs/athena.sql."""

    s3: S3Server
    trino: TrinoServer
    function: LocalSandbox

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        return self.trino.query(sql)[0]

    def publish(self, day: date, objects: int, odd: Sequence[str] = ()) -> None:
        """Put sources and let the function aggregate the day."""
        for staged in make_day(Recipe(seed=day.day, objects=objects, day=day)):
            if staged.records is not None:
                self.s3.put_file(SOURCES, staged.key, staged.body, staged.content_encoding)
                last = staged.key
        if odd:
            body = gzip.compress(f'{{"Records":[{",".join(odd)}]}}'.encode())
            self.s3.put_file(SOURCES, f"{last}-odd.json.gz", body)
        done = self.function.invoke({"year": day.year, "month": day.month, "day": day.day})
        assert done.error is None

    def manifest(self, day: date) -> Mapping[str, Any]:
        key = f"{PREFIX}{day:%Y/%m/%d}/_manifest.json"
        found: Mapping[str, Any] = json.loads((self.s3.bucket_path(BUCKET) / key).read_text())
        return found

    def compact(self) -> int:
        range_of = ("--from", f"{DAYS[0]}", "--to", f"{DAYS[-1]}")
        place = ("--destination", str(self.s3.bucket_path(BUCKET)), "--prefix", PREFIX)
        return main(["compact", *range_of, *place])

    def chunks(self) -> Mapping[str, bytes]:
        tree = self.s3.read_tree(BUCKET)
        return {key: body for key, body in tree.items() if "/parquet/" not in key}


@pytest.fixture(scope="module")
def lake(engine: Engine) -> Iterator[Lake]:
    artefact = built("go")
    assert isinstance(artefact, Artefact), artefact
    settings = {
        **artefact.implementation.environment,
        **engine.s3.env(),
        **{"SRC_BUCKET": SOURCES, "DST_BUCKET": BUCKET, "DST_PREFIX": PREFIX},
        "CHUNK_BYTES": "100000",
    }
    for bucket in (SOURCES, BUCKET):
        engine.s3.bucket_path(bucket)
    with LocalSandbox(artefact, settings) as function, pytest.MonkeyPatch.context() as patch:
        made = Lake(engine.s3, engine.server, function)
        made.publish(DAYS[0], 60, ODD)
        made.publish(DAYS[1], 20)
        for table in filter(is_external_table, statements(FILLED_IN)):
            create_table(table, engine.server.metastore, SCHEMA)
        patch.setattr(
            "harness.compact.destination.TrinoServer",
            lambda *_, **__: nullcontext(engine.server),  # not one for each call of the command
        )
        assert made.compact() == 0
        yield made


def test_the_table_of_columns_has_the_records_of_the_chunks(lake: Lake) -> None:
    counts = [(f"{day:%Y/%m/%d}", lake.manifest(day)["result"]["records"]) for day in DAYS]
    days = "WHERE day BETWEEN '2024/02/07' AND '2024/02/10'"
    by_day = f"SELECT day, count(*) FROM compacted_columns {days} GROUP BY 1 ORDER BY 1"
    assert lake.rows(by_day) == counts
    names = ", ".join(("day", *COLUMNS))
    one, other = (
        f"SELECT {names} FROM compacted_{table} {days}" for table in ("records", "columns")
    )
    assert lake.rows(f"{one} EXCEPT ALL {other}") == []
    assert lake.rows(f"{other} EXCEPT ALL {one}") == []


def test_odd_records_keep_their_values(lake: Lake) -> None:
    found = lake.rows(
        "SELECT eventname, readonly, recipientaccountid, "
        "json_extract_scalar(useridentity, '$.name'), tlsdetails FROM compacted_columns "
        "WHERE day = '2024/02/08' AND length(eventid) = 1 ORDER BY eventid"
    )
    assert len(found) == len(ODD)
    assert found[2] == ("", None, None, None, "{}")
    assert found[3][0] == "[not JSON"
    assert found[4] == (None, "true", "111122223333", None, None)
    assert found[7] == ("b", None, None, None, '{"a":2}')
    assert found[1][0] == "?"  # a lone surrogate
    assert found[1][3] == '\u00fc \u2028 " \\ /'


def test_a_second_run_changes_nothing(lake: Lake, capsys: pytest.CaptureFixture[str]) -> None:
    before = lake.s3.read_tree(BUCKET)
    assert lake.compact() == 0
    assert capsys.readouterr().out == "2 current\n"
    assert lake.s3.read_tree(BUCKET) == before


def test_a_day_that_was_published_again_is_compacted_again(
    lake: Lake, capsys: pytest.CaptureFixture[str]
) -> None:
    lake.publish(DAYS[1], 40)
    chunks = lake.chunks()
    assert lake.compact() == 0
    assert capsys.readouterr().out.endswith("1 current, 1 compacted\n")
    assert lake.chunks() == chunks
    (found,) = lake.rows("SELECT count(*) FROM compacted_columns WHERE day = '2024/02/09'")
    assert found == (lake.manifest(DAYS[1])["result"]["records"],)
    assert lake.rows("SHOW TABLES LIKE 'rosetta%'") == []


def test_a_wrong_copy_is_not_switched_to(
    lake: Lake, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    listed = lake.s3.read_tree(BUCKET, f"{PREFIX}parquet/days/")
    lake.publish(DAYS[1], 41)
    fill = Statements.fill

    def spoiled(self: Statements) -> str:
        return fill(self).replace("eventname,", "upper(eventname) AS eventname,")

    monkeypatch.setattr(Statements, "fill", spoiled)
    assert lake.compact() == 1
    assert "differ from the chunks' in: whole records, eventname\n" in capsys.readouterr().out
    assert lake.s3.read_tree(BUCKET, f"{PREFIX}parquet/days/") == listed
