"""The questions that are asked of each layout, and the answers that the records themselves give."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import msgspec

from harness.model import HarnessError

#: Stands for the account or region of a record that has none.
NONE = "none"
#: Rows of an answer, in their order.
type Answer = list[tuple[Any, ...]]


class _Record(msgspec.Struct, rename="camel"):
    event_name: str = ""
    event_id: str = msgspec.field(name="eventID", default="")
    recipient_account_id: str = ""
    aws_region: str | None = None


@dataclass(frozen=True, slots=True)
class Question:
    """A question in SQL, with ``{records}`` in place of the table.

    ``{day_is}`` and ``{account_is}`` stand for the layout's own conditions for ``day`` and
    ``account``. A question without them reads all.
    """

    name: str
    sql: str
    answer: Answer
    day: date | None = None
    account: str | None = None


@dataclass
class Known:
    """The maker's knowledge of its days: counts by day, account and event name, and some records.

    ``regions`` has those of each account by day.
    """

    counts: Counter[tuple[date, str, str]] = field(default_factory=Counter)
    regions: dict[date, dict[str, set[str]]] = field(default_factory=dict)
    ids: dict[str, tuple[date, str]] = field(default_factory=dict)

    def add(self, day: date, texts: Iterable[bytes]) -> None:
        last = None
        for text in texts:
            try:
                last = msgspec.json.decode(text, type=_Record)
            except msgspec.ValidationError as error:
                raise HarnessError(f"a record of {day} is not CloudTrail's: {error}") from error
            self.counts[day, last.recipient_account_id, last.event_name] += 1
            accounts = self.regions.setdefault(day, {})
            regions = accounts.setdefault(last.recipient_account_id or NONE, set())
            regions.add(last.aws_region or NONE)
        if last is not None and last.event_id:
            self.ids[last.event_id] = (day, last.event_name)

    @property
    def records(self) -> int:
        return self.counts.total()


def questions(known: Known, days: Sequence[date]) -> list[Question]:
    """The questions about the middle day, the busiest account, the commonest event, and one id."""
    day = days[len(days) // 2]
    by_name, by_account, of_day = Counter[str](), Counter[str](), Counter[str]()
    on_day = Counter[str]()
    for (when, account, name), count in known.counts.items():
        by_name[name] += count
        by_account[account] += count
        if when == day:
            of_day[name] += count
            on_day[account] += count
    account = by_account.most_common(1)[0][0]
    that_day = on_day.most_common(1)[0][0] if on_day else ""
    event = by_name.most_common(1)[0][0]
    needle = next((each for each, (when, _) in known.ids.items() if when == day), "")
    count_by_name = "SELECT eventname, count(*) FROM {records} %s GROUP BY 1 ORDER BY 1"
    return [
        Question("one day", count_by_name % "WHERE {day_is}", sorted(of_day.items()), day),
        Question(
            "one account of one day",
            "SELECT count(*) FROM {records} WHERE {day_is} AND {account_is}",
            [(on_day[that_day],)],
            day,
            that_day,
        ),
        Question(
            "one account, all days",
            "SELECT count(*) FROM {records} WHERE {account_is}",
            [(by_account[account],)],
            account=account,
        ),
        Question(
            "one event name, all days",
            f"SELECT count(*) FROM {{records}} WHERE eventname = '{event}'",
            [(by_name[event],)],
        ),
        Question(
            "one event id, all days",
            # a trail may deliver a record twice
            f"SELECT DISTINCT eventname FROM {{records}} WHERE eventid = '{needle}'",
            [(known.ids[needle][1],)] if needle else [],
        ),
        Question("no condition", count_by_name % "", sorted(by_name.items())),
    ]
