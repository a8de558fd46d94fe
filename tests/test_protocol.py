"""The protocol of SPEC W2 to W13, examined in every order of events; others are seen to fail."""

from __future__ import annotations

from typing import Any

import pytest

from harness.verify.protocol.explore import Exploration, explore
from harness.verify.protocol.model import Claiming, Copying, Rules, Run, World

TWO = (Run(1), Run(2))
THREE = (Run(1), Run(2), Run(3))
GROWING: dict[str, Any] = {"sources": frozenset({1}), "arriving": frozenset({3})}
MOVING: dict[str, Any] = {
    "sources": frozenset({1, 2}),
    "arriving": frozenset({3}),
    "expiring": frozenset({1}),
}
BEFORE: dict[str, Any] = {"sources": frozenset({1, 2}), "arriving": frozenset({0})}
PUBLISHED: dict[str, Any] = {
    "published": frozenset({(1, 1), (2, 2)}),
    "manifest": (1, 2),
    "once_visible": frozenset({1, 2}),
}


def promise_broken(exploration: Exploration) -> str:
    assert exploration.violation is not None
    return exploration.violation.promise


@pytest.mark.parametrize(
    ("start", "at_least"),
    [
        (World(runs=TWO, **MOVING), 1_000),
        (World(runs=TWO, **MOVING, crashes=1, lost_answers=1), 50_000),
        (World(runs=TWO, **GROWING, crashes=2), 5_000),
        (World(runs=TWO, **GROWING, **PUBLISHED, crashes=1, lost_answers=1), 5_000),
        (World(runs=TWO, **BEFORE, **PUBLISHED, crashes=2), 5_000),
        (World(runs=TWO, **BEFORE, **PUBLISHED, failures=1, lost_answers=1), 5_000),
        (World(runs=THREE, **GROWING, lost_answers=1), 5_000),
        (World(runs=THREE, sources=frozenset({1}), crashes=1, lost_answers=1), 10_000),
    ],
    ids=[
        "two",
        "two, faults",
        "two, crashes",
        "two, published",
        "two, earlier source",
        "two, failures",
        "three",
        "three, faults",
    ],
)
def test_the_contracts_protocol_keeps_every_promise(start: World, at_least: int) -> None:
    exploration = explore(start, Rules())
    assert exploration.violation is None
    assert exploration.worlds >= at_least


def test_without_a_claim_two_runs_leave_a_manifest_that_lies() -> None:
    start = World(runs=TWO, **GROWING, expiring=frozenset({9}))  # only promises at rest count
    exploration = explore(start, Rules(claiming=Claiming.NEVER))
    assert promise_broken(exploration) == "the manifest names exactly the chunks that are there"


def test_without_a_claim_a_reader_misses_records() -> None:
    exploration = explore(World(runs=TWO, **GROWING), Rules(claiming=Claiming.NEVER))
    assert promise_broken(exploration).startswith("where sources only grow, a reader misses no")


def test_a_claim_after_the_listing_is_too_late() -> None:
    """The count of W3 does not notice that one source has expired and another has come."""
    start = World(
        runs=TWO,
        sources=frozenset({1}),
        arriving=frozenset({3}),
        expiring=frozenset({1}),
    )
    exploration = explore(start, Rules(claiming=Claiming.BEFORE_COPIES))
    assert promise_broken(exploration).startswith("no record is gone")


def test_clocks_that_differ_by_more_than_the_margin_break_it() -> None:
    exploration = explore(World(runs=TWO, **GROWING), Rules(clocks_agree=False))
    assert exploration.violation is not None


def test_a_release_needs_its_condition() -> None:
    start = World(runs=THREE, **GROWING, lost_answers=1)
    exploration = explore(start, Rules(conditional_release=False))
    assert exploration.violation is not None
    assert any("claim: delete, the answer gets lost" in e for e in exploration.violation.schedule)


def test_copies_that_replace_chunks_need_their_order() -> None:
    start = World(runs=(Run(1),), **BEFORE, **PUBLISHED)
    assert explore(start, Rules(copying=Copying.DOWNWARDS)).violation is None
    any_order = explore(start, Rules(copying=Copying.ANY))
    assert promise_broken(any_order).startswith("where sources only grow, a reader misses no")


def test_a_write_that_s3_carries_out_after_the_claim_is_given_back_breaks_it() -> None:
    start = World(runs=TWO, **GROWING, late_writes=1)
    exploration = explore(start, Rules())
    assert exploration.violation is not None
    assert any("S3 carries out late" in event for event in exploration.violation.schedule)
    assert explore(start, Rules(silence_keeps_claim=True)).violation is None
