"""Counts the messages of one run: the plan, compared with the records that were found."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from harness.feed.plan import FIRST_NUMBER, Plan


@dataclass(frozen=True, slots=True)
class File:
    """A delivered file. ``second`` is of the stream, and the time at which it was whole."""

    second: float
    stored_bytes: int
    texts: Sequence[bytes]


@dataclass(frozen=True, slots=True)
class Found:
    """What a run left. ``stream`` has the texts in Kinesis in their order.

    ``position`` is the client's own, and ``None`` for one that keeps none. ``told`` are the numbers
    of the gaps that it told. ``counts`` come from the servers and from the client's log.
    """

    plan: Plan
    sent_at: Mapping[int, float]
    stream: Sequence[bytes]
    files: Sequence[File]
    position: int | None
    told: frozenset[int]
    counts: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Account:
    """Numbers of messages, if nothing else is said.

    ``too_late`` are the messages that the third party no longer had when the client came back;
    ``told`` has them and the dropped ones. ``outrun`` became too old while the client was
    connected, but took them too slowly. ``doubled`` counts the records above the first of each
    message. ``overtaken`` are the records in Kinesis that came after a higher number of their AWS
    account.
    """

    name: str
    messages: int
    dropped: int
    told: int
    too_late: int
    acknowledged: int | None
    in_stream: int
    delivered: int
    doubled: int
    told_and_delivered: int
    untold: int
    lost: int
    changed: int
    overtaken: int
    requests: int
    outrun: int
    throttled: int
    repeated: int
    swallowed: int
    connections: int
    files: int
    median_stored_bytes: int
    delay_median_s: float
    delay_p99_s: float

    def problems(self) -> list[str]:
        """The broken promises of a client that keeps a position."""
        promises = (
            (self.lost, "acknowledged, and in no file"),
            (self.untold, "in no file, and no gap was told"),
            (self.changed, "with another text in the files"),
        )
        return [f"{self.name}: {count} messages {what}" for count, what in promises if count]


def account(name: str, found: Found) -> Account:
    plan = found.plan
    known = plan.texts()
    keys = {each.number: each.key for each in plan.messages}
    numbers = frozenset(keys)
    times: Counter[int] = Counter()
    delays: dict[int, float] = {}
    changed = 0
    for file in sorted(found.files, key=lambda each: each.second):
        for text in file.texts:
            number = known.get(text)
            if number is None:
                changed += 1
                continue
            times[number] += 1
            delays.setdefault(number, file.second - found.sent_at[number])
    delivered = frozenset(times)
    safe = _acknowledged(found, numbers)
    in_stream = [known[text] for text in found.stream if text in known]
    sizes = sorted(each.stored_bytes for each in found.files)
    return Account(
        name=name,
        messages=len(numbers),
        dropped=len(plan.dropped),
        told=len(found.told & numbers),
        too_late=len((found.told & numbers) - plan.dropped - delivered),
        acknowledged=None if safe is None else len(safe),
        in_stream=len(in_stream),
        delivered=len(delivered),
        doubled=sum(times.values()) - len(delivered),
        told_and_delivered=len(found.told & delivered),
        untold=len(numbers - delivered - found.told),
        lost=len((safe or frozenset()) - delivered),
        changed=changed,
        overtaken=_overtaken(in_stream, keys),
        requests=found.counts.get("requests", 0),
        outrun=found.counts.get("outrun", 0),
        throttled=found.counts.get("throttled", 0),
        repeated=found.counts.get("repeated", 0),
        swallowed=found.counts.get("swallowed", 0),
        connections=found.counts.get("connections", 0),
        files=len(sizes),
        median_stored_bytes=round(quantile(sizes, 0.5)),
        delay_median_s=quantile(delays.values(), 0.5),
        delay_p99_s=quantile(delays.values(), 0.99),
    )


def _acknowledged(found: Found, numbers: frozenset[int]) -> frozenset[int] | None:
    """All up to the position, apart from told gaps: Kinesis has accepted them."""
    if found.position is None:
        return None
    return numbers & frozenset(range(FIRST_NUMBER, found.position + 1)) - found.told


def _overtaken(in_stream: Sequence[int], keys: Mapping[int, str]) -> int:
    """Doubles do not count: the first of a message keeps its place."""
    highest: dict[str, int] = {}
    late = 0
    for number in dict.fromkeys(in_stream):
        key = keys[number]
        late += number < highest.get(key, 0)
        highest[key] = max(number, highest.get(key, 0))
    return late


def quantile(values: Iterable[float], share: float) -> float:
    """By nearest rank; 0 without values."""
    ranked = sorted(values)
    return ranked[max(math.ceil(share * len(ranked)) - 1, 0)] if ranked else 0.0
