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
class Promise:
    """A position that the client had noted, and the gaps that it had told by then.

    It says that Kinesis has all other messages up to the position.
    """

    position: int
    told: frozenset[int]

    def acknowledged(self, numbers: frozenset[int]) -> frozenset[int]:
        return numbers & frozenset(range(FIRST_NUMBER, self.position + 1)) - self.told


@dataclass(frozen=True, slots=True)
class Found:
    """The traces of a run. ``stream`` has the texts in Kinesis in their order.

    ``promises`` were read during the run and at its end; a client that keeps no position has none.
    ``told`` are the numbers of the gaps that it told, and ``forgotten`` those that the third party
    could not give it any more. ``counts`` come from the servers and from the client's log.
    """

    plan: Plan
    sent_at: Mapping[int, float]
    stream: Sequence[bytes]
    files: Sequence[File]
    promises: Sequence[Promise]
    told: frozenset[int]
    forgotten: frozenset[int]
    counts: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Account:
    """Numbers of messages, if nothing else is said.

    ``too_late`` are the messages in no file that the third party no longer had when the client
    asked for them. ``invented`` were told as gaps, though the third party had neither dropped nor
    forgotten them. ``acknowledged`` are the messages that the client had noted at some moment as
    taken by Kinesis, in spite of gaps that it told later. ``outrun`` became too old while the
    client was connected, but took them too slowly. ``doubled`` counts the records above the first
    of each message. ``overtaken`` are the records in Kinesis that came after a higher number of
    their AWS account.
    """

    name: str
    messages: int
    dropped: int
    told: int
    too_late: int
    invented: int
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
            (self.invented, "told as a gap, but neither dropped nor forgotten"),
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
    promised = [each.acknowledged(numbers) for each in found.promises]
    acknowledged = frozenset[int]().union(*promised)
    in_stream = [known[text] for text in found.stream if text in known]
    sizes = sorted(each.stored_bytes for each in found.files)
    return Account(
        name=name,
        messages=len(numbers),
        dropped=len(plan.dropped),
        told=len(found.told & numbers),
        too_late=len((found.forgotten & numbers) - plan.dropped - delivered),
        invented=len(found.told - plan.dropped - found.forgotten),
        acknowledged=len(acknowledged) if promised else None,
        in_stream=len(in_stream),
        delivered=len(delivered),
        doubled=sum(times.values()) - len(delivered),
        told_and_delivered=len(found.told & delivered),
        untold=len(numbers - delivered - found.told),
        lost=len(acknowledged - delivered),
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
