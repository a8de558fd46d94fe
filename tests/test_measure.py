"""The order of invocations, and the handling of failed ones, in simulated time."""

from __future__ import annotations

from collections import Counter
from itertools import batched

import pytest
from fake_candidates import HALF, RESULT, FakeCandidate, Stage

from harness.compare.schedule import Measured, Outcome, Plan, run_plan
from harness.model import Failure, FailureKind, HarnessError, NotReady, SampleKind, VerdictKind

QUIET = Plan({}, rerun=0, again=False)


def measured(plan: Plan, *candidates: FakeCandidate) -> Measured:
    stage = candidates[0].stage
    return run_plan(plan, candidates, stage, lambda _: None, stage.clock)


def run(plan: Plan, *candidates: FakeCandidate) -> dict[str, Outcome]:
    return measured(plan, *candidates).outcomes


def invoked(stage: Stage) -> list[str]:
    return [step.removeprefix("invoke ") for step in stage.done if step.startswith("invoke")]


def plan(cold: int, warm: int, **others: object) -> Plan:
    return Plan({}, cold, warm, **{"rerun": 0, "again": False, **others})  # type: ignore[arg-type]


def test_all_are_verified_then_warmed_up_then_measured_in_rounds() -> None:
    stage = Stage()
    outcomes = run(plan(2, 2), FakeCandidate(stage, "go"), FakeCandidate(stage, "java"))
    done = invoked(stage)
    assert done[:6] == ["go cold", "java cold", "go cold", "go", "java cold", "java"]
    rounds = [Counter(each) for each in batched(done[6:], 2, strict=True)]
    assert rounds == [Counter(("go cold", "java cold")), Counter(("go", "java"))] * 2
    for outcome in outcomes.values():
        assert [(sample.kind, sample.round) for sample in outcome.samples] == [
            *(("cold", 1), ("warm", 1), ("cold", 2), ("warm", 2)),
        ]
        assert (outcome.output, outcome.output_zip_bytes) == (RESULT, 77)


def test_a_warm_sandbox_rests_before_each_of_its_samples() -> None:
    stage, rests = Stage(), []

    def wait(seconds: float) -> None:
        rests.append(seconds)
        stage.now_ms += 1000 * seconds

    half = frozenset({"go"})
    slow = FakeCandidate(stage, "go", time_ms=lambda _: 2_000)
    one = plan(0, 2, rerun=1, half_event=HALF, halved=half, rest=5.5)
    run_plan(one, [slow], stage, lambda _: None, stage.clock, wait=wait)
    assert rests == [5.5] * 4  # two warm ones and their halves

    rests.clear()
    others = [FakeCandidate(stage, name, time_ms=lambda _: 2_000) for name in "abcd"]
    run_plan(plan(0, 3, rest=5.5), others, stage, lambda _: None, stage.clock, wait=wait)
    assert len(rests) < 12  # the others take that long, unless a sandbox's turns follow each other


def orders(seed: int) -> list[tuple[str, ...]]:
    stage = Stage()
    run(plan(0, 12, seed=seed), *(FakeCandidate(stage, name) for name in "abc"))
    return list(batched(invoked(stage)[9:], 3, strict=True))


def test_the_order_within_a_round_is_shuffled_by_the_seed() -> None:
    assert orders(1) == orders(1)
    assert orders(1) != orders(2)
    assert len(set(orders(1))) > 2
    assert all(sorted(each) == ["a", "b", "c"] for each in orders(1))


def test_every_measured_output_is_judged_before_the_next() -> None:
    stage = Stage()
    run(plan(3, 4), FakeCandidate(stage, "go"))
    verified, warming_up, samples = 1, 2, 7
    assert stage.done.count("judge go") == verified + samples
    assert len(invoked(stage)) == verified + warming_up + samples


def test_each_cold_sample_has_a_fresh_sandbox_and_all_are_stopped() -> None:
    stage = Stage()
    candidate = FakeCandidate(stage, "go")
    run(plan(3, 5), candidate)
    assert candidate.starts == 5  # verification, three cold ones, one for all warm ones
    assert stage.done.count("start go") == stage.done.count("stop go")
    assert stage.done[-1] == "stop go"


