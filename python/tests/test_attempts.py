"""Requests whose attempts are told how to fail."""

import threading
from collections.abc import Callable
from concurrent.futures import CancelledError, ThreadPoolExecutor
from itertools import count

import pytest
from memory_store import log_lines

from aggregator import attempts as attempts_module
from aggregator.attempts import AttemptError, Attempts, OutOfTimeError
from aggregator.errors import AggregationError, BadSourceError
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
    hanging = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        attempts = Attempts(pool, 0.2, Journal("id"))
        with pytest.raises(OutOfTimeError):
            attempts.run("get", "key", hanging.wait)
        with pytest.raises(OutOfTimeError):
            attempts.finish_whatever_the_time()
        attempts.close()
        hanging.set()


def test_what_is_left_behind_keeps_its_place() -> None:
    hanging, made = threading.Event(), []
    with ThreadPoolExecutor(1) as pool:
        first, second = (Attempts(pool, 60, Journal("id")) for _ in range(2))
        left = first.start("get", "left", hanging.wait)
        dropped = first.start("get", "dropped", lambda: made.append("dropped"))
        first.close()
        waiting = second.start("get", "next", lambda: made.append("next"))
        with pytest.raises(TimeoutError):
            waiting.result(0.05)
        hanging.set()
        second.wait(waiting)
        assert left.result() is True
        with pytest.raises(CancelledError):
            dropped.result()
    assert made == ["next"]


def test_closing_ends_retries(capsys: pytest.CaptureFixture[str]) -> None:
    attempt, made = failing(99)
    with ThreadPoolExecutor(1) as pool:
        attempts = Attempts(pool, 60, Journal("id"))

        def closing() -> int:
            attempts.close()
            return attempt()

        with pytest.raises(AggregationError):
            attempts.start("get", "key", closing).result()
    assert made() == 1
    assert capsys.readouterr().out == ""


def test_a_failure_is_not_kept_waiting(attempts: Attempts) -> None:
    hanging = threading.Event()
    waiting = attempts.start("get", "first", lambda: hanging.wait(5))
    attempts.start("get", "missing", missing)
    attempts.start("get", "second", failing(99, again=False)[0])
    with pytest.raises(AggregationError, match=r"^S3_ERROR: get second$"):
        attempts.wait(waiting)
    hanging.set()


def missing() -> None:
    raise BadSourceError("MISSING")
