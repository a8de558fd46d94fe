import pytest
from memory_store import log_lines

from aggregator.errors import AggregationError
from aggregator.journal import Journal


def test_line(capsys: pytest.CaptureFixture[str]) -> None:
    Journal("id-1").log("WARN", "bad_source", key="a\né", code="MISSING")
    assert capsys.readouterr().out == (
        '{"level":"WARN","event":"bad_source","request_id":"id-1",'
        '"key":"a\\n\\u00e9","code":"MISSING"}\n'
    )


def test_level(capsys: pytest.CaptureFixture[str]) -> None:
    journal = Journal("id-1")
    journal.level = "WARN"
    journal.log("INFO", "start")
    journal.log("WARN", "retry")
    journal.log("ERROR", "end")
    assert [line["event"] for line in log_lines(capsys.readouterr().out)] == ["retry", "end"]


def test_end_is_the_last_line_and_tells_all(capsys: pytest.CaptureFixture[str]) -> None:
    journal = Journal("id-1")
    with journal.timed("get"):
        pass
    with journal.timed("compress", count=0):
        pass
    error = AggregationError("S3_ERROR", "get x")
    error.__cause__ = ValueError("why")
    journal.end(None, error)
    [end] = log_lines(capsys.readouterr().out)
    phases = end["phases"]
    assert isinstance(phases, dict)
    assert list(phases) == ["list", "get", "decode", "compress", "put", "publish"]
    assert [phase["count"] for phase in phases.values()] == [0, 1, 0, 0, 0, 0]
    assert (end["level"], end["error"], end["cause"], end["result"]) == (
        "ERROR",
        "S3_ERROR: get x",
        "ValueError: why",
        None,
    )
