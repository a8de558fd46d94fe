"""The shape of all disturbances: a fault, a trial for each seed, and the promises broken."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

from harness.model import Artefact

#: A disturbance may try this many seeds for each trial that counts.
_MOST_SEEDS = 3


@dataclass(slots=True)
class Outcome:
    """One trial. ``problems`` are the promises that it broke, ``note`` says what was done.

    ``counts`` is ``False`` if the fault came too late to disturb anything.
    """

    seed: int
    problems: list[str] = field(default_factory=list)
    note: str = ""
    counts: bool = True


#: Runs the trial of a seed.
Trial = Callable[[int], Outcome]


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of fault. ``start`` makes its servers and sandboxes, which its trials share.

    ``trials`` is how many ``make disturb`` runs for each client.
    """

    name: str
    about: str
    trials: int
    start: Callable[[Artefact], AbstractContextManager[Trial]]


def run_trials(
    kind: Kind,
    artefact: Artefact,
    trials: int,
    first_seed: int = 0,
    go_on: Callable[[], bool] = lambda: True,
) -> list[Outcome]:
    """The outcomes that count, of ``trials`` seeds from the first on.

    Seeds whose fault came too late are replaced by further ones. After a broken promise the fault
    starts anew, so that one trial does not disturb the next.
    """
    outcomes: list[Outcome] = []
    seeds = iter(range(first_seed, first_seed + _MOST_SEEDS * trials))
    seed = next(seeds, None)
    while seed is not None and len(outcomes) < trials and go_on():
        with kind.start(artefact) as trial:
            clean = True
            while clean and seed is not None and len(outcomes) < trials and go_on():
                try:
                    outcome = trial(seed)
                except Exception as error:  # the function did what no trial expects
                    outcome = Outcome(seed, [f"{type(error).__name__}: {error}"])
                if outcome.counts or outcome.problems:
                    outcomes.append(outcome)
                clean = not outcome.problems
                seed = next(seeds, None)
    return outcomes
