"""The aggregation of a day by SQL: its file, Athena by its API, and a real Trino under limits."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from conftest import IMPLEMENTATIONS
from fake_aws import FakeAws, FakeQuery
from fake_machine import FakeMachine

from harness.cli import main
from harness.compare.companions import DUCKDB, TRINO, prepare
from harness.compare.peers import losses
from harness.compare.peers.losses import CASES, FAILS, LEFT_OUT, LOST, Losses
from harness.compare.peers.trino_sandbox import TrinoSandbox
from harness.compare.staged_day import StagedDay, staged
from harness.fixtures.recipe import Recipe, make_day
from harness.model import Artefact, HarnessError, NotReady, PeakSince, Role, VerdictKind
from harness.operate.day_sql import FILE, Places, aggregate, filled_in, select_for
from harness.targets.athena_sql import fill_in, for_trino, statements, texts
from harness.targets.aws.athena import Athena
from harness.targets.interface import Limits, Placement
from harness.targets.local.sandbox import LocalSandbox
from harness.targets.local.store import LocalStore, serve
from harness.targets.ministack.local_aws import LocalAws
from harness.toolchain.paths import ROOT

DAY = date(2024, 2, 8)
PLACES = Places("in", "log/", "out", "sql/", ["111122223333", "o-a/444455556666"], ["eu-west-1"])


# ---- the file ----


def test_every_placeholder_is_filled_in() -> None:
    text = "\n".join(texts(filled_in(PLACES, DAY)))
    assert re.findall(r"[A-Z]+_[A-Z]+|YYYY|ACCOUNTS|REGIONS", text) == []
    assert "'s3://in/log/AWSLogs/${account}/CloudTrail/${region}/${day}/'" in text
    assert "external_location = 's3://out/sql/2024/02/08/'" in text
    assert "'projection.account.values' = '111122223333,o-a/444455556666'" in text
    head = FILE.read_text().partition("CREATE")[0]
    for placeholder in ("SOURCE_PREFIX/", "ACCOUNTS", "REGIONS", "YYYY/MM/DD"):
        assert placeholder in head  # the reader is told of each


def test_a_placeholder_that_the_text_lacks_is_an_error() -> None:
    with pytest.raises(HarnessError, match="no placeholder REGIONS"):
        fill_in("SELECT 1", {"REGIONS": "eu-west-1"})


def test_statements_are_sent_without_comments() -> None:
    create, aggregation, *drops = texts(FILE.read_text())
    assert create.startswith("CREATE EXTERNAL TABLE cloudtrail_sources")
    assert create.endswith(")")
    assert aggregation.startswith("CREATE TABLE cloudtrail_day")
    assert drops == [f"DROP TABLE IF EXISTS cloudtrail_{each}" for each in ("day", "sources")]
    assert "--" not in create + aggregation


def test_trino_gets_the_compression_by_its_session() -> None:
    sql, session = for_trino(statements(FILE.read_text())[1])
    assert session == {"hive.compression_codec": "GZIP"}
    assert "write_compression" not in sql
    assert "format='TEXTFILE'" in sql
    assert select_for("duckdb") == select_for("trino")


# ---- Athena ----


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> FakeAws:
    made = FakeAws(query=answer)
    for account in ("111122223333", "o-a/444455556666"):
        key = f"log/AWSLogs/{account}/CloudTrail/eu-west-1/2024/02/08/a.json.gz"
        made.objects["trails", key] = b""
    made.objects["chunks", "day/2024/02/08/_manifest.json"] = (
        b'{"result":{"sources":2,"bad":0,"records":17,"bytes":1,"chunks":1},"chunks":[]}'
    )
    monkeypatch.setattr("harness.targets.aws.session.open_clients", lambda _region: made.clients())
    return made


def answer(sql: str) -> FakeQuery:
    return FakeQuery(states=[], written=17 if sql.startswith("CREATE TABLE") else None)


RUN = ("sql", "--stack", "rosetta", "--day", "2024-02-08")


def sent(aws: FakeAws) -> list[str]:
    return [each["QueryString"] for each in aws.asked("StartQueryExecution")]


def test_a_day_is_aggregated_and_compared_with_its_manifest(
    aws: FakeAws, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*RUN, "--database", "trail", "--workgroup", "lake"]) == 0
    told = capsys.readouterr().out
    assert "17 records in 1.5 s" in told
    assert "s3://chunks/day/_compare/sql/2024/02/08/" in told
    assert "the manifest has 17 records\n" in told
    create, aggregation, *drops = sent(aws)
    assert "'111122223333,o-a/444455556666'" in create
    assert "'eu-west-1'" in create
    assert "s3://chunks/day/_compare/sql/2024/02/08/" in aggregation
    assert len(drops) == 2
    for each in aws.asked("StartQueryExecution"):
        assert each["QueryExecutionContext"] == {"Database": "trail"}
        assert each["WorkGroup"] == "lake"


def test_another_count_than_the_manifests_is_a_difference(
    aws: FakeAws, capsys: pytest.CaptureFixture[str]
) -> None:
    aws.query = lambda _: FakeQuery(states=[], written=16)
    assert main([*RUN, "--destination", "s3://other-bucket/a/b/"]) == 1
    told = capsys.readouterr().out
    assert "s3://other-bucket/a/b/2024/02/08/" in told
    assert "the manifest has 17 records: they differ" in told


def test_a_day_without_manifest_is_told(aws: FakeAws, capsys: pytest.CaptureFixture[str]) -> None:
    del aws.objects["chunks", "day/2024/02/08/_manifest.json"]
    assert main(RUN) == 0
    assert "the day is not published" in capsys.readouterr().out


def test_the_tables_are_dropped_after_a_failure(
    aws: FakeAws, capsys: pytest.CaptureFixture[str]
) -> None:
    reason = "HIVE_PATH_ALREADY_EXISTS: Target directory for table 'cloudtrail_day' exists"
    aws.query = lambda sql: FakeQuery(
        states=[], reason=reason if sql.startswith("CREATE TABLE") else None
    )
    assert main(RUN) == 1
    assert f"{reason}\nthe place of the output holds objects" in capsys.readouterr().err
    assert [each.split()[0] for each in sent(aws)] == ["CREATE", "CREATE", "DROP", "DROP"]


def test_a_table_that_is_there_stays(aws: FakeAws, capsys: pytest.CaptureFixture[str]) -> None:
    reason = "FAILED: Execution Error. AlreadyExistsException(message:Table exists)"
    aws.query = lambda _: FakeQuery(states=[], reason=reason)
    assert main(RUN) == 1
    assert "an earlier run left the table: drop it first" in capsys.readouterr().err
    assert len(sent(aws)) == 1


def test_a_table_that_can_not_be_dropped_is_told(
    aws: FakeAws, capsys: pytest.CaptureFixture[str]
) -> None:
    aws.query = lambda sql: FakeQuery(
        states=[], written=17, reason="no right" if sql.startswith("DROP") else None
    )
    assert main(RUN) == 0
    assert capsys.readouterr().err.count("a table is left: ") == 2


def test_an_interruption_cancels_the_aggregation_and_drops_the_tables(
    aws: FakeAws, monkeypatch: pytest.MonkeyPatch
) -> None:
    def states(sql: str) -> FakeQuery:
        return FakeQuery(states=["RUNNING"] if sql.startswith("CREATE TABLE") else [])

    aws.query = states

    def interrupt(_: float) -> None:
        raise KeyboardInterrupt

    athena = Athena(aws.clients(), progress=lambda _: None, sleep=interrupt)
    with pytest.raises(KeyboardInterrupt):
        aggregate(athena, "trail", PLACES, DAY, lambda _: None)
    assert [each.stopped for each in aws.queries] == [False, True, False, False]


def test_a_dry_run_prints_the_file_and_asks_athena_nothing(
    aws: FakeAws, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*RUN, "--dry-run"]) == 0
    told = capsys.readouterr().out
    assert len(statements(told)) == 4
    assert "WHERE day = '2024/02/08'" in told
    assert sent(aws) == []


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (RUN[:3], "--stack needs --day"),
        ([*RUN, "--destination", "s3://bucket/no-slash"], "has not the form s3://BUCKET/PREFIX/"),
        ([*RUN, "--losses"], "not allowed with argument"),
        ([*RUN, "--markdown", "x.md"], "--markdown is for the table of --losses"),
        (["sql", "--losses", "--dry-run"], "need --stack: leave out --losses"),
        (["sql"], "one of the arguments --stack --losses is required"),
    ],
)
def test_wrong_arguments_are_refused(
    given: list[str], words: str, aws: FakeAws, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(given) == 2
    assert words in capsys.readouterr().err
    assert sent(aws) == []


@pytest.mark.slow
def test_another_athena_takes_the_statements() -> None:
    """ministack makes and drops the tables in its Glue; its engine answers without a look."""
    with LocalAws() as aws:
        tables: list[list[str]] = []
        glue = aws.client("glue")
        glue.create_database(DatabaseInput={"Name": "trail"})
        athena = Athena(aws.clients(), output="s3://results/", progress=lambda _: None)

        def look(_: str) -> None:
            found = glue.get_tables(DatabaseName="trail")["TableList"]
            tables.append([each["Name"] for each in found])

        with pytest.raises(HarnessError, match="NoSuchBucket"):
            athena.run("SELECT 1", "trail")
        aws.client("s3").create_bucket(
            Bucket="results", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"}
        )
        aggregate(athena, "trail", PLACES, DAY, look)
        look("at the end")
    assert tables == [[], ["cloudtrail_sources"], []]


# ---- Trino ----


@pytest.fixture(scope="module")
def day() -> Iterator[StagedDay]:
    target = replace(FakeMachine().target(), serve=serve)
    settings = {"CHUNK_BYTES": "20000", "MAX_SOURCE_BYTES": "1000000"}
    objects = make_day(Recipe(objects=40, organisation=True, one_line=True))
    placement = Placement(None, None)
    with staged(target, {DAY: objects}, settings, placement, lambda _: None, {True}) as found:
        yield found


@pytest.fixture(scope="module")
def sandbox(day: StagedDay) -> Iterator[TrinoSandbox]:
    made = prepare(TRINO.beside(IMPLEMENTATIONS["go"]), lambda _: None)
    if isinstance(made, NotReady):
        pytest.skip(f"no Trino: {made}")
    assert made.runtime_version == "476"
    with TrinoSandbox(made, day.envs[True], limits=Limits(), reset_peak=True) as started:
        yield started


EVENT = {"year": 2024, "month": 2, "day": 8}


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_trino_writes_every_record_of_the_day_by_its_value(
    day: StagedDay, sandbox: TrinoSandbox
) -> None:
    for cold in (True, False):
        day.clear()
        done = sandbox.invoke(EVENT)
        assert done.error is None, done.error
        verdict = day.judge(done, role=Role.PEER)
        assert verdict.kind is VerdictKind.VALUES, verdict.reason
        assert (done.cold, done.init_ms) == (cold, None)  # the start is in no time
        assert done.cpu_ms and done.duration_ms
        sandbox.freeze()
        sandbox.thaw()
    keys = list(day.store.read_tree("destination-bucket"))
    assert keys and all(re.fullmatch(r"2024/02/08/[\w-]+\.gz", key) for key in keys)
    held = sandbox.enforcement
    assert held.mechanism is not None or held.reason is not None
    assert done.peak_since in (PeakSince.INVOCATION, PeakSince.START)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_line_break_fails_trinos_day_and_the_message_has_the_key_and_a_way_out(
    day: StagedDay, sandbox: TrinoSandbox
) -> None:
    day.clear()
    keys = day.store.read_tree("source-bucket")
    folder = next(key for key in keys if "/CloudTrail/" in key and "/2024/02/08/" in key)
    key = f"{folder.rpartition('/')[0]}/broken.json"
    day.store.put_file("source-bucket", key, b'{"Records":[\n{"a":1}]}')
    done = sandbox.invoke(EVENT)
    assert done.result is None
    assert "broken.json" in str(done.error)
    assert "--one-line" in str(done.error)


@pytest.fixture(scope="module")
def lost(day: StagedDay, sandbox: TrinoSandbox) -> Losses:
    """It comes last: it removes the day."""
    duckdb = prepare(DUCKDB.beside(IMPLEMENTATIONS["go"]), lambda _: None)
    assert isinstance(duckdb, Artefact), duckdb
    sandbox.server.query("DROP TABLE cloudtrail_sources")
    env = {**duckdb.implementation.environment, **day.envs[True]}
    assert isinstance(day.store, LocalStore)
    with LocalSandbox(duckdb, env) as function:
        return losses.measure(day.store, sandbox.server, function, lambda _: None)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_losses_are_those_of_the_document(lost: Losses) -> None:
    document = (ROOT / "docs/layouts.md").read_text().splitlines()
    assert [line for line in losses.markdown(lost).splitlines() if line not in document] == []


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_trino_loses_records_without_a_word(lost: Losses) -> None:
    found = {each.name: each.found["Trino"] for each in lost.rows}
    assert len(found) == len(CASES) + 1
    assert found["a line break between tokens"] == f"{FAILS}; ignoring: {LOST}"
    assert found["a cut text"] == f"{FAILS}; ignoring: {LEFT_OUT}"
    assert found["a name that begins with `_`"] == LOST
    assert lost.left["Trino"] and lost.left["DuckDB"]
    assert f"Trino {sum(lost.left['Trino'])} of" in losses.render(lost)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_trinos_limit_of_partitions_is_one_of_each_writer(lost: Losses) -> None:
    assert lost.partitions[1].startswith("HIVE_TOO_MANY_OPEN_PARTITIONS: Exceeded limit of 100")
    assert lost.partitions[4] == "101 records"


def test_a_missing_trino_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(_: object) -> Path:
        raise NotReady("no Maven Central: let Maven reach it")

    monkeypatch.setattr("harness.toolchain.tools.trino_home", missing)
    monkeypatch.setattr("harness.toolchain.programs.find_jdk", lambda _: Path())
    found = prepare(TRINO.beside(IMPLEMENTATIONS["go"]), lambda _: None)
    assert isinstance(found, NotReady)
    assert str(found) == "no Maven Central: let Maven reach it"
