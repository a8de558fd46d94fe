"""A model of publishing: what runs of one day do to S3, one request at a time.

A world is a value: the objects, the runs in progress, and the faults that may still happen.
``successors`` gives every world that can follow. A source holds one record and a chunk holds one
record, so a chunk's number is the place of its record in the listing. A message of the queue stands
for one wish to aggregate the day: when its run fails, the message comes back and a new run begins.

Faults: a run may end before any request; a request may fail for good, so that the run gives its
claim back and fails; the answer to any write may get lost, so that the run repeats the write; a
source may appear or expire between any two requests. S3 may carry out a write that others can see
after its run has given it up for want of an answer: SPEC assumes that it does so while the claim
stands, and ``World.late_writes`` takes that away. Time stands in the model only as the end of a
claim: a claim expires after the run that wrote it has ended, because the claim's time is longer
than the invocation's. ``Rules.clocks_agree`` false takes that away.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum

type Record = int


class Copying(StrEnum):
    """The order of the copies to published chunks."""

    NEW_FIRST = "new numbers in any order, then the others downwards"
    DOWNWARDS = "all downwards"
    ANY = "all in any order"


class Claiming(StrEnum):
    """The moment at which a run claims the day."""

    NEVER = "never"
    BEFORE_COPIES = "before the first copy"
    BEFORE_LISTING = "before the listing"


@dataclass(frozen=True, slots=True)
class Rules:
    """A protocol to examine. The defaults are SPEC's."""

    claiming: Claiming = Claiming.BEFORE_LISTING
    conditional_release: bool = True
    copying: Copying = Copying.NEW_FIRST
    clocks_agree: bool = True
    silence_keeps_claim: bool = False
    """A run without an answer keeps its claim, which expires when S3 has done all it will."""


class Step(StrEnum):
    """The next request of a run; the last four are no requests."""

    CLAIM = "claim: put if absent"
    LOOK = "claim: get"
    TAKE_OVER = "claim: put if unchanged"
    LIST_FIRST = "list, first page"
    LIST_SECOND = "list, second page"
    HIDE = "put a hidden chunk"
    READ_MANIFEST = "get the manifest"
    FIND_CHUNKS = "list the chunks"
    COPY = "copy to a published chunk"
    DELETE_SURPLUS = "delete a published chunk"
    PUT_MANIFEST = "put the manifest"
    DELETE_HIDDEN = "delete a hidden chunk"
    RELEASE = "claim: delete"
    WAITING = "the message is in the queue"
    DONE = "succeeded"
    REFUSED = "FEWER_SOURCES"
    GIVEN_UP = "in the dead-letter queue"


AT_REST = {Step.DONE, Step.REFUSED, Step.GIVEN_UP}
_WRITES = {
    Step.CLAIM, Step.TAKE_OVER, Step.HIDE, Step.COPY, Step.DELETE_SURPLUS, Step.PUT_MANIFEST,
    Step.DELETE_HIDDEN, Step.RELEASE,
}  # fmt: skip

_VISIBLE_WRITES = {Step.COPY, Step.DELETE_SURPLUS, Step.PUT_MANIFEST}

type Owner = tuple[int, int]
"""A request id: the number of the message and of the attempt."""


@dataclass(frozen=True, slots=True)
class Run:
    """A message and, unless it waits or is at rest, the run that works for it."""

    message: int
    attempt: int = 0
    step: Step = Step.WAITING
    listing: tuple[Record, ...] = ()
    place: int = 0  # chunks hidden so far
    new: frozenset[int] = frozenset()  # numbers still to copy that nobody has published
    replacing: tuple[int, ...] = ()  # numbers still to copy to published chunks, highest first
    surplus: frozenset[int] = frozenset()  # published chunks to delete
    hidden: tuple[object, ...] = ()  # hidden chunks to delete
    seen_claim: Owner | None = None
    ending: Step = Step.DONE  # where the run goes when it has released the day

    @property
    def id(self) -> Owner:
        return (self.message, self.attempt)

    @property
    def running(self) -> bool:
        return self.step is not Step.WAITING and self.step not in AT_REST


@dataclass(frozen=True, slots=True)
class World:
    """All that S3 holds, all runs, and the faults still to come."""

    sources: frozenset[Record]
    runs: tuple[Run, ...]
    arriving: frozenset[Record] = frozenset()  # sources that may still appear
    expiring: frozenset[Record] = frozenset()  # sources that may still expire
    crashes: int = 0
    failures: int = 0
    lost_answers: int = 0
    late_writes: int = 0
    under_way: Run | None = None  # a run as it was when it gave up a write that S3 still has
    published: frozenset[tuple[int, Record]] = frozenset()
    hidden: frozenset[tuple[Owner, int, Record]] = frozenset()
    manifest: tuple[Record, ...] | None = None
    claim: Owner | None = None
    expired: bool = False
    once_visible: frozenset[Record] = frozenset()

    @property
    def at_rest(self) -> bool:
        return self.under_way is None and all(run.step in AT_REST for run in self.runs)

    @property
    def visible(self) -> frozenset[Record]:
        return frozenset(record for _, record in self.published)


