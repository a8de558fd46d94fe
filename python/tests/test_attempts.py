"""Requests whose attempts are told how to fail."""

import asyncio
import time
from itertools import count

import pytest
from memory_store import log_lines, with_attempts

from aggregator import attempts as attempts_module
from aggregator.attempts import Attempts, OutOfTimeError, open_attempts
from aggregator.errors import AggregationError, BadSourceError
from aggregator.journal import Journal
from aggregator.store import AttemptError


@pytest.fixture(autouse=True)
def short_delays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempts_module, "_FIRST_DELAY_S", 0.0001)


class Failing:
    """An attempt that fails so often and then gives 7; ``made`` counts."""

    def __init__(self, times: int, *, again: bool = True) -> None:
        self.made = 0
        self._times = times
        self._again = again

    async def __call__(self) -> int:
        self.made += 1
        if self.made <= self._times:
            raise AttemptError("503 Busy", again=self._again, code="Busy")
        return 7


async def hang() -> int:
    await asyncio.sleep(60)
    raise AssertionError("nobody waits so long")


async def missing() -> int:
    raise BadSourceError("MISSING")


def test_four_failures_are_survived(capsys: pytest.CaptureFixture[str]) -> None:
    attempt = Failing(4)
    assert with_attempts(lambda attempts: attempts.run("get", "key", attempt)) == 7
    assert attempt.made == 5
    log = log_lines(capsys.readouterr().out)
    assert [(line["event"], line["attempt"]) for line in log] == [("retry", n) for n in range(1, 5)]
    assert (log[0]["operation"], log[0]["key"], log[0]["cause"]) == (
        "get",
        "key",
        "503 Busy",
    )


@pytest.mark.parametrize(("again", "made_in_all"), [(True, 5), (False, 1)])
def test_failure_ends_the_request(
    capsys: pytest.CaptureFixture[str], again: bool, made_in_all: int
) -> None:
    attempt = Failing(99, again=again)
    with pytest.raises(AggregationError, match=r"^S3_ERROR: put key \(Busy\)$") as caught:
        with_attempts(lambda attempts: attempts.run("put", "key", attempt))
    assert attempt.made == made_in_all
    assert str(caught.value.__cause__) == "503 Busy"
    log = log_lines(capsys.readouterr().out)
    assert [line["attempt"] for line in log] == list(range(1, made_in_all))


def test_delays_double(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempts_module, "_FIRST_DELAY_S", 0.02)
    started = time.monotonic()
    with_attempts(lambda attempts: attempts.run("get", "key", Failing(4)))
    assert 0.15 <= time.monotonic() - started < 1  # half of 20, 40, 80 and 160 ms at least


def test_the_deadline_ends_what_hangs() -> None:
    with pytest.raises(OutOfTimeError):
        with_attempts(lambda attempts: attempts.run("get", "key", hang), remaining_s=0.2)


def test_the_deadline_ends_what_never_waits() -> None:
    async def work(attempts: Attempts) -> None:
        for _ in range(100):
            time.sleep(0.01)
            attempts.check_time()

    with pytest.raises(OutOfTimeError):
        with_attempts(work, remaining_s=0.2)


def test_publishing_ignores_a_deadline_that_is_ahead() -> None:
    async def work(attempts: Attempts) -> int:
        attempts.finish_whatever_the_time()
        await asyncio.sleep(0.3)
        attempts.check_time()
        return 7

    assert with_attempts(work, remaining_s=0.2) == 7


def test_publishing_does_not_begin_after_the_deadline() -> None:
    async def work(attempts: Attempts) -> None:
        time.sleep(0.3)
        attempts.finish_whatever_the_time()

    with pytest.raises(OutOfTimeError):
        with_attempts(work, remaining_s=0.2)


def test_a_failure_is_not_kept_waiting() -> None:
    async def work(attempts: Attempts) -> None:
        waiting = attempts.start(attempts.run("get", "first", hang))
        attempts.start(attempts.run("get", "second", Failing(99, again=False)))
        await waiting

    with pytest.raises(AggregationError, match=r"^S3_ERROR: get second \(Busy\)$"):
        with_attempts(work)


def test_a_bad_source_is_for_the_caller() -> None:
    async def work(attempts: Attempts) -> int:
        with pytest.raises(BadSourceError, match="MISSING"):
            await attempts.run("get", "key", missing)
        return await attempts.run("get", "key", Failing(0))

    assert with_attempts(work) == 7


def test_requests_in_flight_are_bounded() -> None:
    in_flight, most = 0, 0

    async def attempt() -> None:
        nonlocal in_flight, most
        in_flight += 1
        most = max(most, in_flight)
        await asyncio.sleep(0.001)
        in_flight -= 1

    async def work(attempts: Attempts) -> None:
        requests = [attempts.start(attempts.run("get", str(n), attempt)) for n in range(20)]
        await asyncio.gather(*requests)

    with_attempts(work, concurrency=3)
    assert most == 3


def test_a_request_that_will_be_repeated_leaves_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempts_module, "_FIRST_DELAY_S", 0.1)
    order = count()
    ended: dict[str, int] = {}

    async def work(attempts: Attempts) -> None:
        async def request(key: str, attempt: Failing) -> None:
            await attempts.run("get", key, attempt)
            ended[key] = next(order)

        tasks = [attempts.start(request("failing", Failing(1)))]
        tasks.append(attempts.start(request("next", Failing(0))))
        await asyncio.gather(*tasks)

    with_attempts(work, concurrency=1)
    assert ended == {"next": 0, "failing": 1}


def test_time_in_the_queue_is_not_counted(capsys: pytest.CaptureFixture[str]) -> None:
    journal = Journal("id")

    async def attempt() -> None:
        await asyncio.sleep(0.1)

    async def invocation() -> None:
        async with open_attempts(1, 60, journal) as attempts:
            runs = [attempts.run("get", str(n), attempt, "get") for n in range(3)]
            await asyncio.gather(*map(attempts.start, runs))

    asyncio.run(invocation())
    journal.end(None, None)
    [end] = log_lines(capsys.readouterr().out)
    phases = end["phases"]
    assert isinstance(phases, dict)
    assert phases["get"]["count"] == 3
    assert 300 <= phases["get"]["sum_ms"] < 550
