"""The cost of a row on AWS: a model, from the slope between two sizes of the day.

The slope leaves out the fixed cost of an invocation. A row has a cost only if both sizes were
measured under Lambda's limits; both are measured only with a latency to S3 like that on AWS. AWS
bills duration times memory size; the prices are list prices (``prices.toml``).
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from statistics import median
from typing import Any

from harness.analysis.intervals import ConfidenceInterval, summarise
from harness.model import Comparison, Row, Sample, SampleKind

ARCHITECTURES = ("arm64", "x86_64")
_PRICES = Path(__file__).with_name("prices.toml")
_LONGEST_MS = 900_000  # Lambda's time-out
_KEYS_PER_PAGE = 1000
MONTH_HOURS = 730  # in AWS's own calculators
_MONTH_S = MONTH_HOURS * 3600
_MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class Cost:
    """The modelled cost, in US dollars by architecture.

    ``ms_per_source`` is the slope with its 95 % interval. ``fixed_ms`` is the warm duration of a
    day without sources. ``duration`` is the cost of a million sources. ``cold_starts`` is the cost
    of the init, or the hooks after a restore, and the request of a million cold invocations
    (``None`` without cold samples).
    ``sources_per_invocation`` is the number of sources in one invocation of 15 minutes.
    """

    ms_per_source: ConfidenceInterval
    fixed_ms: float
    duration: Mapping[str, ConfidenceInterval]
    cold_starts: Mapping[str, float] | None
    sources_per_invocation: int


def cost(row: Row, comparison: Comparison) -> Cost | None:
    """The modelled cost of a row, or ``None`` without the samples or limits that it needs."""
    warm, half = _by_round(row, SampleKind.WARM), _by_round(row, SampleKind.HALF)
    rounds = sorted(warm.keys() & half.keys())
    if not rounds or not has_limits(row):
        return None
    sources = int(str(comparison.fixture["sources"]))
    more = sources - half_of(sources)
    summary = summarise([(warm[number] - half[number]) / more for number in rounds])
    if summary is None or summary.median <= 0:
        return None
    slope = summary.interval or ConfidenceInterval(
        summary.median, summary.median, summary.median, 1
    )
    fixed_ms = max(0.0, median(warm.values()) - slope.estimate * sources)
    gigabytes = memory_mb(row, comparison) / 1024
    return Cost(
        slope,
        fixed_ms,
        {
            name: _times(slope, _MILLION / 1000 * gigabytes * price)
            for name, price in gb_second_prices().items()
        },
        _cold_starts(row, gigabytes),
        int((_LONGEST_MS - fixed_ms) / slope.estimate),
    )


def has_limits(row: Row) -> bool:
    """Whether it was measured under Lambda's limits; without them its times cost nothing on AWS."""
    return row.enforcement is None or row.enforcement.mechanism is not None


def half_of(sources: int) -> int:
    """The number of sources in the half of a day: every second one, with the first."""
    return (sources + 1) // 2


def memory_mb(row: Row, comparison: Comparison) -> int:
    return row.variant.memory_mb or int(str(comparison.settings["memory_mb"]))


def requests_cost(comparison: Comparison) -> float:
    """US dollars for the requests to S3 per million sources, equal for all rows.

    These are a GET for each source, the pages of the listing, and a PUT and a COPY for each chunk.
    """
    fixture = comparison.fixture
    bytes_per_source = int(str(fixture["record_bytes"])) / int(str(fixture["sources"]))
    chunks = _MILLION * bytes_per_source / int(str(comparison.settings["CHUNK_BYTES"]))
    listed = _MILLION / _KEYS_PER_PAGE
    return _MILLION * s3_price("get") + (listed + 2 * chunks) * s3_price("put")


def gb_second_prices() -> Mapping[str, float]:
    """architecture -> US dollars."""
    prices = _prices()["lambda"]["gb_second"]
    return {name: float(prices[name]) for name in ARCHITECTURES}


def request_price() -> float:
    """US dollars for an invocation, without its duration."""
    return float(_prices()["lambda"]["request"])


@dataclass(frozen=True, slots=True)
class SnapshotPrices:
    """US dollars for each GB of a snapshot: for a month, for the least time that is billed, and for
    a restore.
    """

    month: float
    least: float
    restore: float