def successors(world: World, rules: Rules) -> Iterator[tuple[str, World]]:
    """Every event that can happen now, with the world after it."""
    for record in world.arriving:
        yield (
            f"source {record} appears",
            replace(world, sources=world.sources | {record}, arriving=world.arriving - {record}),
        )
    for record in world.expiring & world.sources:
        yield (
            f"source {record} expires",
            replace(world, sources=world.sources - {record}, expiring=world.expiring - {record}),
        )
    if world.claim and not world.expired and (not rules.clocks_agree or _owner_ended(world)):
        yield "the claim expires", replace(world, expired=True)
    if late := world.under_way:
        for request, written in _requests(replace(world, under_way=None), late, rules):
            # the write alone: the run has gone on
            yield f"S3 carries out late: {request}", _seen(replace(written, runs=world.runs))
    for run in world.runs:
        if run.step in AT_REST:
            continue
        for request, next_world in _requests(world, run, rules):
            name, after = f"run {run.message}.{run.attempt}: {request}", _seen(next_world)
            yield name, after
            if run.step in _WRITES and world.lost_answers:
                repeated = _put_back(replace(after, lost_answers=world.lost_answers - 1), run)
                yield f"{name}, the answer gets lost", repeated
        if run.running and run.step is not Step.RELEASE and world.failures:
            yield (
                f"run {run.message}.{run.attempt} fails",
                _give_up(replace(world, failures=world.failures - 1), run, rules),
            )
        if run.step in _VISIBLE_WRITES and world.late_writes:
            left = replace(world, late_writes=world.late_writes - 1, under_way=run)
            keeps = rules.silence_keeps_claim
            yield (
                f"run {run.message}.{run.attempt} gives up: {run.step}",
                _fail(left, run) if keeps else _give_up(left, run, rules),
            )
        if run.running and world.crashes:
            yield (
                f"run {run.message}.{run.attempt} dies",
                _fail(replace(world, crashes=world.crashes - 1), run),
            )


def _owner_ended(world: World) -> bool:
    owners = [run for run in (*world.runs, world.under_way) if run and run.running]
    return not any(run.id == world.claim for run in owners)


def _seen(world: World) -> World:
    return replace(world, once_visible=world.once_visible | world.visible)


def _put_back(world: World, run: Run) -> World:
    """The world in which ``run`` stands where it stood: it will repeat its request."""
    return replace(world, runs=tuple(run if r.message == run.message else r for r in world.runs))


def _go(world: World, run: Run, step: Step, **changes: object) -> World:
    return _put_back(world, replace(run, step=step, **changes))  # type: ignore[arg-type]


_MOST_ATTEMPTS = 4


def _fail(world: World, run: Run) -> World:
    """The message comes back, or after its last attempt goes to the dead letters."""
    step = Step.WAITING if run.attempt < _MOST_ATTEMPTS else Step.GIVEN_UP
    return _put_back(world, Run(run.message, run.attempt + 1, step))


def _give_up(world: World, run: Run, rules: Rules) -> World:
    """S3_ERROR or OUT_OF_TIME. While it claims the day, a run does not know whether it has it."""
    if run.step in (Step.CLAIM, Step.LOOK, Step.TAKE_OVER):
        return _fail(world, run)
    return _end(world, run, rules, Step.WAITING)


def _end(world: World, run: Run, rules: Rules, ending: Step) -> World:
    """Release the day, if it was claimed, and end. ``WAITING`` is a failure."""
    if rules.claiming is not Claiming.NEVER:
        return _go(world, run, Step.RELEASE, ending=ending)
    return _fail(world, run) if ending is Step.WAITING else _go(world, run, ending)


def _requests(world: World, run: Run, rules: Rules) -> Iterator[tuple[str, World]]:
    """Each request that ``run`` may make now, with the world after its answer."""
    match run.step:
        case Step.COPY:
            for number in sorted(run.new) or run.replacing[:1]:
                yield f"{run.step} {number}", _copy(world, run, number, rules)
        case Step.DELETE_SURPLUS:
            for number in sorted(run.surplus):
                yield f"{run.step} {number}", _delete(world, run, number)
        case _:
            yield run.step, _request(world, run, rules)


def _request(world: World, run: Run, rules: Rules) -> World:
    """The world after the next request of ``run`` and its answer."""
    match run.step:
        case Step.WAITING:
            first = rules.claiming is Claiming.BEFORE_LISTING
            return _go(world, run, Step.CLAIM if first else Step.LIST_FIRST)
        case Step.CLAIM | Step.LOOK | Step.TAKE_OVER | Step.RELEASE:
            return _claim_request(world, run, rules)
        case Step.LIST_FIRST:
            found = tuple(sorted(record for record in world.sources if record < _SECOND_PAGE))
            return _go(world, run, Step.LIST_SECOND, listing=found)
        case Step.LIST_SECOND:
            found = tuple(sorted(record for record in world.sources if record >= _SECOND_PAGE))
            return _after_hiding(world, replace(run, listing=run.listing + found), rules)
        case Step.HIDE:
            number = run.place + 1
            hidden = world.hidden | {(run.id, number, run.listing[run.place])}
            return _after_hiding(replace(world, hidden=hidden), replace(run, place=number), rules)
        case Step.READ_MANIFEST:
            if world.manifest is not None and len(world.manifest) > len(run.listing):
                return _end(world, run, rules, Step.REFUSED)
            return _go(world, run, Step.FIND_CHUNKS)
        case _:
            return _publishing_request(world, run, rules)


