import asyncio

import pytest
from memory_store import SOURCE, MemoryStore, make_config, with_attempts

from aggregator.attempts import Attempts
from aggregator.errors import AggregationError
from aggregator.journal import Journal
from aggregator.lister import PAGES_AHEAD, Lister
from aggregator.store import Page
from aggregator.trigger import Day, parse_trigger

ROOT = "AWSLogs/111122223333/CloudTrail/"
DAY = parse_trigger({"year": 2024, "month": 2, "day": 8})
OF_ACCOUNT = parse_trigger({"year": 2024, "month": 2, "day": 8, "account": "111122223333"})


class SlowListing(MemoryStore):
    """Counts the listings that are in flight together."""

    in_flight = most = 0

    async def list_page(self, bucket: str, prefix: str, delimiter: str, token: str | None) -> Page:
        self.in_flight += 1
        self.most = max(self.most, self.in_flight)
        await asyncio.sleep(0)
        self.in_flight -= 1
        return await super().list_page(bucket, prefix, delimiter, token)


def store_of(keys: list[str]) -> MemoryStore:
    store = MemoryStore(page_size=2)
    store.buckets[SOURCE] = dict.fromkeys(keys, b"x")
    return store


def listed(store: MemoryStore, day: Day = DAY) -> list[str]:
    async def work(attempts: Attempts) -> list[str]:
        lister = Lister(store, attempts, make_config(), Journal("id"))
        prefixes = await lister.find_day_prefixes(day)
        return [one.key async for page in lister.list_pages(prefixes) for one in page]

    return with_attempts(work)


def test_sources_in_byte_order_without_neighbours() -> None:
    wanted = [
        "AWSLogs/111122223333/CloudTrail/eu-west-1/2024/02/08/a//b",
        "AWSLogs/111122223333/CloudTrail/eu-west-1/2024/02/08/a/b",
        "AWSLogs/111122223333/CloudTrail/eu-west-1/2024/02/08/é",
        "AWSLogs/111122223333/CloudTrail/eu-west-1/2024/02/08/\uffff",
        "AWSLogs/111122223333/CloudTrail/eu-west-1/2024/02/08/😀",
        "AWSLogs/111122223333/CloudTrail/\uffff/2024/02/08/a",
        "AWSLogs/111122223333/CloudTrail/😀/2024/02/08/a",
        "AWSLogs/444455556666/CloudTrail/us-east-1/2024/02/08/a",
        "AWSLogs/o-a1/111122223333/CloudTrail/eu-west-1/2024/02/08/a",
    ]
    neighbours = [
        "AWSLogs/111122223333/CloudTrail/eu-west-1/2024/02/08/folder/",
        "AWSLogs/111122223333/CloudTrail/eu-west-1/2024/02/07/a",
        "AWSLogs/111122223333/CloudTrail-Digest/eu-west-1/2024/02/08/a",
        "AWSLogs/11112222333/CloudTrail/eu-west-1/2024/02/08/a",
        "AWSLogs/o-A1/111122223333/CloudTrail/eu-west-1/2024/02/08/a",
        "AWSLogs/aws-account/CloudTrail/eu-west-1/2024/02/08/a",
    ]
    store = store_of(neighbours + wanted[::-1])
    assert listed(store) == wanted
    assert listed(store, OF_ACCOUNT) == [key for key in wanted if "111122223333" in key]


def test_no_region_folder_is_no_trail() -> None:
    with pytest.raises(AggregationError, match=r"^NO_TRAIL: AWSLogs/$"):
        listed(store_of([f"{ROOT}eu-west-1", "AWSLogs/111122223333/CloudTrail"]))


def test_day_without_sources_is_none() -> None:
    assert listed(store_of([f"{ROOT}eu-west-1/2023/01/01/a"])) == []


def test_the_folders_of_a_level_are_listed_side_by_side() -> None:
    accounts = [f"AWSLogs/{account:012d}/" for account in range(4)]
    store = SlowListing(page_size=2)
    store.buckets[SOURCE] = {
        f"{account}CloudTrail/{region}/2024/02/08/a": b"x"
        for account in accounts
        for region in ("eu-west-1", "us-east-1")
    }

    async def work(attempts: Attempts) -> list[str]:
        return await Lister(store, attempts, make_config(), Journal("id")).find_day_prefixes(DAY)

    assert len(with_attempts(work)) == 8
    regions = [f"{account}CloudTrail/" for account in accounts]
    assert sorted(key for _, key in store.requests) == sorted(["AWSLogs/", "AWSLogs/", *regions])
    assert store.most == 4


def test_pages_come_a_few_ahead() -> None:
    keys = [f"{ROOT}r{region:02d}/2024/02/08/{n}" for region in range(20) for n in range(3)]
    store = store_of(keys)

    async def work(attempts: Attempts) -> None:
        lister = Lister(store, attempts, make_config(), Journal("id"))
        prefixes = await lister.find_day_prefixes(DAY)
        assert len(prefixes) == 20
        store.requests.clear()
        taken = ahead = 0
        async for _ in lister.list_pages(prefixes):
            taken += 1
            ahead = max(ahead, len(store.requests) - taken)
        assert ahead == PAGES_AHEAD
        assert taken == len(store.requests) == 40

    with_attempts(work)
