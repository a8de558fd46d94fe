"""Claims of one day, of this run and of others, in the store in memory."""

import asyncio
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from memory_store import DESTINATION, MemoryStore, make_config, with_attempts

from aggregator.attempts import Attempts
from aggregator.claim import Claim
from aggregator.errors import AggregationError
from aggregator.store import AttemptError, Body
from aggregator.trigger import parse_trigger

KEY = "2024/02/08/_claim.json"
DAY = parse_trigger({"year": 2024, "month": 2, "day": 8})
CONFIG = make_config()


def claim_of(store: MemoryStore, run: str = "run", remaining_s: float = 900) -> Claim:
    return Claim(store, CONFIG, DAY, run, remaining_s)


def taken(claim: Claim) -> None:
    with_attempts(claim.take)


def released(claim: Claim, within_s: float = 5) -> None:
    with_attempts(lambda attempts: claim.release(attempts, within_s))


def another(expires_in_s: float, run: str = "another") -> bytes:
    until = datetime.now(UTC) + timedelta(seconds=expires_in_s)
    text = until.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return json.dumps({"run": run, "expires": text}, separators=(",", ":")).encode()


class Interfering(MemoryStore):
    """Before each conditional put, the next of ``bodies`` takes the claim's place."""

    def __init__(self, *bodies: bytes | None) -> None:
        super().__init__()
        self._bodies: Iterator[bytes | None] = iter(bodies)

    async def put_if(
        self, bucket: str, key: str, body: Body, content_type: str, etag: str | None
    ) -> str | None:
        for other in self._bodies:
            self.buckets[bucket].pop(key, None)
            if other is not None:
                self.buckets[bucket][key] = other
            break
        return await super().put_if(bucket, key, body, content_type, etag)


def test_a_free_day_is_claimed_and_given_back() -> None:
    store = MemoryStore()
    objects = store.buckets[DESTINATION]
    claim = claim_of(store, remaining_s=900)
    taken(claim)
    text = json.loads(objects[KEY])
    assert list(text) == ["run", "expires"]
    assert text["run"] == "run"
    assert len(text["expires"]) == len("2024-02-08T00:00:00.000Z")
    left = datetime.fromisoformat(text["expires"]) - datetime.now(UTC)
    assert 959 <= left.total_seconds() <= 960
    assert store.content_types[KEY] == "application/json"
    assert store.requests == [("put", KEY)]
    released(claim)
    assert objects == {}


@pytest.mark.parametrize("expires_in_s", [1, 1e9])
def test_a_claim_in_force_is_left_alone(expires_in_s: float) -> None:
    store = MemoryStore()
    store.buckets[DESTINATION][KEY] = theirs = another(expires_in_s)
    claim = claim_of(store)
    with pytest.raises(AggregationError, match=f"^BUSY: {KEY}$"):
        taken(claim)
    released(claim)
    assert store.buckets[DESTINATION] == {KEY: theirs}
    assert [operation for operation, _ in store.requests] == ["put", "get"]


@pytest.mark.parametrize(
    "theirs",
    [
        another(-1),
        b"",
        b"\xff",
        b"[]",
        b"null",
        b"{}",
        b'{"run":"another"}',
        b'{"expires":"9999-12-31T23:59:59.999Z"}',
        b'{"run":1,"expires":"9999-12-31T23:59:59.999Z"}',
        b'{"run":"another","expires":99999999999999}',
        b'{"run":"another","expires":"9999-12-31"}',
        b'{"run":"another","expires":"9999-12-31T23:59:59Z"}',
        b'{"run":"another","expires":"9999-12-31T23:59:59.999Z\\n"}',
        b'{"run":"another","expires":"9999-13-31T23:59:59.999Z"}',
        b"[" * 100_000,
    ],
)
def test_a_claim_without_force_is_taken_over(theirs: bytes) -> None:
    store = MemoryStore()
    store.buckets[DESTINATION][KEY] = theirs
    claim = claim_of(store)
    taken(claim)
    assert json.loads(store.buckets[DESTINATION][KEY])["run"] == "run"
    released(claim)
    assert store.buckets[DESTINATION] == {}


def test_a_claim_that_vanishes_is_claimed_anew() -> None:
    store = Interfering(another(-1), None, None)
    taken(claim_of(store))
    assert json.loads(store.buckets[DESTINATION][KEY])["run"] == "run"
    assert [operation for operation, _ in store.requests] == ["put", "get", "put", "put"]


def test_a_claim_that_another_run_takes_over_first_is_theirs() -> None:
    theirs = another(60)
    store = Interfering(another(-1), theirs)
    with pytest.raises(AggregationError, match=f"^BUSY: {KEY}$"):
        taken(claim_of(store))
    assert store.buckets[DESTINATION] == {KEY: theirs}


def test_after_five_rounds_the_day_is_busy() -> None:
    store = Interfering(*(another(-n) for n in range(1, 99)))
    with pytest.raises(AggregationError, match=f"^BUSY: {KEY}$"):
        taken(claim_of(store))
    assert [operation for operation, _ in store.requests] == ["put", "get", "put"] * 5


def test_a_claim_whose_answer_was_lost_is_recognised() -> None:
    class Losing(MemoryStore):
        lost = False

        async def put_if(
            self, bucket: str, key: str, body: Body, content_type: str, etag: str | None
        ) -> str | None:
            answer = await super().put_if(bucket, key, body, content_type, etag)
            if not self.lost:
                self.lost = True
                raise AttemptError("reset", again=True)
            return answer

    store = Losing()
    claim = claim_of(store)
    taken(claim)
    assert [operation for operation, _ in store.requests] == ["put", "put", "get"]
    released(claim)
    assert store.buckets[DESTINATION] == {}


def test_a_claim_of_the_same_run_with_another_end_is_not_its_own() -> None:
    store = MemoryStore()
    store.buckets[DESTINATION][KEY] = another(60, run="run")
    with pytest.raises(AggregationError, match=r"^BUSY"):
        taken(claim_of(store))


def test_a_release_leaves_the_claim_of_another_run() -> None:
    store = MemoryStore()
    claim = claim_of(store)
    taken(claim)
    store.buckets[DESTINATION][KEY] = theirs = another(60)
    released(claim)
    assert store.buckets[DESTINATION] == {KEY: theirs}


def test_a_release_that_fails_is_no_fault() -> None:
    store = MemoryStore(faults={("delete", KEY): "InternalError"})
    claim = claim_of(store)
    taken(claim)
    released(claim)
    assert KEY in store.buckets[DESTINATION]


def test_a_release_ends_before_the_invocation() -> None:
    class Hanging(MemoryStore):
        async def delete_if(self, bucket: str, key: str, etag: str) -> None:
            await asyncio.sleep(60)

    claim = claim_of(Hanging())
    taken(claim)
    started = datetime.now(UTC)
    released(claim, within_s=0.05)
    assert datetime.now(UTC) - started < timedelta(seconds=30)


def test_nothing_is_released_that_was_not_taken() -> None:
    store = MemoryStore(faults={("put", KEY): "AccessDenied"})
    claim = claim_of(store)

    async def work(attempts: Attempts) -> None:
        await claim.take(attempts)

    with pytest.raises(AggregationError, match=f"^S3_ERROR: put {KEY} \\(AccessDenied\\)$"):
        with_attempts(work)
    released(claim)
    assert [operation for operation, _ in store.requests] == ["put"]
