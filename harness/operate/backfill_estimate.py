"""The time and the cost of a backfill, estimated from the listings of some of its days."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from harness.analysis.cost import (
    data_event_price,
    decrypt_price,
    gb_second_prices,
    price_list,
    read_price,
    request_price,
    s3_price,
)
from harness.operate.ledger import Task
from harness.operate.sources import SourceCounter, Sources

_GB = 1e9
_KEYS_PER_PAGE = 1000
#: Assumptions. The first is a real S3's wait for a GET; the second is over twice the slowest row of
#: README.md, for a function that computes longer than it waits.
_S_PER_GET = 0.02
_SLOWEST_S_PER_SOURCE = 0.004
_PUTS_OF_A_RUN = 2  # claim and manifest; chunks are some hundred in a million sources


@dataclass(frozen=True, slots=True)
class Estimate:
    """US dollars and hours, by the parameters of a stack. ``folders`` is the number of regions of
    all trails. A message is for a day, or ``by_account`` for an account's part of it.
    """

    days: int
    sampled: Mapping[date, Sources]
    folders: int
    parameters: Mapping[str, str]
    messages: int
    by_account: bool = False

    @property
    def scale(self) -> float:
        return self.days / len(self.sampled)

    @property
    def sources(self) -> float:
        return self.scale * sum(each.count for each in self.sampled.values())

    @property
    def archived(self) -> float:
        return self.scale * sum(each.archived for each in self.sampled.values())

    def seconds_per_source(self) -> tuple[float, float]:
        fastest = _S_PER_GET / self._number("Concurrency", 16)
        return fastest, max(fastest, _SLOWEST_S_PER_SOURCE)

    def hours(self) -> tuple[float, float]:
        """It is never faster than its largest message. Of an account's the size is not known."""
        largest = 0 if self.by_account else max(each.count for each in self.sampled.values())
        at_a_time = min(self._number("MaximumConcurrency", 2), self.messages)
        fastest, slowest = (
            max(self.sources / at_a_time, largest) * each / 3600
            for each in self.seconds_per_source()
        )
        return fastest, slowest

    def costs(self) -> Iterator[tuple[str, float]]:
        """The sure part of the costs."""
        gigabytes = self._number("MemorySize", 1769) / 1024
        second = gigabytes * gb_second_prices()[self.parameters.get("Architecture", "arm64")]
        fastest, slowest = (self.sources * each * second for each in self.seconds_per_source())
        yield f"functions, or up to ${slowest:,.2f} for the slowest", fastest
        for storage in sorted({name for each in self.sampled.values() for name in each.by_class}):
            count, size = (
                self.scale * sum(each.by_class.get(storage, (0, 0))[i] for each in self._days())
                for i in (0, 1)
            )
            get, gigabyte = read_price(storage)
            yield f"GETs from {storage} ({count:,.0f})", count * get + size / _GB * gigabyte
        pages = self.days * self.folders + self.sources / _KEYS_PER_PAGE
        other = (pages + self.messages * _PUTS_OF_A_RUN) * s3_price("put")
        yield "listings, claims and manifests", other + self.messages * request_price()

    def perhaps(self) -> Iterator[tuple[str, float]]:
        """The costs that depend on settings which the stack does not know."""
        if self.parameters.get("SourceKmsKeyArn"):
            yield "KMS, if the source bucket has no bucket key", self.sources * decrypt_price()
        yield "a trail, if it logs reads of the source bucket", self.sources * data_event_price()

    def lines(self) -> Iterator[str]:
        some = "" if len(self.sampled) == self.days else f", by {len(self.sampled)} of them"
        size = self.scale * sum(each.bytes for each in self._days())
        yield f"{self.days:,} days{some}: {self.sources:,.0f} sources, {size / _GB:,.1f} GB"
        fastest, slowest = self.hours()
        yield f"{_time(fastest)} to {_time(slowest)} at {_S_PER_GET * 1000:.0f} ms per GET"
        costs = list(self.costs())
        yield f"${sum(each for _, each in costs):,.2f}: " + "; ".join(map(_priced, costs))
        for each in self.perhaps():
            yield f"perhaps {_priced(each)}"
        yield f"({price_list()}; GuardDuty's S3 protection is paid for besides)"
        largest = max(each.count for each in self.sampled.values())
        longest = self._number("Timeout", 900)
        if not self.by_account and largest * self.seconds_per_source()[1] > longest:
            yield f"a day of {largest:,} sources may end with OUT_OF_TIME: see --by-account"
        if self.archived:
            yield f"archived sources, to restore before: {self.archived:,.0f}"

    def _number(self, parameter: str, default: int) -> int:
        return int(self.parameters.get(parameter, default))

    def _days(self) -> Sequence[Sources]:
        return [*self.sampled.values()]


def estimate(
    tasks: Sequence[Task], counter: SourceCounter, parameters: Mapping[str, str]
) -> Estimate:
    """Lists the sources of the first, the middle and the last day."""
    days = sorted({task.day for task in tasks})
    chosen = sorted({days[0], days[len(days) // 2], days[-1]})
    sampled = {day: counter.of(day) for day in chosen}
    by_account = any(task.account for task in tasks)
    return Estimate(len(days), sampled, counter.folders, parameters, len(tasks), by_account)


def _priced(each: tuple[str, float]) -> str:
    return f"${each[1]:,.2f} for {each[0]}"


def _time(hours: float) -> str:
    return f"{hours:,.1f} h" if hours >= 1 else f"{hours * 60:,.0f} min"
