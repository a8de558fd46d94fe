"""Plays one fault in one language: a quiet night, a night with the fault, the repair."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta

from harness.drill.alarms import State
from harness.drill.deployment import (
    CHUNK_BYTES,
    DESTINATION,
    SOURCE,
    SOURCE_PREFIX,
    Deployment,
    deploy,
)
from harness.drill.destination import Destination, Look, Saw, sources_of, with_expected
from harness.drill.fault import Fault, Needs
from harness.drill.front import Front, front_of
from harness.drill.metrics import Recorder
from harness.drill.night import Night
from harness.drill.sandboxes import Sandboxes
from harness.drill.side import Function, Side
from harness.drill.trail import Trail
from harness.model import Artefact
from harness.operate.ledger import Task
from harness.scratch import scratch
from harness.targets.ministack.local_aws import LocalAws

_FIRST_DAY = date(2024, 2, 8)
_DAY = timedelta(days=1)
_APART = 7 * _DAY  # of two drills: SQS remembers the id of a schedule's message
_OBJECTS, _FEW = 30, 4
_BEFORE = timedelta(minutes=30)  # the fault, before the schedule fires
_EARLY = timedelta(hours=1, minutes=50)  # the day is published first, before the schedule fires
_PATIENCE = timedelta(days=3)
_AFTER = timedelta(hours=2, minutes=30)  # for alarms to end


@dataclass(frozen=True, slots=True)
class Told:
    """An alarm that went off, and how long after the schedule's time."""

    alarm: str
    after_s: float


@dataclass(frozen=True, slots=True)
class Readers:
    """The states that readers of the dataset saw at ``looks`` moments.

    ``lasting`` has the states that lasted longer than one run, with seconds. ``missing`` and
    ``doubled`` are the most records at a time.
    """

    looks: int
    lasting: Sequence[tuple[Saw, float]]
    missing: int
    doubled: int


@dataclass(frozen=True, slots=True)
class Drill:
    """The outcome. Times are seconds after the schedule's time; ``None`` is never.

    ``receipts`` are the runs since the schedule's time, each as its error's code or ``ok``.
    ``problems`` are the broken promises.
    """

    fault: str
    about: str
    language: str
    alarms: Sequence[Told]
    repaired_s: float | None
    receipts: Sequence[tuple[float, str, str]]
    operator: Sequence[tuple[float, str]]
    readers: Readers
    records: int
    lost: int
    lake: str
    still_in_alarm: Sequence[str]
    problems: Sequence[str]

    @property
    def told_first(self) -> Told | None:
        return min(self.alarms, key=lambda each: each.after_s, default=None)


@dataclass(frozen=True, slots=True)
class Ground:
    """The stack that all drills of one language share, and perhaps parts of another language.

    ``other`` is another function of the stack, ``second`` the active one of another stack.
    """

    aws: LocalAws
    front: Front
    seed: int
    deployment: Deployment
    active: Function
    other: Function | None = None
    second: tuple[Deployment, Function] | None = None


@contextmanager
def ground(
    aws: LocalAws, artefact: Artefact, other: Artefact | None = None, seed: int = 1
) -> Iterator[Ground]:
    """Deploy a stack for the language of ``artefact``, and one for that of ``other``.

    Both write to the same place.
    """
    with ExitStack() as stack:
        front = stack.enter_context(front_of(aws.port))

        def function(each: Artefact, deployment: Deployment) -> Function:
            sandboxes = stack.enter_context(Sandboxes(each, deployment, front.endpoint))
            made = each.implementation
            return Function(
                made.language, deployment.stack.output(f"{made.function}Name"), sandboxes
            )

        name, prefix = f"night-{artefact.implementation.language}", "lake/"
        first = deploy(aws, name, artefact.implementation, prefix)
        active = function(artefact, first)
        if other is None:
            yield Ground(aws, front, seed, first, active)
            return
        second = deploy(aws, f"{name}-second", other.implementation, prefix)
        yield Ground(
            *(aws, front, seed, first, active),
            function(other, first),
            (second, function(other, second)),
        )


def make_buckets(aws: LocalAws) -> None:
    for bucket in (SOURCE, DESTINATION):
        aws.create_bucket(bucket)


