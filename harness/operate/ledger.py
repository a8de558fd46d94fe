"""The record of the messages that a backfill sent: a file with one JSON object per line."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from harness.model import UsageError


@dataclass(frozen=True, slots=True, order=True)
class Task:
    """A day to aggregate, or an account's part of one. With ``force`` it is another task."""

    day: date
    account: str | None = None
    force: bool = False

    @property
    def group(self) -> str:
        """The name of its message group: tasks of one group run one after another."""
        return f"{self.day}" if self.account is None else f"{self.day}/{self.account}"

    def event(self) -> dict[str, object]:
        """The trigger (SPEC T3, T4)."""
        event: dict[str, object] = {
            "year": self.day.year,
            "month": self.day.month,
            "day": self.day.day,
        }
        if self.account is not None:
            event["account"] = self.account
        if self.force:
            event["force"] = True
        return event

    def __str__(self) -> str:
        return f"{self.day}" if self.account is None else f"{self.day} {self.account}"


@dataclass(slots=True)
class Ledger:
    """The sent tasks. Each batch is appended, so that a killed backfill sends at most one batch
    twice. Such days run twice, one run after the other, which is harmless (W9).
    """

    file: Path
    queue: str
    sent: set[Task] = field(default_factory=set)

    def note(self, tasks: Iterable[Task]) -> None:
        with self.file.open("a") as lines:
            for task in tasks:
                self.sent.add(task)
                entry = {
                    "queue": self.queue,
                    "day": str(task.day),
                    "account": task.account,
                    "force": task.force,
                }
                lines.write(json.dumps(entry) + "\n")


def open_ledger(file: Path, queue: str) -> Ledger:
    """Open or create the ledger of a queue. Raises ``UsageError`` for one of another queue."""
    ledger = Ledger(file, queue)
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        return ledger
    text = file.read_text()
    complete, _, broken = text.rpartition("\n")
    for number, line in enumerate(complete.splitlines(), 1):
        try:
            entry = json.loads(line)
            task = Task(date.fromisoformat(entry["day"]), entry["account"], entry["force"])
            of = entry["queue"]
        except (ValueError, KeyError, TypeError) as error:
            raise UsageError(f"{file}, line {number}, is not a ledger's entry: {error}") from error
        if of != queue:
            raise UsageError(f"{file} is the ledger of {of}: give another --ledger")
        ledger.sent.add(task)
    if broken:  # the last write is incomplete: its batch is sent again
        file.write_text(f"{complete}\n" if complete else "")
    return ledger
