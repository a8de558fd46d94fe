"""Runs of one day at the same time, in orders that a seed decides (SPEC W9 to W13)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from harness.model import Artefact
from harness.verify.protocol.trials import CHANGES, Trials

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def two(artefact: Artefact) -> Iterator[Trials]:
    with Trials(artefact, runs=2) as trials:
        yield trials


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("seed", range(2))
def test_two_runs_of_a_day(two: Trials, seed: int, change: str) -> None:
    outcome = two.run(seed, change)
    assert outcome.problems == [], outcome


def test_three_runs_of_a_day_of_which_one_is_killed(artefact: Artefact) -> None:
    with Trials(artefact, runs=3) as trials:
        outcome = trials.run(1, "grown", kill=True)
    assert outcome.problems == [], outcome