def play(fault: Fault, ground: Ground, number: int) -> Drill:
    """Play a fault. ``number`` gives each fault of a ground days of its own."""
    deployment = ground.deployment
    day = _FIRST_DAY + number * _APART
    before, tomorrow = day - _DAY, day + _DAY
    fires = deployment.next_fire(datetime.combine(tomorrow, time(), UTC))
    recorder = Recorder(datetime.combine(day, time(), UTC))
    s3 = ground.aws.client("s3")
    sides = [Side(deployment, ground.active, recorder, ground.active)]
    if fault.needs is Needs.STACK and ground.second is not None:
        second, function = ground.second
        sides.append(Side(second, function, recorder, function))
    trail = Trail(s3, SOURCE, SOURCE_PREFIX)
    prefix = f"{deployment.prefix}{day:%Y/%m/%d}/"
    destination = Destination(s3, DESTINATION, prefix)
    with scratch("night") as folder:
        sources = sources_of(day, _OBJECTS, ground.seed)
        trail.early = sources if fault.all_early else sources[::2]
        trail.late = () if fault.all_early else sources[1::2]
        expected = with_expected(day, sources, folder / "new", CHUNK_BYTES, deployment.prefix)
        destination.new = expected.records
        if not fault.unpublished:
            old = with_expected(day, trail.early, folder / "old", CHUNK_BYTES, deployment.prefix)
            destination.old = old.records
        answers = iter(range(1, 10))
        night = Night(
            sides,
            ground.front,
            destination,
            recorder,
            day,
            fires,
            lambda: fault.mends(night, trail, next(answers)),
            fault.answered,
            ground.other,
        )

        def breaks() -> None:
            trail.put(trail.late)
            fault.breaks(night, trail)

        def is_over() -> bool:
            empty = night.now > fires and night.mended and all(each.is_empty() for each in sides)
            return empty and destination.differences(expected.expected) is None

        try:
            for other in (before, tomorrow):
                trail.put(sources_of(other, _FEW, ground.seed))
            trail.put(trail.early)
            for side in sides[1:]:
                side.deployment.enable_schedule(on=False)
            night.begin()
            if not fault.unpublished:
                night.at(fires - _EARLY, lambda: sides[0].send(Task(day), night.now))
            night.at(fires - _BEFORE, breaks)
            night.run(fires + _PATIENCE, is_over)
            repaired = night.now if is_over() else None
            night.run(night.now + _AFTER)
            return _outcome(
                fault, night, destination, repaired, destination.differences(expected.expected)
            )
        finally:
            _clean(ground, night, trail)


def _clean(ground: Ground, night: Night, trail: Trail) -> None:
    """Leave nothing to the next drill."""
    ground.front.rules.clear()
    night.destination.s3.delete_bucket_policy(Bucket=DESTINATION)
    trail.clear()
    for side in night.sides:
        side.purge()
        side.active.sandboxes.pace(None)
        side.deployment.restore_rights()
        side.deployment.enable_schedule(on=True)


def _outcome(
    fault: Fault,
    night: Night,
    destination: Destination,
    repaired: datetime | None,
    difference: str | None,
) -> Drill:
    def after(when: datetime) -> float:
        return (when - night.fires).total_seconds()

    went_off = [
        Told(each.alarm, after(each.at))
        for each in night.changes
        if each.after is State.ALARM and each.at >= night.fires
    ]
    receipts = [
        (after(each.at), each.language, each.error or "ok")
        for each in night.receipts
        if each.at >= night.fires
    ]
    drill = Drill(
        fault.name,
        fault.about,
        night.side.deployment.language,
        sorted(went_off, key=lambda each: (each.after_s, each.alarm)),
        None if repaired is None else after(repaired),
        receipts,
        [(after(when), words) for when, words in night.done],
        _readers(
            [each for each in destination.looks if each.at >= night.fires - _BEFORE], night.now
        ),
        destination.new.total(),
        destination.lost(),
        destination.digest(),
        night.in_alarm(),
        (),
    )
    return replace(drill, problems=tuple(_problems(fault, drill, difference)))


def _problems(fault: Fault, drill: Drill, difference: str | None) -> Iterator[str]:
    told = [
        each.alarm
        for each in drill.alarms
        if drill.repaired_s is None or each.after_s < drill.repaired_s
    ]
    if not told:
        yield "no alarm has told of it"
    elif not any(each.startswith(fault.alarm) for each in told):
        yield f"{fault.alarm} has not told of it, but {told[0]}"
    for alarm in drill.still_in_alarm:
        if drill.repaired_s is not None and alarm not in fault.lasting:
            yield f"{alarm} has not ended"
    began = {error for at, _, error in drill.receipts if at == 0} or {"none"}
    if fault.ending not in began:
        yield f"the run of the night ends with {', '.join(sorted(began))}, not {fault.ending}"
    if drill.repaired_s is None:
        yield "it was not repaired in three days"
    if drill.lost:
        yield f"{drill.lost} records are lost"
    if drill.readers.missing:
        yield f"readers missed {drill.readers.missing} published records"
    if difference is not None:
        yield f"the destination differs: {difference}"


def _readers(looks: Sequence[Look], end: datetime) -> Readers:
    lasting: list[tuple[Saw, float]] = []
    until = [*(each.at for each in looks[1:]), end]
    for look, next_at in zip(looks, until, strict=True):
        lasted = (next_at - look.at).total_seconds()
        if lasting and lasting[-1][0] is look.saw:
            lasting[-1] = look.saw, lasting[-1][1] + lasted
        elif lasted:
            lasting.append((look.saw, lasted))
    return Readers(
        len(looks),
        lasting,
        max((each.missing for each in looks), default=0),
        max((each.doubled for each in looks), default=0),
    )
