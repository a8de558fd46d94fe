"""Intervals cover the true value, noise gets no ranks, a slowdown does, and warnings appear."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from random import Random
from typing import Any

import pytest
from fake_candidates import FakeCandidate, Stage

from harness.analysis.caveats import Code, find_caveats
from harness.analysis.intervals import ConfidenceInterval, differs, paired_ratio, rank, summarise
from harness.analysis.row_summary import ranking
from harness.compare.schedule import Plan, run_plan
from harness.model import (
    Comparison,
    Enforcement,
    PeakSince,
    RepeatedRow,
    Row,
    Verdict,
    VerdictKind,
)


def noisy(seed: int, median: float, spread: float = 0.03) -> dict[int, float]:
    """Thirty rounds of a language alone on a machine that is at times slower."""
    rng = Random(seed)
    return {number: median * rng.lognormvariate(0, spread) for number in range(1, 31)}


def drifting(times: dict[int, float]) -> dict[int, float]:
    """Times on a machine that slows down to a third during the measurement."""
    return {number: time * (1 + number / 15) for number, time in times.items()}


def test_a_summary_of_known_values() -> None:
    found = summarise([10, 11, 12, 13, 100])
    assert found is not None
    assert (found.n, found.median, found.min, found.max, found.mad) == (5, 12, 10, 100, 1)
    assert found.interval is not None
    assert (found.interval.low, found.interval.high) == (10, 100)
    assert found.p95 is None
    long = summarise(list(range(1, 102)))
    assert long is not None
    assert long.p95 == 96


def test_nothing_and_one_value() -> None:
    assert summarise([]) is None
    one = summarise([3.0])
    assert one is not None
    assert (one.median, one.interval) == (3, None)


def test_the_interval_covers_the_true_median_about_as_often_as_it_says() -> None:
    intervals = [summarise(list(noisy(seed, 100).values())) for seed in range(200)]
    covered = sum(
        each is not None and each.interval is not None and not each.interval.excludes(100)
        for each in intervals
    )
    assert 180 <= covered <= 199  # 95 % of 200 is 190


def test_pairs_are_of_the_same_round_so_that_drift_cancels() -> None:
    one, other = noisy(1, 100), noisy(2, 120)
    straight, slanted = paired_ratio(other, one), paired_ratio(drifting(other), drifting(one))
    assert straight is not None
    assert slanted is not None
    assert slanted.estimate == pytest.approx(straight.estimate)
    assert (slanted.low, slanted.high) == pytest.approx((straight.low, straight.high))
    assert straight.low < 1.2 < straight.high


def test_below_eight_rounds_there_is_no_ratio_and_no_rank() -> None:
    few = dict.fromkeys(range(7), 100.0)
    assert paired_ratio(few, few) is None
    assert rank({"a": few, "b": few}, ConfidenceInterval(1, 0.99, 1.01, 8)) is None


def test_a_difference_lies_outside_of_the_noise() -> None:
    noise = ConfidenceInterval(1.0, 0.97, 1.02, 30)
    assert differs(ConfidenceInterval(1.2, 1.1, 1.3, 30), noise)
    assert differs(ConfidenceInterval(0.8, 0.7, 0.9, 30), noise)
    assert not differs(
        ConfidenceInterval(1.03, 1.01, 1.05, 30), noise
    )  # sure, and no more than noise
    assert not differs(ConfidenceInterval(1.2, 0.9, 1.3, 30), noise)
    assert differs(ConfidenceInterval(1.2, 1.1, 1.3, 30), None) is None


def test_equal_languages_share_a_rank_and_a_slow_one_does_not() -> None:
    noise = paired_ratio(noisy(5, 100), noisy(6, 100))
    rounds = {"a": noisy(1, 100), "b": noisy(2, 100), "slow": noisy(3, 130)}
    assert rank(rounds, noise) == {"a": 1, "b": 1, "slow": 3}
    assert rank(rounds, None) is None


def comparison(warm: int, interrupted: bool = False, **median_ms: float) -> Comparison:
    """Measured in simulated time, with 3 % noise on every language."""
    stage, rng = Stage(), Random(1)

    def times(around_ms: float) -> Callable[[int], float]:
        return lambda _: around_ms * rng.lognormvariate(0, 0.03)

    candidates = [FakeCandidate(stage, name, time_ms=times(ms)) for name, ms in median_ms.items()]
    found = run_plan(Plan({}, 0, warm, 0), candidates, stage, lambda _: None, stage.clock)
    rows = [
        Row(name, "sdk", Verdict(VerdictKind.MATCH), samples=tuple(outcome.samples))
        for name, outcome in found.outcomes.items()
    ]
    assert found.again is not None
    name, second = found.again
    return Comparison(
        {"cores": 2, "clean": True},
        {},
        {"sources": 10, "source_bytes": 1000},
        tuple(rows),
        RepeatedRow(f"{name} sdk", tuple(second.samples)),
        interrupted,
    )


def test_a_run_of_one_language_three_times_is_not_ranked_apart() -> None:
    found = ranking(comparison(20, a=100, b=100, c=100))
    assert {each.rank for each in found.standings.values()} == {1}


def test_a_slow_language_is_ranked_last() -> None:
    found = ranking(comparison(20, a=100, b=140, c=100))
    assert found.standings["b sdk"].rank == 3
    assert found.noise is not None
    ratio = found.standings["b sdk"].to_fastest
    assert ratio is not None
    assert 1.3 < ratio.estimate < 1.5


def codes(of: Comparison) -> set[str]:
    found = find_caveats(of, ranking(of))
    assert all(each.what and each.advice for each in found)
    return {str(each.code) for each in found}


def test_warnings_come_when_their_cause_is_there() -> None:
    assert codes(comparison(20, a=100, b=200)) == set()
    assert codes(comparison(7, a=100)) == {Code.TOO_FEW_SAMPLES}
    assert codes(comparison(20, interrupted=True, a=100)) == {Code.INTERRUPTED}
    assert codes(comparison(20, a=32)) == {Code.SERVER_BUSY}  # the server takes 30 ms
    of = comparison(20, a=100)
    replaced = replace(of, rows=tuple(replace(row, discarded=2) for row in of.rows))
    assert codes(replaced) == {Code.SANDBOX_REPLACED}


def test_rows_with_the_same_fault_share_a_warning_that_names_a_few() -> None:
    of = comparison(9, a=32)  # the server takes 30 ms
    rows = tuple(replace(of.rows[0], language=f"l{number}") for number in range(6))
    six = replace(of, rows=rows)
    (busy,) = (each for each in find_caveats(six, ranking(six)) if each.code is Code.SERVER_BUSY)
    assert "l3 sdk 9" in busy.what
    assert "l4" not in busy.what
    assert busy.what.endswith("and 2 more")


def test_a_run_without_its_noise_floor_is_told() -> None:
    of = comparison(9, a=100)
    assert Code.NO_NOISE_FLOOR in codes(
        Comparison(of.environment, {}, of.fixture, of.rows, None, False)
    )


def test_the_machine_and_the_checkout_are_told() -> None:
    of = comparison(9, a=100)
    environment = {"cores": 1, "clean": False}
    found = codes(Comparison(environment, {}, of.fixture, of.rows, of.again, False))
    assert {Code.ONE_CORE, Code.DIRTY_CHECKOUT} <= found


def test_missing_and_partial_limits_are_reported() -> None:
    of = comparison(9, a=100)

    def held(vcpus: float, mechanism: str | None) -> set[str]:
        row = replace(of.rows[0], enforcement=Enforcement(512, vcpus, mechanism, "why"))
        return codes(replace(of, rows=(row,)))

    assert held(1, "cgroup v2") == set()
    assert held(1, None) == {Code.LIMITS_NOT_ENFORCED}
    assert held(1.7, "cgroup v2") == {Code.CONTENDED}


def test_the_gaps_of_the_limits_are_reported() -> None:
    of = comparison(9, a=100)

    def held(**facts: Any) -> set[str]:
        enforced = replace(Enforcement(512, 0.3, "cgroup v1", None), **facts)
        return codes(replace(of, rows=(replace(of.rows[0], enforcement=enforced),)))

    assert held(swap_off=True, quota_delay_ms=1.5) == set()
    assert held(swap_off=False) == {Code.SWAP_ON}
    assert held(quota_delay_ms=41.0) == {Code.LATE_QUOTA}


def test_other_work_on_the_machine_is_told() -> None:
    of = comparison(9, a=100)

    def loaded(load: float) -> set[str]:
        return codes(replace(of, environment={"cores": 2, "clean": True, "load": load}))

    assert (loaded(0.9), loaded(1.1)) == (set(), {Code.BUSY_MACHINE})


@pytest.mark.parametrize(
    ("runtime", "version", "differs"),
    [
        ("nodejs24.x", "24.11.1", False),
        ("nodejs24.x", "22.4.0", True),
        ("nodejs24.x", "2.4.0", True),
        ("java25", "25", False),
        ("java25", "25.0.3", False),
        ("java25", "21.0.9", True),
        ("python3.13", "3.13.0", False),
        ("python3.13", "3.1.0", True),
        ("provided.al2023", None, False),
        ("python3.13", None, False),
    ],
)
def test_another_runtime_than_the_template_s_is_reported(
    runtime: str, version: str | None, differs: bool
) -> None:
    of = comparison(9, a=100)
    row = replace(of.rows[0], runtime=runtime, runtime_version=version)
    found = codes(replace(of, rows=(row,)))
    assert found == ({Code.RUNTIME_DIFFERS} if differs else set())


def test_memory_that_was_not_measured_is_told() -> None:
    of = comparison(9, a=100)
    samples = tuple(replace(each, peak_rss_bytes=None) for each in of.rows[0].samples)
    found = codes(replace(of, rows=(replace(of.rows[0], samples=samples),)))
    assert found == {Code.MEMORY_NOT_MEASURED}


def test_a_peak_since_the_start_is_reported() -> None:
    of = comparison(9, a=100)
    samples = tuple(replace(each, peak_since=PeakSince.START) for each in of.rows[0].samples)
    assert codes(replace(of, rows=(replace(of.rows[0], samples=samples),))) == {
        Code.PEAK_SINCE_START
    }
