"""Requests whose attempts are told how to fail."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import CancelledError
from itertools import count

import pytest
from memory_store import log_lines

from aggregator import attempts as attempts_module
from aggregator.attempts import Attempt, AttemptError, Attempts, Lanes, OutOfTimeError
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
    attempts = Attempts(Lanes(1), 0.2, Journal("id"))
    with pytest.raises(OutOfTimeError):
        attempts.run("get", "key", hanging.wait)
    with pytest.raises(OutOfTimeError):
        attempts.finish_whatever_the_time()
    attempts.close()
    hanging.set()


def test_what_is_left_behind_keeps_its_place() -> None:
    hanging, made = threading.Event(), []
    lanes = Lanes(1)
    first, second = (Attempts(lanes, 60, Journal("id")) for _ in range(2))
    left = first.start("get", "left", hanging.wait)
    dropped = first.start("get", "dropped", lambda: made.append("dropped"))
    first.close()
    waiting = second.start("get", "next", lambda: made.append("next"))
    time.sleep(0.05)
    assert not waiting.ended
    hanging.set()
    second.wait(waiting)
    assert left.answer is True
    assert isinstance(dropped.error, CancelledError)
    assert made == ["next"]


def test_closing_ends_retries(capsys: pytest.CaptureFixture[str]) -> None:
    attempt, made = failing(99)
    attempts = Attempts(Lanes(1), 60, Journal("id"))

    def closing() -> int:
        attempts.close()
        return attempt()

    with pytest.raises(AggregationError):
        attempts.run("get", "key", closing)
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


def missing() -> int:
    raise BadSourceError("MISSING")


class Begun:
    """An attempt that was begun without a thread and ends when the test says so."""

    done: Callable[[Attempt[int]], None]

    def __call__(self, done: Callable[[Attempt[int]], None]) -> bool:
        self.done = done
        return True


def never() -> int:
    raise AssertionError("the first attempt was begun")


def test_a_begun_attempt_answers(attempts: Attempts) -> None:
    begun = Begun()
    request = attempts.start("get", "key", never, "get", begun)
    threading.Timer(0.05, begun.done, [lambda: 7]).start()
    assert attempts.wait(request) == 7


def test_a_begun_attempt_that_fails_is_the_first_of_five(
    attempts: Attempts, capsys: pytest.CaptureFixture[str]
) -> None:
    begun = Begun()
    attempt, made = failing(99)
    request = attempts.start("get", "key", attempt, "get", begun)
    begun.done(attempt)
    with pytest.raises(AggregationError, match=r"^S3_ERROR: get key$"):
        attempts.wait(request)
    assert made() == 5
    assert [line["attempt"] for line in log_lines(capsys.readouterr().out)] == [1, 2, 3, 4]


def test_a_begun_attempt_may_find_a_bad_source(attempts: Attempts) -> None:
    begun = Begun()
    request = attempts.start("get", "key", never, "get", begun)
    begun.done(missing)
    with pytest.raises(BadSourceError, match="MISSING"):
        attempts.wait(request)


def test_what_cannot_begin_is_made_in_a_thread(attempts: Attempts) -> None:
    request = attempts.start("get", "key", lambda: 7, "get", lambda _: False)
    assert attempts.wait(request) == 7


def test_what_fails_to_begin_keeps_no_place() -> None:
    attempts = Attempts(Lanes(1), 60, Journal("id"))

    def broken(_: Callable[[Attempt[int]], None]) -> bool:
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        attempts.start("get", "key", never, "get", broken)
    assert attempts.run("get", "key", lambda: 7) == 7


def test_a_begun_attempt_has_a_place() -> None:
    begun, late = Begun(), Begun()
    lanes = Lanes(1)
    first, second = (Attempts(lanes, 60, Journal("id")) for _ in range(2))
    left = first.start("get", "left", never, None, begun)
    first.close()
    waiting = second.start("get", "next", lambda: 1, None, late)
    time.sleep(0.05)
    assert not hasattr(late, "done")
    assert not waiting.ended
    begun.done(lambda: 7)
    assert left.answer == 7
    assert second.wait(waiting) == 1
