"""Requests whose attempts are told how to fail."""

import asyncio
import random
import time
from contextlib import suppress
from itertools import count

import pytest
from memory_store import log_lines, with_attempts

from aggregator import attempts as attempts_module
from aggregator.attempts import Attempts, OutOfTimeError, _Places, open_attempts
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


def test_delays_double(pauses: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempts_module, "_FIRST_DELAY_S", 0.1)
    with_attempts(lambda attempts: attempts.run("get", "key", Failing(4)))
    assert pauses == pytest.approx([0.1, 0.2, 0.4, 0.8])


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


def test_publishing_ignores_a_deadline_that_is_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempts_module, "_ENDING_S", -60)  # the last second comes later

    async def work(attempts: Attempts) -> int:
        attempts.finish_whatever_the_time()
        await asyncio.sleep(1.1)
        attempts.check_time()
        return 7

    assert with_attempts(work, remaining_s=1) == 7


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
        await asyncio.sleep(0.05)

    async def invocation() -> None:
        async with open_attempts(1, 60, journal) as attempts:
            runs = [attempts.run("get", str(n), attempt, "get") for n in range(10)]
            await asyncio.gather(*map(attempts.start, runs))

    asyncio.run(invocation())
    journal.end(None, None)
    [end] = log_lines(capsys.readouterr().out)
    phases = end["phases"]
    assert isinstance(phases, dict)
    assert phases["get"]["count"] == 10
    assert 500 <= phases["get"]["sum_ms"] < 2500  # 2750 with the time in the queue


class Throttled:
    """An attempt that is answered with ``SlowDown`` so often and then gives 7."""

    def __init__(self, times: int) -> None:
        self.made = 0
        self._times = times

    async def __call__(self) -> int:
        self.made += 1
        if self.made <= self._times:
            raise AttemptError("503 SlowDown", again=True, code="SlowDown")
        return 7


@pytest.fixture
def random_pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses that were asked for; none is made."""
    asked: list[float] = []
    sleep = asyncio.sleep

    async def note(delay_s: float) -> None:
        asked.append(delay_s)
        await sleep(0)

    monkeypatch.setattr(asyncio, "sleep", note)
    return asked


@pytest.fixture
def pauses(random_pauses: list[float], monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The same without their random factor."""
    monkeypatch.setattr(random.SystemRandom, "uniform", lambda _, _least, most: most)
    return random_pauses


def test_sandboxes_of_one_snapshot_pause_differently(random_pauses: list[float]) -> None:
    for _ in range(2):
        random.seed(1)  # the state that a restore from a snapshot brings back
        with_attempts(lambda attempts: attempts.run("get", "key", Throttled(4)))
    first, second = random_pauses[:4], random_pauses[4:]
    assert all(0.5 * most <= each <= most for each, most in zip(first, [1, 2, 4, 4], strict=True))
    assert first != second


def test_slow_down_is_not_counted_and_has_its_own_pauses(pauses: list[float]) -> None:
    attempt = Throttled(7)
    assert with_attempts(lambda attempts: attempts.run("get", "key", attempt)) == 7
    assert attempt.made == 8
    assert pauses == [1, 2, 4, 4, 4, 4, 4]


def test_a_final_answer_stays_final_whatever_its_code() -> None:
    async def refused() -> None:
        raise AttemptError("403 SlowDown", again=False, code="SlowDown")

    with pytest.raises(AggregationError, match=r"^S3_ERROR: get key \(SlowDown\)$"):
        with_attempts(lambda attempts: attempts.run("get", "key", refused))


def test_slow_down_ends_with_the_time_of_the_run() -> None:
    with pytest.raises(OutOfTimeError):
        with_attempts(lambda run: run.run("get", "key", Throttled(99)), remaining_s=0.2)


def test_from_publishing_on_slow_down_fails_before_the_last_second(pauses: list[float]) -> None:
    async def work(attempts: Attempts) -> None:
        attempts.finish_whatever_the_time()
        await attempts.run("copy", "key", Throttled(99))

    with pytest.raises(AggregationError, match=r"^S3_ERROR: copy key \(SlowDown\)$"):
        with_attempts(work, remaining_s=4)
    assert pauses == [1, 2]  # no pause was made, so the third would be the first to end too late


def test_from_publishing_on_no_pause_ends_in_the_last_second() -> None:
    attempt = Failing(99)

    async def work(attempts: Attempts) -> None:
        attempts.finish_whatever_the_time()
        attempts.fail_after(0)
        await attempts.run("copy", "key", attempt)

    with pytest.raises(AggregationError, match=r"^S3_ERROR: copy key \(Busy\)$"):
        with_attempts(work)
    assert attempt.made == 1


def test_from_publishing_on_a_request_without_an_answer_fails_in_time() -> None:
    async def work(attempts: Attempts) -> None:
        attempts.finish_whatever_the_time()
        await attempts.run("copy", "key", hang)

    started = time.monotonic()
    with pytest.raises(AggregationError, match=r"^S3_ERROR: copy key$"):
        with_attempts(work, remaining_s=2)
    assert time.monotonic() - started < 30  # it hangs for 60 s


def test_slow_down_halves_what_is_in_flight_and_success_raises_it() -> None:
    async def most_at_once(places: _Places) -> int:
        in_flight = most = 0

        async def request() -> None:
            nonlocal in_flight, most
            async with places:
                in_flight += 1
                most = max(most, in_flight)
                await asyncio.sleep(0)
                in_flight -= 1
                raise BadSourceError("MISSING")  # so that the bound stays

        await asyncio.gather(*(request() for _ in range(9)), return_exceptions=True)
        return most

    async def work() -> list[int]:
        places = _Places(8)
        found = [await most_at_once(places)]
        for _ in range(4):
            with suppress(AttemptError):
                async with places:
                    await Throttled(1)()
            found.append(await most_at_once(places))
        for _ in range(9):
            async with places:
                pass
        return [*found, await most_at_once(places)]

    assert asyncio.run(work()) == [8, 4, 2, 1, 1, 8]


def test_chunks_make_the_deadline_earlier() -> None:
    async def work(attempts: Attempts) -> None:
        attempts.reserve_time(200)  # of 240 quarters of a second
        attempts.check_time()
        attempts.reserve_time(241)
        attempts.check_time()

    with pytest.raises(OutOfTimeError) as caught:
        with_attempts(work, remaining_s=60)
    assert caught.traceback[-1].name == "check_time"
    assert caught.traceback[-2].lineno == work.__code__.co_firstlineno + 3


def test_publishing_does_not_begin_in_the_last_second() -> None:
    async def work(attempts: Attempts) -> None:
        attempts.finish_whatever_the_time()

    with pytest.raises(OutOfTimeError):
        with_attempts(work, remaining_s=1)
