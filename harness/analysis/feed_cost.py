"""The costs of a feed in a month, by the way of its records to S3: a model of list prices.

The rate is constant and spread evenly. The model has the task, the stream, the delivery, the queue,
and the puts of the files. It leaves out storage, log lines, alarms and a NAT gateway, which are the
same for all ways or depend on the network. ``python -m harness.analysis.feed_cost`` prints it.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import ceil

from tabulate import tabulate

from harness.analysis.cost import (
    MONTH_HOURS,
    gb_second_prices,
    network_price,
    price_region,
    request_price,
    s3_price,
    service_date,
    service_price,
    task_second_price,
)

RATES = (1, 10, 100, 1_000)
RECORD_BYTES = 1_300  # about the mean of the records that a feed of the harness has
BUFFER_S = 300
FIREHOSE_BYTES = 128 * 2**20
PARTITIONS = 100
#: Of the function in feed.yaml: a guess for a batch. 6 MB took 0.14 s of a whole CPU here, and 512
#: MB have three tenths of one.
WRITER_S, WRITER_MB = 1.0, 512

_MONTH_S = MONTH_HOURS * 3600
_DAY_S = 24 * 3600
_GB = 2**30
_KB = 2**10
TASK_VCPUS, TASK_MB = 0.25, 512
_ARCHITECTURE = "arm64"
_SHARD_RECORDS_S, _SHARD_BYTES_S = 1_000, 2**20
_ON_DEMAND_SHARDS = 4  # of a new stream
BATCH_RECORDS, _EVENT_BYTES = 10_000, 6 * 2**20
_EVENT_ENVELOPE = 560  # bytes of Lambda's event for a record, beside its base64
_SQS_BATCH = 10


@dataclass(frozen=True, slots=True)
class Feed:
    """Records a second, and the size of one."""

    records_s: float
    record_bytes: int = RECORD_BYTES

    @property
    def shards(self) -> int:
        """The least number that takes the rate; a real stream needs more, for its bursts."""
        by_records = self.records_s / _SHARD_RECORDS_S
        return max(1, ceil(by_records), ceil(self.records_s * self.record_bytes / _SHARD_BYTES_S))

    def rounded_gb(self, step: int) -> float:
        """GB a second if each record is rounded up to a multiple of so many bytes."""
        return self.records_s * ceil(self.record_bytes / step) * step / _GB


@dataclass(frozen=True, slots=True)
class Way:
    """A way to S3: US dollars a month, files a second, and whether the aggregation reads them."""

    name: str
    dollars: float
    files_s: float
    is_read: bool

    @property
    def files_a_day(self) -> float:
        return self.files_s * _DAY_S


def ways(feed: Feed) -> Sequence[Way]:
    """All of them, the pipeline of feed.yaml first."""
    return tuple(_ways(feed))


def _ways(feed: Feed) -> Iterator[Way]:
    task, stream, queue = _task(), _stream(feed), _queue(feed)
    batches, one, many = _batches(feed, feed.shards), _files(feed), _files(feed, PARTITIONS)
    yield Way("stream, function", task + stream + _function(batches), batches, True)
    open_shards = max(feed.shards, _ON_DEMAND_SHARDS)
    yield Way(
        "on demand, function",
        task + _on_demand(feed) + _function(_batches(feed, open_shards)),
        _batches(feed, open_shards),
        True,
    )
    delivered = _firehose(feed, 5 * _KB)
    yield Way("stream, Firehose", task + stream + delivered + _puts(one), one, False)
    yield Way(
        f"Firehose, {PARTITIONS} keys",
        task + stream + delivered + _partitioned(feed, many) + _puts(many),
        many,
        False,
    )
    yield Way("Firehose, direct put", task + delivered + _puts(one), one, False)
    joined = _firehose(feed, 1)
    yield Way("Firehose, records joined", task + joined + _puts(one), one, False)
    queued = _batches(feed, 1)
    yield Way("queue, function", task + queue + _function(queued), queued, True)
    yield Way("the task writes files", task + _puts(one), one, True)
    yield Way("the third party writes files", _puts(one), one, True)


def _task() -> float:
    """A task with a public address, for a month."""
    second = task_second_price(_ARCHITECTURE, TASK_VCPUS, TASK_MB)
    return _MONTH_S * second + MONTH_HOURS * network_price("public_ip_hour")


def _stream(feed: Feed) -> float:
    """A stream of as few shards as do."""
    units = feed.records_s * ceil(feed.record_bytes / (25 * _KB))
    shards = feed.shards * MONTH_HOURS * service_price("kinesis", "shard_hour")
    return shards + _MONTH_S * units * service_price("kinesis", "put_unit")


def _on_demand(feed: Feed) -> float:
    """A stream on demand that is read once."""
    written = feed.rounded_gb(_KB) * service_price("kinesis", "on_demand_gb_in")
    read = feed.rounded_gb(1) * service_price("kinesis", "on_demand_gb_out")
    return MONTH_HOURS * service_price("kinesis", "on_demand_hour") + _MONTH_S * (written + read)


def _firehose(feed: Feed, step: int) -> float:
    return _MONTH_S * feed.rounded_gb(step) * service_price("firehose", "gb")


def _partitioned(feed: Feed, files_s: float) -> float:
    """The additional costs of dynamic partitioning, without the hours of JQ."""
    gigabytes = feed.rounded_gb(1) * service_price("firehose", "partitioned_gb")
    return _MONTH_S * (gigabytes + files_s * service_price("firehose", "partitioned_object"))


def _function(batches_s: float) -> float:
    """Its invocations, with a put for each."""
    gb_seconds = WRITER_S * WRITER_MB / 1024
    invocation = request_price() + gb_seconds * gb_second_prices()[_ARCHITECTURE]
    return _MONTH_S * batches_s * invocation + _puts(batches_s)


def _queue(feed: Feed) -> float:
    """Ten messages are sent, received and deleted by three requests, more if they are large."""
    sent = ceil(_SQS_BATCH * feed.record_bytes / (64 * _KB))
    requests = feed.records_s / _SQS_BATCH * (2 * sent + 1)
    return _MONTH_S * requests * service_price("sqs", "request")


def _batches(feed: Feed, pollers: int) -> float:
    """Batches a second of an event source mapping: by time, by number or by the event's size."""
    rate = feed.records_s / pollers
    event_bytes = feed.record_bytes * 4 / 3 + _EVENT_ENVELOPE
    full = max(1 / BUFFER_S, rate / BATCH_RECORDS, rate * event_bytes / _EVENT_BYTES)
    return pollers * min(rate, full)