_SECOND_PAGE = 3  # the first record of a listing's second page


def _after_hiding(world: World, run: Run, rules: Rules) -> World:
    if run.place < len(run.listing):
        return _go(world, run, Step.HIDE)
    if rules.claiming is Claiming.BEFORE_COPIES:
        return _go(world, run, Step.CLAIM)
    return _go(world, run, Step.READ_MANIFEST)


def _claim_request(world: World, run: Run, rules: Rules) -> World:
    match run.step:
        case Step.CLAIM if world.claim is None:
            return _claimed(replace(world, claim=run.id, expired=False), run, rules)
        case Step.CLAIM:
            return _go(world, run, Step.LOOK)
        case Step.LOOK if world.claim is None:
            return _go(world, run, Step.CLAIM)
        case Step.LOOK if world.claim == run.id:
            return _claimed(world, run, rules)
        case Step.LOOK if world.expired:
            return _go(world, run, Step.TAKE_OVER, seen_claim=world.claim)
        case Step.LOOK:  # BUSY: the message comes back
            waiting = Run(run.message, run.attempt)
            if rules.claiming is Claiming.BEFORE_LISTING:
                return _put_back(world, waiting)
            return _fail(world, run)
        case Step.TAKE_OVER if world.claim == run.seen_claim:
            return _claimed(replace(world, claim=run.id, expired=False), run, rules)
        case Step.TAKE_OVER:
            return _go(world, run, Step.LOOK, seen_claim=None)
        case _:  # RELEASE
            mine = world.claim == run.id or not rules.conditional_release
            after = replace(world, claim=None, expired=False) if mine else world
            if run.ending is Step.WAITING:
                return _fail(after, run)
            return _go(after, run, run.ending)


def _claimed(world: World, run: Run, rules: Rules) -> World:
    if rules.claiming is Claiming.BEFORE_LISTING:
        return _go(world, run, Step.LIST_FIRST)
    return _go(world, run, Step.READ_MANIFEST)


def _publishing_request(world: World, run: Run, rules: Rules) -> World:
    match run.step:
        case Step.FIND_CHUNKS:
            return _after_copying(world, _with_chunks(world, run, rules.copying))
        case Step.PUT_MANIFEST:
            after = replace(world, manifest=run.listing)
            if not run.hidden:
                return _end(after, run, rules, Step.DONE)
            return _go(after, run, Step.DELETE_HIDDEN)
        case _:  # DELETE_HIDDEN
            after = replace(world, hidden=world.hidden - {run.hidden[0]})
            left = replace(run, hidden=run.hidden[1:])
            if not left.hidden:
                return _end(after, left, rules, Step.DONE)
            return _go(after, left, Step.DELETE_HIDDEN)


def _with_chunks(world: World, run: Run, copying: Copying) -> Run:
    """The run with the work that a listing of the chunks gives it."""
    there = {number for number, _ in world.published}
    wanted = range(len(run.listing), 0, -1)
    match copying:
        case Copying.NEW_FIRST:
            new = frozenset(wanted) - there
        case Copying.DOWNWARDS:
            new = frozenset()
        case Copying.ANY:
            new = frozenset(wanted)
    return replace(
        run,
        new=new,
        replacing=tuple(number for number in wanted if number not in new),
        surplus=frozenset(number for number in there if number > len(run.listing)),
        hidden=tuple(sorted(world.hidden)),
    )


def _copy(world: World, run: Run, number: int, rules: Rules) -> World:
    record = run.listing[number - 1]
    if (run.id, number, record) not in world.hidden:
        return _end(world, run, rules, Step.WAITING)  # S3_ERROR: copy
    others = frozenset(chunk for chunk in world.published if chunk[0] != number)
    left = tuple(other for other in run.replacing if other != number)
    after = replace(world, published=others | {(number, record)})
    return _after_copying(after, replace(run, new=run.new - {number}, replacing=left))


def _delete(world: World, run: Run, number: int) -> World:
    kept = frozenset(chunk for chunk in world.published if chunk[0] != number)
    left = replace(run, surplus=run.surplus - {number})
    return _after_copying(replace(world, published=kept), left)


def _after_copying(world: World, run: Run) -> World:
    """The world in which ``run`` goes on with the first work that it has left."""
    if run.new or run.replacing:
        return _go(world, run, Step.COPY)
    return _go(world, run, Step.DELETE_SURPLUS if run.surplus else Step.PUT_MANIFEST)
