import pytest
from memory_store import SOURCE, MemoryStore, make_config

from aggregator.attempts import Attempts
from aggregator.errors import AggregationError
from aggregator.journal import Journal
from aggregator.lister import PAGES_AHEAD, Lister
from aggregator.trigger import Day, parse_trigger

ROOT = "AWSLogs/111122223333/CloudTrail/"
DAY = parse_trigger({"year": 2024, "month": 2, "day": 8})
OF_ACCOUNT = parse_trigger({"year": 2024, "month": 2, "day": 8, "account": "111122223333"})


def lister_of(
    attempts: Attempts, keys: list[str], page_size: int = 2
) -> tuple[Lister, MemoryStore]:
    store = MemoryStore(page_size)
    store.buckets[SOURCE] = dict.fromkeys(keys, b"x")
    return Lister(store, attempts, make_config(), Journal("id")), store


def sources(lister: Lister, day: Day = DAY) -> list[str]:
    return [one.key for page in lister.list_pages(lister.find_day_prefixes(day)) for one in page]


def test_sources_in_byte_order_without_neighbours(attempts: Attempts) -> None:
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
    lister, _ = lister_of(attempts, neighbours + wanted[::-1])
    assert sources(lister) == wanted
    lister, _ = lister_of(attempts, neighbours + wanted[::-1])
    assert sources(lister, OF_ACCOUNT) == [key for key in wanted if "111122223333" in key]


def test_no_region_folder_is_no_trail(attempts: Attempts) -> None:
    lister, _ = lister_of(attempts, [f"{ROOT}eu-west-1", "AWSLogs/111122223333/CloudTrail"])
    with pytest.raises(AggregationError, match=r"^NO_TRAIL: AWSLogs/$"):
        lister.find_day_prefixes(DAY)


def test_day_without_sources_is_none(attempts: Attempts) -> None:
    lister, _ = lister_of(attempts, [f"{ROOT}eu-west-1/2023/01/01/a"])
    assert sources(lister) == []


def test_pages_come_a_few_ahead(attempts: Attempts) -> None:
    keys = [f"{ROOT}r{region:02d}/2024/02/08/{n}" for region in range(20) for n in range(3)]
    lister, store = lister_of(attempts, keys)
    prefixes = lister.find_day_prefixes(DAY)
    assert len(prefixes) == 20
    store.requests.clear()
    pages = lister.list_pages(prefixes)
    for taken in range(1, 41):
        next(pages)
        assert len(store.requests) <= taken + PAGES_AHEAD
    assert next(pages, None) is None
    assert len(store.requests) == 40