def _files(feed: Feed, partitions: int = 1) -> float:
    """Files a second by Firehose's two hints: by time, or by size before compression."""
    rate = feed.records_s / partitions
    full = max(1 / BUFFER_S, rate * feed.record_bytes / FIREHOSE_BYTES)
    return partitions * min(rate, full)


def _puts(files_s: float) -> float:
    return _MONTH_S * files_s * s3_price("put")


type Table = tuple[Sequence[str], Sequence[Sequence[str]]]


def dollars_table(record_bytes: int = RECORD_BYTES) -> Table:
    """Heads and lines: a way, its dollars at each rate, and whether the aggregation reads it."""
    by_rate = [ways(Feed(rate, record_bytes)) for rate in RATES]
    heads = ("way", *(f"{rate:,}/s" for rate in RATES), "read")
    lines = [
        (each[0].name, *(f"{way.dollars:,.2f}" for way in each), "yes" if each[0].is_read else "no")
        for each in zip(*by_rate, strict=True)
    ]
    return heads, lines


def files_table(record_bytes: int = RECORD_BYTES) -> Table:
    """Heads and lines: a way, and its files a day with their mean size at each rate."""
    by_rate = [(rate, ways(Feed(rate, record_bytes))) for rate in RATES]
    heads = ("way", *(f"{rate:,}/s" for rate in RATES))
    lines = []
    for number, way in enumerate(by_rate[0][1]):
        cells = []
        for rate, each in by_rate:
            size = rate * record_bytes / each[number].files_s
            cells.append(f"{each[number].files_a_day:,.0f} x {_size(size)}")
        lines.append((way.name, *cells))
    return heads, lines


def about() -> str:
    """The prices' place and dates."""
    services = ("fargate", "kinesis", "firehose", "sqs")
    dates = sorted({service_date(each) for each in services})
    return f"AWS list prices of {price_region()}, looked up on {' and '.join(dates)}"


def _size(count: float) -> str:
    number, unit = (count / 1e6, "MB") if count >= 1e6 else (count / 1e3, "kB")
    return f"{number:.0f} {unit}" if number >= 10 else f"{number:.1f} {unit}"


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m harness.analysis.feed_cost", description="Costs of a feed, as a model"
    )
    parser.add_argument("--record-bytes", type=int, default=RECORD_BYTES)
    size = parser.parse_args().record_bytes
    print(f"US dollars a month, records of {size:,} bytes ({about()}):\n")
    for heads, lines in (dollars_table(size), files_table(size)):
        align = ("left", *["right"] * (len(heads) - 1))
        print(tabulate(lines, heads, disable_numparse=True, colalign=align), "\n")


if __name__ == "__main__":
    main()