def test_a_re_run_finds_the_day_and_counts_apart() -> None:
    stage = Stage()
    outcome = run(plan(0, 3, rerun=2), FakeCandidate(stage, "go"))["go"]
    assert invoked(stage)[3:] == ["go", "go rerun", "go", "go rerun", "go"]
    kinds = [sample.kind for sample in outcome.samples]
    assert kinds == ["warm", "rerun", "warm", "rerun", "warm"]


def test_the_fastest_is_measured_against_itself() -> None:
    stage = Stage()
    slow = FakeCandidate(stage, "java", time_ms=lambda _: 300)
    found = measured(plan(1, 3, again=True, rerun=3), slow, FakeCandidate(stage, "go"))
    assert found.again is not None
    name, second = found.again
    assert name == "go"
    assert [sample.kind for sample in second.samples] == [SampleKind.WARM] * 3
    assert len(found.outcomes["go"].samples) == 1 + 3 + 3
    last_round = Counter(invoked(stage)[-5:])
    assert last_round == {"go": 2, "go rerun": 1, "java": 1, "java rerun": 1}


def test_halved_targets_are_asked_for_both_sizes_in_each_round() -> None:
    stage = Stage()
    asked = plan(1, 2, half_event=HALF, halved=frozenset({"go"}), again=True, rerun=1)
    found = measured(asked, FakeCandidate(stage, "go"), FakeCandidate(stage, "java"))
    assert found.again is not None
    kinds = {name: [s.kind for s in each.samples] for name, each in found.outcomes.items()}
    assert kinds["go"] == ["cold", "warm", "rerun", "half", "warm", "half"]
    assert kinds["java"] == ["cold", "warm", "rerun", "warm"]
    assert [sample.kind for sample in found.again[1].samples] == ["warm", "warm"]
    assert found.outcomes["go"].samples[3].duration_ms == 50
    assert stage.done[stage.done.index("invoke go half") + 1] == "judge go"


def test_samples_carry_the_figures_as_they_came() -> None:
    cold, warm = run(plan(1, 1), FakeCandidate(Stage(), "go"))["go"].samples
    assert (cold.init_ms, cold.duration_ms, cold.first_ms) == (100, 400, 500)
    assert (cold.cpu_ms, cold.server_cpu_ms, cold.peak_rss_bytes) == (5, 30, 9)
    assert (warm.init_ms, warm.duration_ms, warm.first_ms) == (None, 100, None)
    assert (warm.wait_ms, warm.phases) == (12.5, {"get": {"count": 3, "sum_ms": 5}})


@pytest.mark.parametrize("seconds", [1, 2, 7])
def test_a_time_budget_decides_the_counts(seconds: int) -> None:
    stage = Stage()
    candidates = [FakeCandidate(stage, "go"), FakeCandidate(stage, "java")]
    outcomes = run(Plan({}, rerun=0, seconds=seconds, again=False), *candidates)
    kinds = [Counter(sample.kind for sample in each.samples) for each in outcomes.values()]
    rounds = max(1, int(seconds / 1.2))  # two cold ones of 500 ms and two warm ones of 100
    assert kinds == [{"cold": rounds, "warm": rounds}] * 2


def test_counts_bound_a_time_budget() -> None:
    outcome = run(Plan({}, cold=0, warm=3, seconds=99), FakeCandidate(Stage(), "go"))["go"]
    assert Counter(sample.kind for sample in outcome.samples) == {"warm": 3, "rerun": 3}


def test_an_interruption_keeps_what_was_measured() -> None:
    stage = Stage()
    candidates = [FakeCandidate(stage, "go"), FakeCandidate(stage, "java", interrupt_at=7)]
    found = measured(plan(0, 8), *candidates)
    assert found.interrupted
    assert len(found.outcomes["java"].samples) == 3
    assert len(found.outcomes["go"].samples) in (3, 4)
    assert stage.done.count("start go") == stage.done.count("stop go")


