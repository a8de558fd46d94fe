"""A night on the drill's clock: the schedule fires, Lambda polls, alarms are evaluated, and an
operator answers.

The clock jumps from one event to the next. A run does all its work at the time of its begin, and
its outcome is known at the time of its end.
"""

from __future__ import annotations

import heapq
import itertools
import re
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from time import monotonic

from harness.drill.alarms import BEYOND, State, Transition, evaluate
from harness.drill.destination import Destination
from harness.drill.front import Asked, Front, Refusal
from harness.drill.metrics import Recorder
from harness.drill.side import LETTERS, UNSENT, Function, Side, Taken, forget
from harness.fixtures.chunks import HIDDEN_CHUNK_NAME
from harness.model import FailureKind, Invocation
from harness.operate.backfill import Backfill
from harness.operate.ledger import Ledger, Task, open_ledger
from harness.operate.redrive import look, redrive
from harness.scratch import scratch

#: How long after an alarm an operator acts.
REACTION = timedelta(hours=1)
#: Alarms are looked at so often; an operator acts at the minute of the alarm and REACTION.
_TICK = timedelta(minutes=10)
_HIDDEN = re.compile(f"/{HIDDEN_CHUNK_NAME}$")
_BEYOND_CLAIM = timedelta(seconds=60)  # W11


@dataclass(frozen=True, slots=True)
class Receipt:
    """One invocation: its function, its receipt of a message, and its end. ``error`` is a code of
    SPEC E1, or tells how the process ended; it is ``None`` for a success.
    """

    at: datetime
    end: datetime
    language: str
    count: int
    error: str | None


