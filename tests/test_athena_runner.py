"""Statements on Athena by its API, with a fake AWS: waiting, rows, failures and cancellation."""

from __future__ import annotations

import pytest
from fake_aws import FakeAws, FakeQuery, Refused

from harness.model import HarnessError, UsageError
from harness.targets.aws.athena import Athena


def runner(aws: FakeAws, output: str | None = "s3://results/") -> Athena:
    return Athena(aws.clients(), "lake", output, lambda _: None, lambda _: None)


def test_a_select_gives_all_rows_without_the_names() -> None:
    rows = [("name", "n"), ("Get", "2"), ("name", "n"), (None, "1")]
    aws = FakeAws(query=lambda _: FakeQuery(rows))
    result = runner(aws).run("SELECT 1", "trails")
    assert result.columns == ["name", "n"]
    assert result.rows == [("Get", "2"), ("name", "n"), (None, "1")]
    assert (result.scanned_bytes, result.seconds, result.written) == (1234, 1.5, None)
    (asked,) = aws.asked("StartQueryExecution")
    assert asked["QueryString"] == "SELECT 1"
    assert asked["QueryExecutionContext"] == {"Database": "trails"}
    assert asked["ResultConfiguration"] == {"OutputLocation": "s3://results/"}
    assert asked["WorkGroup"] == "lake"
    assert len(aws.asked("GetQueryExecution")) == 3  # queued, running, succeeded
    assert len(aws.asked("GetQueryResults")) == 2


def test_a_statement_that_writes_tells_the_number_of_records() -> None:
    aws = FakeAws(query=lambda _: FakeQuery(written=17))
    result = runner(aws, None).run("CREATE TABLE t AS SELECT 1", "trails")
    assert (result.rows, result.columns, result.written) == ([], [], 17)
    (asked,) = aws.asked("StartQueryExecution")
    assert asked["ResultConfiguration"] == {}  # the workgroup's own place


@pytest.mark.parametrize(
    ("query", "words"),
    [
        (
            FakeQuery(reason="HIVE_PATH_ALREADY_EXISTS: Target directory for table 't' exists"),
            "HIVE_PATH_ALREADY_EXISTS: Target .*\nthe place of the output holds objects",
        ),
        (FakeQuery(reason="Table not found"), r"\(SELECT \*\): Table not found$"),
        (FakeQuery(reason="internal", retryable=True), "internal\nAthena calls .* passing"),
        (FakeQuery(states=["RUNNING"], stopped=True), "was cancelled"),
    ],
)
def test_a_query_that_fails_tells_athenas_reason_and_a_remedy(query: FakeQuery, words: str) -> None:
    aws = FakeAws(query=lambda _: query)
    with pytest.raises(HarnessError, match=words):
        runner(aws).run("SELECT  *", "trails")
    assert not aws.asked("StopQueryExecution")
    assert not aws.asked("GetQueryResults")


@pytest.mark.parametrize(
    ("refused", "kind", "words"),
    [
        (
            Refused("InvalidRequestException", "No output location provided."),
            UsageError,
            "workgroup lake has no place for results: give --output",
        ),
        (
            Refused("InvalidRequestException", "WorkGroup is not found."),
            UsageError,
            "workgroup lake can't be used",
        ),
        (
            Refused("InvalidRequestException", "line 1:8: mismatched input"),
            HarnessError,
            "refuses the statement: line 1:8",
        ),
        (
            Refused("AccessDeniedException"),
            HarnessError,
            "workgroup lake: not allowed: give yourself athena:StartQueryExecution",
        ),
    ],
)
def test_a_refused_start_names_its_cause(
    refused: Refused, kind: type[HarnessError], words: str
) -> None:
    aws = FakeAws(refuse={"StartQueryExecution": refused})
    with pytest.raises(kind, match=words):
        runner(aws).run("SELECT 1", "trails")


def test_an_interruption_cancels_the_query() -> None:
    aws = FakeAws(query=lambda _: FakeQuery(states=["RUNNING"] * 9))

    def interrupt(_: float) -> None:
        raise KeyboardInterrupt

    athena = Athena(aws.clients(), progress=lambda _: None, sleep=interrupt)
    with pytest.raises(KeyboardInterrupt):
        athena.run("SELECT 1", "trails")
    assert [each.stopped for each in aws.queries] == [True]


def test_a_query_that_can_not_be_cancelled_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    refused = Refused("AccessDeniedException")
    aws = FakeAws(refuse=dict.fromkeys(("GetQueryExecution", "StopQueryExecution"), refused))
    with pytest.raises(HarnessError, match="athena:GetQueryExecution"):
        runner(aws).run("SELECT 1", "trails")
    assert "query 1 may still run" in capsys.readouterr().err


def test_pauses_grow_to_two_seconds() -> None:
    aws = FakeAws(query=lambda _: FakeQuery(states=["RUNNING"] * 9))
    pauses: list[float] = []
    Athena(aws.clients(), progress=lambda _: None, sleep=pauses.append).run("SELECT 1", "trails")
    assert pauses[:2] == pytest.approx([0.2, 0.3])
    assert pauses[-1] == 2.0
