"""Requests whose attempts are told how to fail."""

import threading
from collections.abc import Callable
from itertools import count

import pytest
from memory_store import log_lines

from aggregator import attempts as attempts_module
from aggregator.attempts import AttemptError, Attempts, OutOfTimeError
from aggregator.errors import AggregationError
from aggregator.journal import Journal


@pytest.fixture(autouse=True)
def short_delays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempts_module, "_FIRST_DELAY_S", 0.0001)


def failing(times: int, *, again: bool = True) -> tuple[Callable[[], int], Callable[[], int]]:
    """An attempt that fails so often and then gives 7; and how often it was made."""
    made = count()

    def attempt() -> int:
        if next(made) < times:
            raise AttemptError("503 SlowDown", again=again)
        return 7

    return attempt, lambda: next(made)


def test_four_failures_are_survived(attempts: Attempts, capsys: pytest.CaptureFixture[str]) -> None:
    attempt, made = failing(4)
    assert attempts.run("get", "key", attempt) == 7
    assert made() == 5
    log = log_lines(capsys.readouterr().out)
    assert [(line["event"], line["attempt"]) for line in log] == [("retry", n) for n in range(1, 5)]
    assert (log[0]["operation"], log[0]["key"], log[0]["cause"]) == ("get", "key", "503 SlowDown")


@pytest.mark.parametrize(("again", "made_in_all"), [(True, 5), (False, 1)])
def test_failure_ends_the_request(
    attempts: Attempts, capsys: pytest.CaptureFixture[str], again: bool, made_in_all: int
) -> None:
    attempt, made = failing(99, again=again)
    with pytest.raises(AggregationError, match=r"^S3_ERROR: put key$") as caught:
        attempts.run("put", "key", attempt)
    assert made() == made_in_all
    assert str(caught.value.__cause__) == "503 SlowDown"
    log = log_lines(capsys.readouterr().out)
    assert [line["attempt"] for line in log] == list(range(1, made_in_all))


def test_moment_passes_while_a_request_hangs() -> None:
    attempts = Attempts(1, 0.2, Journal("id"))
    hanging = threading.Event()
    with pytest.raises(OutOfTimeError):
        attempts.run("get", "key", hanging.wait)
    with pytest.raises(OutOfTimeError):
        attempts.finish_whatever_the_time()
    queued = attempts.start("get", "key", hanging.wait)
    attempts.close()
    assert queued.cancelled()
    hanging.set()


def test_closing_ends_retries(capsys: pytest.CaptureFixture[str]) -> None:
    attempts = Attempts(1, 60, Journal("id"))
    attempts.close()
    attempt, made = failing(99)
    with pytest.raises(AggregationError):
        attempts._persist("get", "key", attempt, None)
    assert made() == 1
    assert capsys.readouterr().out == ""
