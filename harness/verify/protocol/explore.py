"""Every order in which the events of a model can happen, and what must hold in each."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace

from harness.verify.protocol.model import AT_REST, Rules, Run, Step, World, successors


@dataclass(frozen=True, slots=True)
class Violation:
    """A promise that a schedule breaks; ``schedule`` is a shortest list of events."""

    promise: str
    world: World
    schedule: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Exploration:
    """``worlds`` counts the different worlds that were reached."""

    worlds: int
    violation: Violation | None


def explore(start: World, rules: Rules) -> Exploration:
    """Go through every world that can follow ``start``, nearest first; stop at a violation."""
    came_from: dict[World, tuple[World, str] | None] = {start: None}
    before: dict[World, list[World]] = {start: []}
    queue = deque([start])
    while queue:
        world = queue.popleft()
        broken = next(broken_promises(world, rules), None)
        if broken is None and not start.expiring and _missing(world):
            broken = "where sources only grow, a reader misses no record that was visible"
        if broken:
            return Exploration(
                len(came_from), Violation(broken, world, _schedule(came_from, world))
            )
        for event, after in successors(world, rules):
            if after not in came_from:
                came_from[after] = (world, event)
                before[after] = []
                queue.append(after)
            before[after].append(world)
    if stuck := _stuck(before):
        promise = "nobody waits for ever"
        return Exploration(len(came_from), Violation(promise, stuck, _schedule(came_from, stuck)))
    return Exploration(len(came_from), None)


def broken_promises(world: World, rules: Rules) -> Iterator[str]:
    """The promises that ``world`` breaks; they are made for a world at rest."""
    if not world.at_rest or not any(run.step is Step.DONE for run in world.runs):
        return
    if missing := _missing(world):
        yield f"no record is gone that was visible and is in the sources: {sorted(missing)}"
    if world.manifest is None or set(enumerate(world.manifest, 1)) != world.published:
        yield "the manifest names exactly the chunks that are there"
    exact = _after_one_more_run(world, rules)
    if exact is None:
        yield "a repeated run succeeds"
    elif exact.published != set(enumerate(sorted(world.sources), 1)):
        yield "a repeated run ends in the exact content"


def _missing(world: World) -> frozenset[int]:
    """The records that were visible and are in the sources, and that a reader misses now."""
    return (world.once_visible & world.sources) - world.visible


def _after_one_more_run(world: World, rules: Rules) -> World | None:
    """The world after a run alone, without faults, as an operator with ``force`` would start it."""
    alone = replace(
        world, runs=(Run(message=99),), manifest=None, expired=True, crashes=0, failures=0,
        lost_answers=0,
        arriving=frozenset(), expiring=frozenset(),
    )  # fmt: skip
    for _ in range(1000):
        run = alone.runs[0]
        if run.step in AT_REST:
            return alone if run.step is Step.DONE else None
        alone = next(after for event, after in successors(alone, rules) if event.startswith("run"))
    return None


def _stuck(before: dict[World, list[World]]) -> World | None:
    """A world from which no world at rest can be reached any more."""
    reaching = {world for world in before if world.at_rest}
    queue = deque(reaching)
    while queue:
        for world in before[queue.popleft()]:
            if world not in reaching:
                reaching.add(world)
                queue.append(world)
    return next((world for world in before if world not in reaching), None)


def _schedule(came_from: dict[World, tuple[World, str] | None], world: World) -> tuple[str, ...]:
    events: list[str] = []
    while step := came_from[world]:
        world, event = step
        events.append(event)
    return tuple(reversed(events))
