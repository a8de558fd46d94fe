"""A model of the queue: the same days by three kinds of queues, with the values of template.yaml.

A lesson shows this output: ``python -m harness.exercise.queue_days``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from samcli.yamlhelper import yaml_parse
from tabulate import tabulate

from harness.build.template import TEMPLATE

DAYS = 14
#: Its run fails each time, for instance because a source is damaged.
BAD_DAY = 3
RUN_S, BUSY_S = 300, 1


@dataclass(frozen=True, slots=True)
class Settings:
    """The template's values of the queue: seconds, receipts, and runs at a time."""

    hidden_s: int
    receipts: int
    at_a_time: int


@dataclass(slots=True)
class Message:
    """``visible_s`` is the time from which SQS may hand it out."""

    day: int
    visible_s: int = 0
    receipts: int = 0
    is_in_flight: bool = False


@dataclass(slots=True)
class Outcome:
    """The count of runs by their end, and the times at which days were done or dead letters."""

    runs: Counter[str] = field(default_factory=Counter)
    done_s: dict[int, int] = field(default_factory=dict)
    dead_s: list[int] = field(default_factory=list)


def read_settings() -> Settings:
    template = yaml_parse(TEMPLATE.read_text())
    parameters = template["Parameters"]
    queue = template["Resources"]["DayQueue"]["Properties"]
    hidden = template["Mappings"]["Timeouts"][str(parameters["Timeout"]["Default"])]["Visibility"]
    receipts = queue["RedrivePolicy"]["maxReceiveCount"]
    return Settings(hidden, receipts, parameters["MaximumConcurrency"]["Default"])


def play(days: Iterable[int], group_of: Callable[[Message], object], given: Settings) -> Outcome:
    """Hand out messages until none is left.

    Of a group only the oldest message is handed out, and none while it is in flight or hidden after
    a failure. A run of a day that another run works on ends at once with BUSY.
    """
    outcome, waiting = Outcome(), [Message(day) for day in days]
    running: list[tuple[int, Message, str]] = []  # its end, the message, the run's end
    now = 0
    while waiting:
        while message := next(_offered(waiting, group_of, now), None):
            if message.receipts == given.receipts:  # SQS moves it instead of one receipt more
                waiting.remove(message)
                outcome.dead_s.append(now)
            elif len(running) < given.at_a_time:
                running.append(_received(message, running, now, given))
            else:
                break
        events = [end_s for end_s, _, _ in running]
        events += [each.visible_s for each in waiting if each.visible_s > now]
        if not events:
            break
        now = min(events)
        for ended in [each for each in running if each[0] <= now]:
            running.remove(ended)
            _end(ended, waiting, outcome)
    return outcome


def _offered(
    waiting: Sequence[Message], group_of: Callable[[Message], object], now: int
) -> Iterator[Message]:
    """The oldest message of each group, if it may be handed out."""
    oldest: dict[object, Message] = {}
    for message in waiting:
        oldest.setdefault(group_of(message), message)
    for message in oldest.values():
        if not message.is_in_flight and message.visible_s <= now:
            yield message


def _received(
    message: Message, running: Sequence[tuple[int, Message, str]], now: int, given: Settings
) -> tuple[int, Message, str]:
    message.receipts += 1
    message.is_in_flight = True
    message.visible_s = now + given.hidden_s
    if any(other.day == message.day and end != "BUSY" for _, other, end in running):
        return now + BUSY_S, message, "BUSY"
    return now + RUN_S, message, "failed" if message.day == BAD_DAY else "done"


def _end(ended: tuple[int, Message, str], waiting: list[Message], outcome: Outcome) -> None:
    end_s, message, end = ended
    message.is_in_flight = False
    outcome.runs[end] += 1
    if end == "done":
        waiting.remove(message)
        outcome.done_s[message.day] = max(end_s, outcome.done_s.get(message.day, 0))


def groups() -> Sequence[tuple[str, Callable[[Message], object]]]:
    """The kinds of queues. In one that is not FIFO each message is a group of its own."""
    return (
        ("standard", id),
        ("FIFO, one group", lambda _: "all"),
        ("FIFO, a group for each day", lambda message: message.day),
    )


def _duration(seconds: int) -> str:
    return f"{seconds // 3600} h {seconds % 3600 // 60:02} min"


def main() -> None:
    given = read_settings()
    twice = [day for day in range(1, DAYS + 1) for _ in range(2)]
    print(
        f"{DAYS} days, each sent twice, a run of {RUN_S} s, {given.at_a_time} at a time.\n"
        f"Day {BAD_DAY} fails each time: {given.receipts} receipts, "
        f"{given.hidden_s} s hidden after each.\n"
    )
    rows = []
    for name, group_of in groups():
        found = play(twice, group_of, given)
        rows.append(
            (
                name,
                found.runs["done"] + found.runs["failed"],
                found.runs["BUSY"],
                len(found.dead_s),
                _duration(max(found.done_s.values())),
                _duration(max(found.dead_s)),
            )
        )
    heads = ("queue", "runs", "BUSY", "dead letters", "last day done", "last dead letter")
    print(tabulate(rows, heads, disable_numparse=True, colalign=("left", *["right"] * 5)))


if __name__ == "__main__":
    main()