def test_once_the_verifying_run_is_the_sample() -> None:
    stage = Stage(wrong={"java": {1}})
    outcomes = run(Plan({}, once=True), FakeCandidate(stage, "go"), FakeCandidate(stage, "java"))
    assert invoked(stage) == ["go cold", "java cold"]
    (sample,) = outcomes["go"].samples
    assert (sample.kind, sample.first_ms, sample.cpu_ms, sample.server_cpu_ms) == (
        *("cold", 500, 5, 30),
    )
    assert outcomes["java"].verdict.kind is VerdictKind.MISMATCH
    assert outcomes["java"].samples == []


def test_once_each_row_is_kept_as_it_comes() -> None:
    stage, kept = Stage(), list[list[str]]()
    candidates = [FakeCandidate(stage, name, interrupt_at=int(name == "c")) for name in "abc"]
    found = run_plan(
        *(Plan({}, once=True), candidates, stage, lambda _: None, stage.clock),
        keep=lambda so_far: kept.append([*so_far.outcomes]),
    )
    assert kept == [["a"], ["a", "b"]]
    assert found.interrupted
    assert [len(each.samples) for each in found.outcomes.values()] == [1, 1]


def test_an_interruption_before_all_are_verified_leaves_no_result() -> None:
    stage = Stage()
    with pytest.raises(KeyboardInterrupt):
        run(plan(1, 1), FakeCandidate(stage, "go"), FakeCandidate(stage, "java", interrupt_at=1))


def test_progress_tells_what_runs_and_the_time_left() -> None:
    stage, told = Stage(), list[str]()
    run_plan(plan(0, 3), [FakeCandidate(stage, "go")], stage, told.append, stage.clock)
    assert told == [
        *("verifying go", "warming up go", "round 1: warm go"),
        *("round 2: warm go, about 0 s left", "round 3: warm go, about 0 s left"),
    ]
    slow = FakeCandidate(Stage(), "go", time_ms=lambda _: 60_000)
    run_plan(plan(0, 3), [slow], slow.stage, told.append, slow.stage.clock)
    assert told[-2:] == [
        "round 2: warm go, about 120 s left",
        "round 3: warm go, about 60 s left",
    ]


def test_a_mismatch_keeps_its_reason_and_gets_no_samples() -> None:
    stage = Stage(wrong={"java": {1}})
    outcomes = run(QUIET, FakeCandidate(stage, "java"), FakeCandidate(stage, "go"))
    assert (outcomes["java"].verdict.kind, outcomes["java"].verdict.reason) == (
        VerdictKind.MISMATCH,
        "line 3 differs",
    )
    assert outcomes["java"].samples == []
    assert invoked(stage).count("java cold") == 1
    assert len(outcomes["go"].samples) == 13


def test_an_output_that_is_wrong_once_while_measuring_is_a_mismatch() -> None:
    stage = Stage(wrong={"java": {6}})
    outcomes = run(QUIET, FakeCandidate(stage, "java"), FakeCandidate(stage, "go"))
    assert outcomes["java"].verdict.kind is VerdictKind.MISMATCH
    assert outcomes["java"].samples == []
    assert len(outcomes["go"].samples) == 13


def test_an_error_in_verification_is_a_failed_run() -> None:
    outcome = run(QUIET, FakeCandidate(Stage(), "go", {1: "NO_TRAIL: AWSLogs/"}))["go"]
    assert (outcome.verdict.kind, outcome.verdict.reason) == ("failed", "NO_TRAIL: AWSLogs/")
    assert outcome.output is None


def test_an_error_while_measuring_ends_that_language_only() -> None:
    stage = Stage()
    candidate = FakeCandidate(stage, "java", {6: "S3_ERROR: get a"})
    outcomes = run(QUIET, candidate, FakeCandidate(stage, "go"))
    assert outcomes["java"].verdict.kind is VerdictKind.FAILED
    assert "S3_ERROR: get a" in str(outcomes["java"].verdict.reason)
    assert outcomes["java"].samples == []
    assert candidate.invocations == 6
    assert len(outcomes["go"].samples) == 13
    assert stage.done.count("start java") == stage.done.count("stop java")