@dataclass(slots=True)
class Night:
    """``sides`` are the deployed stacks; the first one is that of the drill.

    ``other`` is another function of its stack.

    ``answers`` is called when the alarm ``answered`` (any alarm if empty) has gone off, an hour
    later; it returns whether the fault is mended.
    """

    sides: Sequence[Side]
    front: Front
    destination: Destination
    recorder: Recorder
    day: date
    fires: datetime
    answers: Callable[[], bool]
    answered: str = ""
    other: Function | None = None
    now: datetime = field(init=False)
    mended: bool = False
    receipts: list[Receipt] = field(default_factory=list)
    changes: list[Transition] = field(default_factory=list)
    done: list[tuple[datetime, str]] = field(default_factory=list)  # by the operator
    _agenda: list[tuple[datetime, int, Callable[[], None]]] = field(default_factory=list)
    _number: itertools.count[int] = field(default_factory=itertools.count)
    _states: dict[tuple[int, str], State] = field(default_factory=dict)
    _evaluated: datetime = field(init=False)
    _claim_ends: datetime | None = None
    _asked: bool = False

    def __post_init__(self) -> None:
        self.now = self._evaluated = self.recorder.now
        self.front.changed = self._changed

    @property
    def side(self) -> Side:
        return self.sides[0]

    # ---- the clock ----

    def at(self, when: datetime, event: Callable[[], None]) -> None:
        heapq.heappush(self._agenda, (when, next(self._number), event))

    def run(self, until: datetime, is_over: Callable[[], bool] = lambda: False) -> None:
        """Play all events up to a time, or until a condition holds after one of them."""
        while self.now < until:
            due = self._agenda[0][0] if self._agenda else until
            self._pass_to(min(due, until, self.now + _TICK))
            if due == self.now:
                while self._agenda and self._agenda[0][0] <= self.now:
                    heapq.heappop(self._agenda)[2]()
                self._poll()
                self._observe()
                if is_over():
                    return

    def begin(self) -> None:
        """The schedule of each stack fires from now on."""
        self._observe()
        for side in self.sides:
            self._fire_next(side)

    def _pass_to(self, time: datetime) -> None:
        self.recorder.advance(time)
        self.now = time
        self._evaluate()

    def _observe(self) -> None:
        for side in self.sides:
            side.observe(self.now)
        self.destination.look(self.now)

    # ---- the schedule ----

    def _fire_next(self, side: Side) -> None:
        fires = side.deployment.next_fire(self.now)
        self.at(fires, lambda: self._fire(side, fires))

    def _fire(self, side: Side, fires: datetime) -> None:
        self._fire_next(side)
        if side.fire(fires):
            self._repeat(side, fires, side.retries(fires))

    def _repeat(self, side: Side, fires: datetime, times: Sequence[datetime]) -> None:
        def repeat() -> None:
            if side.attempt(fires, self.now):
                self._repeat(side, fires, times[1:])

        if times:
            self.at(times[0], repeat)
        else:
            side.give_up(fires, self.now)

    # ---- Lambda ----

    def _poll(self) -> None:
        taken = [each for side in self.sides for each in side.take(10, self.now)]
        if not taken:
            return
        for function in {id(each.function): each.function for each in taken}.values():
            function.sandboxes.prepare(sum(each.function is function for each in taken))
        self._deliver(taken)

    def _deliver(self, taken: Sequence[Taken]) -> None:
        """Run the messages at the same time: each begins while the one before has put its first
        chunk and has not published yet.
        """
        first, rest = taken[0], list(taken[1:])
        if first.side.has_room:
            self._invoke(first, rest)
        else:
            first.side.throttled(first, self.now)
            self._note_receipt(first, self.now, "throttled")
            self._hide(first, self.now)
        if rest:
            self._deliver(rest)

    def _invoke(self, taken: Taken, rest: list[Taken]) -> None:
        lock = threading.Lock()

        def others_begin(asked: Asked) -> Refusal | None:
            if asked.operation == "put" and _HIDDEN.search(asked.key):
                with lock:
                    meanwhile = list(rest)
                    rest.clear()
                    if meanwhile:
                        self.front.rules.remove(others_begin)
                        self._deliver(meanwhile)
            return None

        if rest:
            self.front.rules.append(others_begin)
        side, sandboxes = taken.side, taken.function.sandboxes
        self._age_claim()
        # each of those that run together has a sandbox of its own
        number = sum(each.function is taken.function for each in rest)
        began = monotonic()
        invocation = sandboxes.invoke(number, taken.event)
        took = timedelta(seconds=(monotonic() - began) * sandboxes.scale)
        if rest:
            self.front.rules.remove(others_begin)
        took = min(took, side.deployment.timeout)
        if self._claim_ends is None and self.destination.has_claim():
            self._claim_ends = self.now + side.deployment.timeout + _BEYOND_CLAIM
        end = self.now + took
        side.measured(taken, invocation, self.now, end)
        error = ending(invocation)
        self._note_receipt(taken, end, error)
        if error is None:
            self.at(end, lambda: side.delete(taken, end))
        else:
            self._hide(taken, self.now)

    def _note_receipt(self, taken: Taken, end: datetime, error: str | None) -> None:
        language = taken.function.language
        self.receipts.append(Receipt(self.now, end, language, taken.count, error))

    def _hide(self, taken: Taken, since: datetime) -> None:
        def show() -> None:
            taken.side.show(taken)
            if taken.count >= taken.side.deployment.most_receipts:
                forget(self.sides, taken)

        self.at(since + taken.side.days.visibility, show)

    def _age_claim(self) -> None:
        """A claim that a dead run left expires on the clock of the drill."""
        if self._claim_ends is not None and self.now >= self._claim_ends:
            if self.destination.has_claim():
                self.destination.let_claim_expire()
            self._claim_ends = None

    # ---- the readers ----

    def _changed(self, asked: Asked) -> None:
        if self.destination.is_visible(asked.key):
            self.destination.look(self.now)

    # ---- the alarms, and who answers ----

    def _evaluate(self) -> None:
        """The changes of state since the last time, the first one first."""
        changes: list[Transition] = []
        for number, side in enumerate(self.sides):
            for alarm in side.deployment.alarms:
                key = (number, alarm.name)
                begin = self._evaluated + timedelta(seconds=1)
                first = begin - alarm.period * (alarm.periods + BEYOND + 2)
                samples = self.recorder.between(alarm.metric, first, self.now)
                before = self._states.get(key, State.INSUFFICIENT_DATA)
                for change in evaluate([alarm], samples, begin, self.now, before=before):
                    self._states[key] = change.after
                    changes.append(change)
        for change in sorted(changes, key=lambda each: each.at):
            self._note(change)
        self._evaluated = self.now

    def _note(self, change: Transition) -> None:
        self.changes.append(change)
        is_meant = self.answered in ("", change.alarm) and change.at >= self.fires
        if change.after is State.ALARM and is_meant and not (self.mended or self._asked):
            self._asked = True
            self.at(change.at + REACTION, self._answer)

    def _answer(self) -> None:
        self._asked = False
        self.mended = self.answers()

    def in_alarm(self) -> list[str]:
        """The alarms that have not ended."""
        return sorted(name for (_, name), state in self._states.items() if state is State.ALARM)

    # ---- what an operator does ----

    def did(self, words: str) -> None:
        self.done.append((self.now, words))

    def queue_day(self, day: date) -> None:
        """``backfill`` of one day."""
        with scratch("ledger") as folder:
            queue = self.side.days.url
            ledger: Ledger = open_ledger(folder / "ledger", queue)
            clients = self.side.deployment.clients
            Backfill(clients, queue, ledger, 100, lambda _step: None).send([Task(day)])
        self.did(f"backfill {day}")

    def redrive(self) -> None:
        """``redrive``: both queues of dead letters."""
        count = 0
        deployment = self.side.deployment
        for output in (LETTERS, UNSENT):
            for letter in look(deployment.clients, deployment.queues[output].url):
                redrive(deployment.clients, letter, self.side.days.url)
                count += 1
        self.did(f"redrive: {count} put back")

    def delete_hidden(self) -> None:
        """Delete the hidden chunks of runs that no further run of the day follows."""
        self.destination.delete_hidden()
        self.did("deleted the hidden chunks of the failed runs")

    def drop_letters(self) -> None:
        """Delete the dead letters of the day, which needs no further run, and no others."""
        deployment = self.side.deployment
        queue = deployment.queues[LETTERS].url
        for letter in look(deployment.clients, queue):
            if letter.task == Task(self.day):
                deployment.clients.sqs.delete_message(QueueUrl=queue, ReceiptHandle=letter.receipt)
        self.did("deleted the dead letter")


def ending(invocation: Invocation) -> str | None:
    """The code of a run's error, or how its process ended."""
    if invocation.error is None:
        return None
    failure = invocation.failure
    if failure is not None and failure.kind is not FailureKind.ERROR:
        return str(failure.kind)
    return invocation.error.partition(":")[0]
