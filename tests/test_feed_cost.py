"""The costs of a feed by its way to S3: rounding, limits, and the values of feed.yaml."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest
from test_feed_template import deployed, template

from harness.analysis import feed_cost
from harness.analysis.feed_cost import Feed, Way, ways
from harness.toolchain.paths import ROOT

MONTH_S = 730 * 3600
PRICES: dict[str, Any] = tomllib.loads((ROOT / "harness/analysis/prices.toml").read_text())
TASK = 730 * (0.25 * 0.03238 + 0.5 * 0.00356 + 0.005)


def way(name: str, feed: Feed) -> Way:
    (found,) = (each for each in ways(feed) if each.name == name)
    return found


@pytest.mark.parametrize(
    ("rate", "size", "shards"),
    [(0.1, 200, 1), (1000, 200, 1), (1001, 200, 2), (100, 2**20 // 100, 1), (101, 2**20, 101)],
)
def test_a_shard_takes_a_thousand_records_and_a_mebibyte_a_second(
    rate: float, size: int, shards: int
) -> None:
    assert Feed(rate, size).shards == shards


def test_the_third_party_pays_its_puts_alone() -> None:
    for rate in (1, 10, 100):
        found = way("the third party writes files", Feed(rate))
        assert found.files_a_day == pytest.approx(288)
        assert found.dollars == pytest.approx(MONTH_S / 300 * 0.000005)
        assert way("the task writes files", Feed(rate)).dollars == pytest.approx(
            found.dollars + TASK
        )


@pytest.mark.parametrize(("size", "billed"), [(1, 5120), (5120, 5120), (5121, 10240)])
def test_firehose_bills_a_record_in_steps_of_five_kilobytes(size: int, billed: int) -> None:
    feed = Feed(1000, size)
    direct, joined = (
        way(name, feed) for name in ("Firehose, direct put", "Firehose, records joined")
    )
    puts = way("the third party writes files", feed).dollars
    gigabytes = MONTH_S * 1000 / 2**30
    assert direct.dollars == pytest.approx(TASK + puts + gigabytes * billed * 0.029)
    assert joined.dollars == pytest.approx(TASK + puts + gigabytes * size * 0.029)


def test_the_pipeline_pays_for_task_shards_units_invocations_and_puts() -> None:
    found = way("stream, function", Feed(1, 200))
    invocations = MONTH_S / 300
    invocation = 0.0000002 + 1.0 * 0.5 * 0.0000133334 + 0.000005
    expected = TASK + 730 * 0.015 + MONTH_S * 0.000000014 + invocations * invocation
    assert found.dollars == pytest.approx(expected)
    one, two = (way("stream, Firehose", Feed(1, 25 * 1024 + more)) for more in (0, 1))
    step = MONTH_S / 2**30 * 5120 * 0.029  # of Firehose
    assert two.dollars - one.dollars == pytest.approx(step + MONTH_S * 0.000000014)


def test_a_batch_ends_by_time_by_number_or_by_the_size_of_the_event() -> None:
    assert way("stream, function", Feed(1, 200)).files_s == pytest.approx(1 / 300)
    assert way("stream, function", Feed(900, 1)).files_s == pytest.approx(900 / 10_000)
    large = way("stream, function", Feed(10, 30_000)).files_s
    assert large == pytest.approx(10 * (40_000 + 560) / (6 * 2**20))
    assert way("stream, function", Feed(0.001)).files_s == 0.001  # a file has a record at least


def test_a_stream_on_demand_rounds_to_a_kilobyte_and_has_four_shards() -> None:
    one, more = (way("on demand, function", Feed(1, size)) for size in (1024, 1025))
    assert one.files_s == pytest.approx(4 / 300)
    stepped = MONTH_S / 2**30 * (1024 * 0.08 + 0.04)
    assert more.dollars - one.dollars == pytest.approx(stepped)


def test_each_partition_has_files_of_its_own() -> None:
    one, many = (way(name, Feed(100)) for name in ("stream, Firehose", "Firehose, 100 keys"))
    assert many.files_s == pytest.approx(100 * one.files_s)
    more_puts = MONTH_S * (many.files_s - one.files_s) * 0.000005
    extra = MONTH_S * (100 * 1300 / 2**30 * 0.02 + many.files_s * 0.000005)
    assert many.dollars - one.dollars == pytest.approx(more_puts + extra)


def test_a_queue_takes_ten_messages_by_three_requests_and_more_if_they_are_large() -> None:
    small, large = (way("queue, function", Feed(10, size)) for size in (6553, 6554))
    requests = MONTH_S * 0.0000004
    invocations = MONTH_S * (large.files_s - small.files_s)
    invocation = 0.0000002 + 0.5 * 0.0000133334 + 0.000005
    assert large.dollars - small.dollars == pytest.approx(2 * requests + invocations * invocation)


def test_the_aggregation_reads_what_has_the_envelope() -> None:
    """As tests/test_feed_template.py shows it."""
    for each in ways(Feed(10)):
        assert each.is_read == ("Firehose" not in each.name)


def test_the_model_has_the_values_of_the_template() -> None:
    parameters, made = template()["Parameters"], deployed()
    assert parameters["BufferSeconds"]["Default"] == feed_cost.BUFFER_S
    assert parameters["BufferMegabytes"]["Default"] * 2**20 == feed_cost.FIREHOSE_BYTES
    assert made["WriterMapping"]["BatchSize"] == feed_cost.BATCH_RECORDS
    assert made["Writer"]["MemorySize"] == feed_cost.WRITER_MB
    assert made["Writer"]["Architectures"] == ["arm64"]
    assert parameters["Architecture"]["Default"] == "arm64"
    size = (int(made["TaskDefinition"][name]) for name in ("Cpu", "Memory"))
    assert tuple(size) == (feed_cost.TASK_VCPUS * 1024, feed_cost.TASK_MB)


def test_the_prices_of_the_model_are_dated() -> None:
    for service in ("kinesis", "firehose", "sqs"):
        assert PRICES[service]["source"].startswith("https://aws.amazon.com/")
        assert PRICES[service]["looked_up"].year >= 2026


def test_the_command_prints_both_tables(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["feed_cost", "--record-bytes", "5120"])
    feed_cost.main()
    printed = capsys.readouterr().out
    assert (
        "US dollars a month, records of 5,120 bytes (AWS list prices of us-east-1, looked"
        in printed
    )
    for name in (each.name for each in ways(Feed(1))):
        assert printed.count(f"\n{name} ") == 2