def snapshot_prices(runtime: str) -> SnapshotPrices:
    """The prices of snapshots of a runtime such as ``java25``; Java's are free of charge."""
    prices = _prices()["lambda"]["snapshot"]
    if runtime.startswith(prices["free_of_charge"]):
        return SnapshotPrices(0.0, 0.0, 0.0)
    second = float(prices["cached_gb_second"])
    return SnapshotPrices(
        second * _MONTH_S, second * int(prices["least_seconds"]), float(prices["restored_gb"])
    )


def snapshot_price() -> float:
    """US dollars for each GB of a version with a snapshot of Python that is used once, at once
    deleted, and billed for the least time.
    """
    prices = snapshot_prices("python")
    return prices.least + prices.restore


def task_second_price(architecture: str, vcpus: float, memory_mb: int) -> float:
    """US dollars for a second of a task on Fargate, of this size."""
    prices = _prices()["fargate"]
    vcpu, gigabyte = (float(prices[name][architecture]) for name in ("vcpu_hour", "gb_hour"))
    return (vcpus * vcpu + memory_mb / 1024 * gigabyte) / 3600


def task_least_seconds() -> int:
    """The shortest time that a task is billed for."""
    return int(_prices()["fargate"]["least_seconds"])


def network_price(name: str) -> float:
    """US dollars for a part of the network of a task, by its name in the list."""
    return float(_prices()["network"][name])


def s3_price(operation: str) -> float:
    """US dollars for a ``get``, or for a ``put`` and other requests with the same price."""
    return float(_prices()["s3"][operation])


def read_price(storage_class: str) -> tuple[float, float]:
    """US dollars for a GET from a storage class of S3, and for each GB that it reads."""
    prices = _prices()["s3"]["read"].get(storage_class, {})
    return float(prices.get("get", s3_price("get"))), float(prices.get("gb", 0.0))


def decrypt_price() -> float:
    """US dollars for a Decrypt of KMS."""
    return float(_prices()["kms"]["decrypt"])


def data_event_price() -> float:
    """US dollars for a data event of CloudTrail."""
    return float(_prices()["cloudtrail"]["data_event"])


def athena_cost(read_bytes: float) -> float:
    """US dollars for a query of Athena that reads so much, without its requests to S3."""
    prices = _prices()["athena"]
    step = int(prices["step_bytes"])
    billed = max(math.ceil(read_bytes / step) * step, int(prices["least_bytes"]))
    return billed / 1e12 * float(prices["tb_read"])


def service_price(service: str, name: str) -> float:
    """US dollars for a unit of a service, both by their names in the list."""
    return float(_prices()[service][name])


def service_date(service: str) -> str:
    """When the prices of a service were looked up, if that was not the day of the list."""
    return str(_prices()[service]["looked_up"])


def price_region() -> str:
    return str(_prices()["region"])


def price_list() -> str:
    """The name of the price list, for a sentence."""
    prices = _prices()
    return f"AWS list prices of {prices['region']} as of {prices['date']}"


def _cold_starts(row: Row, gigabytes: float) -> Mapping[str, float] | None:
    # no cold start pays for an init of before the snapshot, but for the hooks after the restore
    billed = [
        each.init_ms if each.after_restore_ms is None else each.after_restore_ms
        for each in row.samples
    ]
    values = [each for each in billed if each is not None]
    if not values:
        return None
    request = request_price()
    seconds = median(values) / 1000
    return {
        name: _MILLION * (seconds * gigabytes * price + request)
        for name, price in gb_second_prices().items()
    }


def _by_round(row: Row, kind: SampleKind) -> dict[int, float]:
    def fits(each: Sample) -> bool:
        return each.kind is kind and each.duration_ms is not None

    return {each.round: each.duration_ms or 0.0 for each in filter(fits, row.samples)}


def _times(interval: ConfidenceInterval, factor: float) -> ConfidenceInterval:
    low, high = interval.low * factor, interval.high * factor
    return ConfidenceInterval(interval.estimate * factor, low, high, interval.n)


@cache
def _prices() -> Mapping[str, Any]:
    with _PRICES.open("rb") as file:
        return tomllib.load(file)
