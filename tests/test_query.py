"""`query` without Trino: questions, the log of requests, prices, break-even, tables and faults."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType, SimpleNamespace
from typing import Any, cast

import pytest
import requests
from fake_query import DAYS, layout, outcome, spent
from sqlglot import exp
from trino.exceptions import TrinoQueryError

from harness.cli import main
from harness.fixtures.recipe import Recipe, make_day
from harness.model import Artefact, HarnessError, UsageError
from harness.query import engine as engines
from harness.query.choice import advice, break_even
from harness.query.engine import Engine, RefusedError, Spent
from harness.query.layout import Days
from harness.query.layouts import layouts
from harness.query.measure import Asked, Making, Request, _ask, _Makers, measure_in
from harness.query.questions import Answer, Known, Question, questions
from harness.query.tables import render, to_json
from harness.targets.athena_sql import metastore_table
from harness.targets.local.trino_server import TrinoServer

#: Three lines as the S3 server writes them, and its first one.
LOG = """\
log starts 2026-11-27 13:24:09.030658857 +0000 UTC m=+0.082097097
rosetta lake [27/November/2026:12:56:52 +0000] 127.0.0.1 rosetta A s3_HeadObject i/a /lake/i/a 200
rosetta lake [27/November/2026:12:56:52 +0000] 127.0.0.1 rosetta A s3_GetObject i/a /lake/i/a 200
rosetta lake [27/November/2026:12:56:52 +0000] 127.0.0.1 rosetta A s3_ListObjectsV2 - /lake 200
"""


# ---- what is known, and the questions ----


def known_days() -> Known:
    known = Known()
    for day, account, name in (
        (DAYS[0], "1", "Get"),
        (DAYS[1], "1", "Get"),
        (DAYS[1], "2", "Get"),
        (DAYS[1], "2", "Put"),
        (DAYS[2], "1", "Put"),
        (DAYS[2], "1", "Get"),
    ):
        record = {"eventName": name, "recipientAccountId": account, "eventID": f"{day} {name}"}
        known.add(day, [json.dumps(record).encode()])
    return known


def test_the_answers_follow_from_the_records() -> None:
    asked = {each.name: each for each in questions(known_days(), DAYS)}
    assert asked["one day"].answer == [("Get", 2), ("Put", 1)]
    assert asked["one account of one day"].answer == [(2,)]
    assert asked["one account of one day"].account == "2"
    assert asked["one account, all days"].account == "1"
    assert asked["one account, all days"].answer == [(4,)]
    assert asked["one event name, all days"].answer == [(4,)]
    assert asked["one event id, all days"].answer == [("Get",)]
    assert asked["no condition"].answer == [("Get", 4), ("Put", 2)]
    assert [name for name, each in asked.items() if each.day] == [
        "one day",
        "one account of one day",
    ]


def test_days_of_one_seed_have_the_same_accounts_and_other_records() -> None:
    made = [
        list(make_day(Recipe(1, 200, day=day, variation=number, one_line=True)))
        for number, day in enumerate(DAYS[:2], 1)
    ]
    first, second = (
        {each.key.split("/")[1] for each in day if each.records is not None} for day in made
    )
    assert first == second
    texts = [{text for each in day for text in each.records or ()} for day in made]
    assert not texts[0] & texts[1]
    bodies = [each.body for day in made for each in day if each.content_encoding is None]
    assert bodies
    assert all(b"\n" not in body for body in bodies)


# ---- requests and prices ----


class FakeTrino:
    """Answers each statement with ``rows``, and logs requests."""

    def __init__(self, log: Path, rows: Answer) -> None:
        self._log = log
        self._rows = rows
        self.stats = dict.fromkeys(
            ("physicalInputBytes", "planningTimeMillis", "cpuTimeMillis", "peakMemoryBytes"), 7
        ) | {"elapsedTimeMillis": 12, "queuedTimeMillis": 2}

    def query(self, _sql: str, _session: object) -> tuple[Answer, Mapping[str, int]]:
        with self._log.open("a") as file:
            file.write(LOG)
        return self._rows, self.stats


def engine_with(log: Path, rows: Answer) -> Engine:
    server = cast(Any, FakeTrino(log, rows))
    return Engine(cast(Any, SimpleNamespace(access_log=log)), server, "")


def test_the_requests_of_a_statement_are_those_of_the_log(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text(LOG * 3)  # of another statement
    rows, cost = engine_with(log, [(1,)]).run("SELECT 1")
    assert rows == [(1,)]
    assert cost.requests == {"GET": 1, "HEAD": 1, "LIST": 1}
    assert (cost.read_bytes, cost.total_ms) == (7, 10)


def test_a_log_of_another_form_is_an_error(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("rosetta lake GET /\n")
    with pytest.raises(HarnessError, match="a line of another form: rosetta lake GET"):
        engine_with(log, []).requests()


@pytest.mark.parametrize(
    ("name", "error"), [("TABLE_NOT_FOUND", HarnessError), ("HIVE_BAD_DATA", RefusedError)]
)
def test_a_faulty_statement_is_no_refusal(
    name: str, error: type[Exception], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def query(_self: object, _sql: str, _session: object) -> None:
        raise TrinoQueryError({"errorName": name, "message": "no such table"})

    monkeypatch.setattr(FakeTrino, "query", query)
    with pytest.raises(error, match="no such table"):
        engine_with(tmp_path / "log", []).run("SELECT 1")


def test_a_query_costs_ten_megabytes_at_least_and_its_requests() -> None:
    least = spent({}, 1)
    assert least.dollars == pytest.approx(10e6 / 1e12 * 5)
    assert spent({}, 10**12).dollars == pytest.approx(5)
    assert spent({}, 11_000_001).dollars == pytest.approx(12e6 / 1e12 * 5)  # whole megabytes
    requests = spent({"GET": 1000, "HEAD": 1000, "LIST": 1000, "DELETE": 1000}, 1)
    assert requests.dollars - least.dollars == pytest.approx(0.0004 * 2 + 0.005)


def test_a_layout_pays_as_soon_as_it_saved_its_making() -> None:
    making = {"raw": Making(), "chunks": Making(dollars=0.01)}
    asked = (
        Asked("raw", "q", [spent({"GET": 10_000}, 1)]),
        Asked("chunks", "q", [spent({"GET": 1}, 1)]),
    )
    saved = 9_999 * 0.0000004
    found = break_even(outcome(*asked, making=making), "chunks", "q")
    assert found is not None
    assert (found - 1) * saved < 0.01 <= found * saved
    turned = (Asked("raw", "q", asked[1].samples), Asked("chunks", "q", asked[0].samples))
    assert break_even(outcome(*turned, making=making), "chunks", "q") is None


def test_the_report_says_which_layout_to_choose_and_why_one_has_no_figures() -> None:
    making = {"raw": Making(), "chunks": Making(dollars=0.01), "injected": Making(dollars=0.01)}
    run = outcome(
        Asked("raw", "q", [spent({"GET": 10_000}, 1, ms) for ms in (30, 10, 20)]),
        Asked("chunks", "q", [spent({"GET": 1}, 1)]),
        Asked("injected", "q", wrong="the engine refuses it: name a day"),
        making=making,
    )
    text = render(run)
    assert "For 'q' choose chunks" in advice(run)
    assert "Not for every question: injected." in text
    assert "injected, q: the engine refuses it: name a day" in text
    (row,) = [line for line in text.splitlines() if line.startswith("raw ") and "10,000" in line]
    assert "20 [10-30]" in row
    assert "| injected | no figures, see below" in " ".join(render(run, "github").split())
    exported = json.loads(json.dumps(to_json(run)))
    assert [each["wrong"] is None for each in exported["questions"]] == [True, True, False]
    assert exported["questions"][1]["pays_after"] == break_even(run, "chunks", "q")
    assert not run.answers_differ()


# ---- answers are checked ----


def answer(
    rows: Answer,
    monkeypatch: pytest.MonkeyPatch,
    rounds: int = 2,
    making: Mapping[str, Making] = MappingProxyType({}),
) -> list[Asked]:
    def run(_self: object, sql: str, _session: object = None) -> tuple[Answer, Spent]:
        if "refused" in sql:
            raise RefusedError("name a day")
        return rows, spent({"GET": 1}, 1)

    monkeypatch.setattr(engines.Engine, "run", run)
    bare = object.__new__(Engine)
    request = Request({}, [layout("good"), layout("refused")], rounds)
    question = Question("q", "SELECT a FROM {records}", [(1,)])
    days = Days(DAYS, [], [], {})
    return list(_ask(bare, request, days, [question], making, lambda _: None))


def test_a_right_answer_has_a_sample_for_each_round(monkeypatch: pytest.MonkeyPatch) -> None:
    good, refused = answer([(1,)], monkeypatch)
    assert (good.wrong, len(good.samples)) == (None, 2)
    assert (refused.wrong, refused.samples) == ("the engine refuses it: name a day", ())


@pytest.mark.parametrize(
    ("rows", "words"),
    [([(2,)], r"(2,), expected (1,)"), ([], "0 rows, expected 1"), ([(1,)] * 2, "2 rows")],
)
def test_a_wrong_answer_has_a_reason_and_no_times(
    rows: Answer, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong, _ = answer(rows, monkeypatch)
    assert wrong.samples == ()
    assert wrong.wrong is not None
    assert f"the answer differs: {words}" in wrong.wrong
    assert outcome(wrong, making={"good": Making()}).answers_differ()


def test_a_layout_that_can_not_be_made_is_not_asked_and_keeps_its_rows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def make(_engine: Engine, _days: Days) -> list[Spent]:
        raise RefusedError("the memory is full")

    makers = _Makers(object.__new__(Engine), cast(Artefact, None), [], lambda _: None)
    fault = makers.layout(replace(layout("good"), make=make), LAID_OUT)
    assert fault == Making(fault="the engine can't make it: the memory is full")
    making = {"good": fault, "other": Making()}
    asked = answer([(1,)], monkeypatch, making=making)
    assert (asked[0].wrong, asked[0].samples) == (fault.fault, ())
    run = outcome(asked[0], Asked("other", "q", [spent({}, 1)]), making=making)
    text = render(run)
    assert text.count("the engine can't make it: the memory is full") == 1
    rows = [line.split()[0] for line in text.splitlines() if "no figures" in line]
    assert rows == ["good", "good"]
    assert "Not for every question: good." in text
    assert not run.answers_differ()


def test_days_without_a_record_and_other_records_are_refused() -> None:
    s3 = SimpleNamespace(access_log=Path(), bucket_path=lambda _: None)
    bare = Engine(cast(Any, s3), cast(Any, None), "")
    empty = Request({DAYS[0]: []}, [], 1)
    with pytest.raises(HarnessError, match="the days have no record"):
        measure_in(bare, empty, cast(Artefact, None), lambda _: None)
    with pytest.raises(HarnessError, match=r"a record of 2024-02-01 is not CloudTrail's: .*null"):
        Known().add(DAYS[0], [b'{"eventName":null}'])


# ---- layouts ----


#: Two accounts, one of an organisation. Each has two regions on each day.
LAID_OUT = Days(
    DAYS, ["1", "o-1/2"], ["eu-west-1"], {day: dict.fromkeys("12", ("a", "b")) for day in DAYS}
)


def parameters_of(
    name: str, monkeypatch: pytest.MonkeyPatch, days: Days = LAID_OUT
) -> Mapping[str, Any]:
    """The table that a layout creates last, and all statements."""
    made: list[Mapping[str, Any]] = []

    def create(statement: exp.Expr, _metastore: Path, _schema: str) -> str:
        made.append(metastore_table(statement))
        return "t"

    for module in ("layout", "layouts"):
        monkeypatch.setattr(f"harness.query.{module}.create_table", create)
    (chosen,) = layouts([name], [64])
    statements: list[str] = []

    def run(sql: str, _session: object = None) -> tuple[None, Spent]:
        statements.append(sql)
        return None, spent({}, 0)

    fake = SimpleNamespace(server=SimpleNamespace(metastore=Path()), run=run)
    chosen.make(cast(Any, fake), days)
    return {**made[-1], "statements": statements, "chosen": chosen}


def test_the_sources_are_projected_by_account_region_and_day(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = parameters_of("raw", monkeypatch)
    assert [each["name"] for each in made["partitionColumns"]] == ["account", "region", "day"]
    parameters = made["parameters"]
    assert parameters["projection.account.values"] == "1,o-1/2"
    assert made["chosen"].account_is("2", LAID_OUT) == "account IN ('o-1/2')"
    assert parameters["projection.day.values"] == "2024/02/01,2024/02/02,2024/02/03"
    assert parameters["storage.location.template"] == (
        "s3://source-bucket/AWSLogs/${account}/CloudTrail/${region}/${day}/"
    )


@pytest.mark.parametrize(
    ("name", "kind", "span"),
    [
        ("chunks", "date", "2024/02/01,2024/02/03"),
        ("from 2013", "date", "2013/01/01,NOW"),
        ("enum", "enum", None),
        ("injected", "injected", None),
        ("integers", "integer", "1,31"),
    ],
)
def test_each_kind_of_partitions_is_a_change_of_the_published_table(
    name: str, kind: str, span: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    parameters = parameters_of(name, monkeypatch)["parameters"]
    assert parameters["projection.day.type"] == kind
    assert parameters.get("projection.day.range") == span
    assert parameters["storage.location.template"].startswith("s3://chunks/64/${")


def test_one_day_is_no_range(monkeypatch: pytest.MonkeyPatch) -> None:
    one = replace(LAID_OUT, days=LAID_OUT.days[:1])
    parameters = parameters_of("chunks", monkeypatch, one)["parameters"]
    assert parameters["projection.day.values"] == "2024/02/01"
    assert parameters["projection.day.type"] == "enum"
    assert "projection.day.range" not in parameters


def test_chunks_of_one_account_each_have_the_account_before_the_day(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = parameters_of("accounts", monkeypatch)
    assert [each["name"] for each in made["partitionColumns"]] == ["account", "day"]
    assert made["parameters"]["projection.account.values"] == "1,2"
    assert made["parameters"]["storage.location.template"] == (
        "s3://chunks/64-by-account/${account}/${day}/"
    )
    assert made["chosen"].by_account


def test_registered_partitions_are_added_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    made = parameters_of("registered", monkeypatch)
    assert not [name for name in made["parameters"] if name.startswith(("projection", "storage"))]
    assert len(made["statements"]) == len(DAYS)
    assert "ARRAY['2024/02/03'], 's3://chunks/64/2024/02/03/'" in made["statements"][-1]


def test_parquet_is_written_in_statements_of_at_most_a_hundred_days(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("harness.query.rewritten.MOST_PARTITIONS", 2)
    create, insert = parameters_of("parquet", monkeypatch)["statements"]
    assert create.startswith("CREATE TABLE hive.trail.parquet")
    assert "BETWEEN '2024/02/01' AND '2024/02/02'" in create
    assert insert.startswith("INSERT INTO hive.trail.parquet")
    assert "BETWEEN '2024/02/03' AND '2024/02/03'" in insert


@pytest.mark.parametrize("name", ["json by region", "parquet by region", "iceberg by region"])
def test_a_statement_writes_at_most_a_hundred_partitions(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.query.rewritten.MOST_PARTITIONS", 6)
    written = parameters_of(name, monkeypatch)["statements"]
    if name.startswith("json"):
        assert "sync_partition_metadata('trail', 'json_by_region', 'ADD')" in written.pop()
    create, insert = written
    assert create.startswith("CREATE TABLE")
    assert insert.startswith("INSERT INTO")
    assert "['account', 'region', 'day']" in create
    both, first, second = (f"account IN ({each})" for each in ("'1', '2'", "'1'", "'2'"))
    assert f"(day = '2024/02/01' AND {both}) OR (day = '2024/02/02' AND {first})" in create
    assert f"(day = '2024/02/02' AND {second}) OR (day = '2024/02/03' AND {both})" in insert


def test_names_of_tables_are_in_small_letters() -> None:
    for chosen in layouts(["chunks", "json by region"], [16, 64]):
        assert chosen.records == chosen.records.replace("MB", "mb"), chosen.name


def test_sizes_of_chunks_are_layouts_of_their_own() -> None:
    assert [(each.name, each.chunk_mb) for each in layouts(["raw", "chunks"], [16, 64])] == [
        ("raw", None),
        ("chunks 16 MB", 16),
        ("chunks 64 MB", 64),
    ]


def test_a_layout_or_size_that_is_named_twice_is_made_once() -> None:
    assert [each.name for each in layouts(["raw", "chunks", "raw"], [16, 16])] == ["raw", "chunks"]


def test_an_unknown_layout_is_refused_with_the_known_ones() -> None:
    with pytest.raises(UsageError, match="orc is no layout: choose of raw, ignoring, chunks, "):
        layouts(["orc"], [64])


def test_of_almost_equal_layouts_that_is_chosen_which_is_made_cheaply() -> None:
    making = {"chunks": Making(dollars=0.01), "iceberg": Making(dollars=0.02)}
    asked = (
        Asked("chunks", "q", [spent({"LIST": 1}, 1)]),
        Asked("iceberg", "q", [spent({"GET": 1}, 1)]),
    )
    run = outcome(*asked, making=making)
    assert "For 'q' choose chunks" in advice(run)
    assert "never" not in render(run)  # nothing is known of the sources
    refused = Asked("raw", "q", wrong="the engine refuses it: a line break")
    assert "never" not in render(outcome(refused, *asked, making={"raw": Making(), **making}))
    sources = Asked("raw", "q", [spent({"GET": 9}, 1)])
    wrong = Asked("chunks", "q", wrong="the engine refuses it: a line break")
    told = advice(outcome(sources, wrong, making={"raw": Making(), "chunks": Making(dollars=1)}))
    assert "chunks never" not in told
    dear = Asked("chunks", "q", [spent({"LIST": 100}, 1)])
    assert "For 'q' choose iceberg" in advice(outcome(dear, asked[1], making=making))


def test_the_sources_may_be_read_by_a_serde_that_leaves_lines_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = parameters_of("ignoring", monkeypatch)
    assert made["serdeParameters"] == {"ignore.malformed.json": "true"}
    assert "trail.ignoring_sources " in made["chosen"].records
    assert parameters_of("raw", monkeypatch)["serdeParameters"] == {}


@pytest.mark.parametrize(
    ("source", "given", "words"),
    [
        ("AWSLogs", [], "has no day with sources"),
        ("AWSLogs", ["--objects", "3"], "describe generated days: leave out --source"),
        ("AWSLogs", ["--line-breaks"], "describe generated days: leave out --source"),
        ("", [], "no folder AWSLogs"),
    ],
)
def test_a_wrong_trail_is_refused_before_anything_is_fetched(
    source: str,
    given: list[str],
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("harness.toolchain.tools.trino_home", lambda _: pytest.fail("fetched"))
    (tmp_path / source).mkdir(exist_ok=True)
    assert main(["query", "--source", str(tmp_path), *given]) == 2
    assert words in capsys.readouterr().err


@pytest.mark.parametrize(
    ("code", "words"),
    [(None, "Trino gave no answer: no way"), (3, "Trino ended with code 3; it ends when its heap")],
)
def test_a_trino_that_does_not_answer_is_a_fault_with_words(
    code: int | None, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def execute(_sql: str) -> None:
        raise requests.ConnectionError("no way")

    cursor = SimpleNamespace(execute=execute)
    connection = nullcontext(SimpleNamespace(cursor=lambda: cursor))
    monkeypatch.setattr(TrinoServer, "connect", lambda _self, **_: connection)
    server = object.__new__(TrinoServer)
    server._process = cast(Any, SimpleNamespace(poll=lambda: code))
    with pytest.raises(HarnessError, match=words):
        server.query("SELECT 1")


def test_a_statement_that_found_no_node_is_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[str] = []

    class Cursor:
        stats: Mapping[str, int] = {"cpuTimeMillis": 3}

        def execute(self, sql: str) -> Cursor:
            tried.append(sql)
            if len(tried) < 3:
                raise TrinoQueryError({"errorName": "NO_NODES_AVAILABLE"})
            return self

        def fetchall(self) -> list[list[int]]:
            return [[1]]

    connection = nullcontext(SimpleNamespace(cursor=Cursor))
    monkeypatch.setattr(TrinoServer, "connect", lambda _self, **_: connection)
    monkeypatch.setattr("time.sleep", lambda _s: None)

    server = object.__new__(TrinoServer)
    assert server.query("SELECT 1") == ([(1,)], {"cpuTimeMillis": 3})
    assert len(tried) == 3