@pytest.mark.parametrize(
    ("kind", "verdict"),
    [
        (FailureKind.OUT_OF_MEMORY, VerdictKind.OUT_OF_MEMORY),
        (FailureKind.TIMED_OUT, VerdictKind.TIMED_OUT),
        (FailureKind.DIED, VerdictKind.FAILED),
    ],
)
def test_ends_at_a_limit_have_verdicts_of_their_own(
    kind: FailureKind, verdict: VerdictKind
) -> None:
    at_once = FakeCandidate(Stage(), "go", {1: Failure(kind, "at its limit")})
    assert run(QUIET, at_once)["go"].verdict.kind is verdict
    later = FakeCandidate(Stage(), "go", {6: Failure(kind, "at its limit")})
    outcome = run(QUIET, later)["go"]
    assert (outcome.verdict.kind, outcome.samples) == (verdict, [])
    assert "at its limit" in str(outcome.verdict.reason)


def test_an_error_in_the_warming_up_is_a_failed_run() -> None:
    candidate = FakeCandidate(Stage(), "go", {3: "INTERNAL: see the log"})
    assert run(QUIET, candidate)["go"].verdict.kind is VerdictKind.FAILED
    assert candidate.invocations == 3


def test_a_sandbox_that_died_between_warm_samples_is_noticed() -> None:
    outcome = run(QUIET, FakeCandidate(Stage(), "go", always_cold=True))["go"]
    assert outcome.verdict.kind is VerdictKind.FAILED


def test_a_replaced_sandbox_is_warmed_up_again_and_its_invocation_is_no_sample() -> None:
    stage = Stage()
    warm_ups, surprises = 3, frozenset({4, 6})  # both are tries of the first warm sample
    outcome = run(plan(0, 2, repeats=3), FakeCandidate(stage, "go", surprises=surprises))["go"]
    assert invoked(stage)[warm_ups:] == ["go cold", "go rerun"] * 2 + ["go", "go"]
    assert [(each.kind, each.round) for each in outcome.samples] == [("warm", 1), ("warm", 2)]
    assert (outcome.matched, outcome.discarded) == (True, 2)


def test_a_sandbox_that_was_started_ahead_is_replaced_by_a_fresh_one() -> None:
    candidate = FakeCandidate(Stage(), "go", surprises=frozenset({2, 3}))
    outcome = run(plan(1, 0, repeats=3), candidate)["go"]
    assert [(each.kind, each.init_ms) for each in outcome.samples] == [("cold", 100)]
    assert (candidate.starts, outcome.discarded) == (1 + 3, 2)


def test_a_round_without_a_sample_does_not_cost_the_row_its_others() -> None:
    candidate = FakeCandidate(Stage(), "go", surprises=frozenset(range(5, 13)))
    outcome = run(plan(0, 3, repeats=3), candidate)["go"]
    assert [each.round for each in outcome.samples] == [1, 3]
    assert (outcome.matched, outcome.discarded) == (True, 4)


def test_the_output_of_a_discarded_invocation_is_judged_all_the_same() -> None:
    stage = Stage(wrong={"go": {2}})
    outcome = run(plan(0, 1, repeats=3), FakeCandidate(stage, "go", surprises=frozenset({4})))["go"]
    assert outcome.verdict.kind is VerdictKind.MISMATCH


def test_a_sandbox_that_does_not_start() -> None:
    stage = Stage()
    outcomes = run(
        QUIET,
        FakeCandidate(stage, "java", start_error=NotReady("no JDK 25")),
        FakeCandidate(stage, "go", start_error=HarnessError("no port")),
    )
    assert outcomes["java"].verdict.kind is VerdictKind.SKIPPED
    assert outcomes["go"].verdict.kind is VerdictKind.FAILED


def test_without_samples_everything_is_verified_all_the_same() -> None:
    stage = Stage()
    outcome = run(plan(0, 0), FakeCandidate(stage, "go"))["go"]
    assert outcome.matched
    assert invoked(stage) == ["go cold"]
