"""The order of invocations and what becomes of those that fail, in simulated time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from harness.measure import Outcome, Plan, run_plan
from harness.model import HarnessError, Invocation, NotReady, SampleKind, VerdictKind

RESULT: Mapping[str, object] = {"day": "2024-02-08", "records": 7}


@dataclass
class Stage:
    """Everything that happens, in order, and a clock that each invocation moves on."""

    done: list[str] = field(default_factory=list)
    now_ms: float = 0
    written: bool = False
    wrong: frozenset[str] = frozenset()
    running: str = ""

    def clear(self) -> None:
        self.written = False

    def judge(self, invocation: Invocation) -> str | None:
        self.done.append(f"judge {self.running}")
        return "line 3 differs" if self.running in self.wrong else None


@dataclass
class FakeTarget:
    """``answers`` are errors or results by the number of the invocation, from 1."""

    stage: Stage
    language: str
    answers: Mapping[int, object] = field(default_factory=dict)
    starts: int = 0
    invocations: int = 0
    start_error: HarnessError | None = None
    always_cold: bool = False

    @contextmanager
    def start(self) -> Iterator[FakeRun]:
        if self.start_error is not None:
            raise self.start_error
        self.starts += 1
        self.stage.done.append(f"start {self.language}")
        try:
            yield FakeRun(self)
        finally:
            self.stage.done.append(f"stop {self.language}")


class FakeRun:
    def __init__(self, target: FakeTarget) -> None:
        self._target = target
        self._cold = True

    def invoke(self, event: object) -> Invocation:
        target, stage = self._target, self._target.stage
        assert not stage.written, "the destination was not empty"
        cold, self._cold = self._cold or target.always_cold, False
        stage.written, stage.running = True, target.language
        stage.now_ms += 500 if cold else 100
        stage.done.append(f"invoke {target.language}{' cold' if cold else ''}")
        target.invocations += 1
        answer = target.answers.get(target.invocations, RESULT)
        error = answer if isinstance(answer, str) else None
        end = {"event": "end", "phases": {"get": {"count": target.invocations}}}
        init, result = (40.0 if cold else None), (None if error else answer)
        return Invocation(result, error, cold, init, stage.now_ms, 5, 9, ({"event": "start"}, end))


def run(plan: Plan, *targets: FakeTarget) -> dict[str, Outcome]:
    return run_plan(plan, targets, targets[0].stage, lambda _: None)


def invoked(stage: Stage) -> list[str]:
    return [step.removeprefix("invoke ") for step in stage.done if step.startswith("invoke")]


def test_all_are_verified_before_any_is_measured_and_samples_go_round() -> None:
    stage = Stage()
    targets = [FakeTarget(stage, "go"), FakeTarget(stage, "java")]
    outcomes = run(Plan({}, cold=2, warm=2), *targets)
    cold_round = ["go cold", "java cold"]
    assert invoked(stage) == cold_round * 4 + ["go", "java"] * 2
    assert stage.done[:4] == ["start go", "invoke go cold", "stop go", "judge go"]
    for outcome in outcomes.values():
        assert [sample.kind for sample in outcome.samples] == ["cold"] * 2 + ["warm"] * 2
        assert outcome.output == RESULT


def test_each_cold_sample_has_a_fresh_sandbox_and_all_are_stopped() -> None:
    stage = Stage()
    target = FakeTarget(stage, "go")
    run(Plan({}, cold=3, warm=5), target)
    assert target.starts == 5  # verification, three cold ones, one for all warm ones
    assert stage.done.count("start go") == stage.done.count("stop go")
    assert stage.done[-1] == "stop go"


def test_samples_carry_the_figures_as_they_came() -> None:
    outcome = run(Plan({}, cold=1, warm=1), FakeTarget(Stage(), "go"))["go"]
    cold, warm = outcome.samples
    assert (cold.init_ms, cold.duration_ms, cold.cpu_ms, cold.peak_rss_bytes) == (40, 1000, 5, 9)
    assert (warm.init_ms, warm.duration_ms) == (None, 1600)
    assert outcome.phases == {"get": {"count": 4}}


def test_a_mismatch_keeps_its_reason_and_gets_no_samples() -> None:
    stage = Stage(wrong=frozenset({"java"}))
    outcomes = run(Plan({}), FakeTarget(stage, "java"), FakeTarget(stage, "go"))
    assert (outcomes["java"].verdict.kind, outcomes["java"].verdict.reason) == (
        VerdictKind.MISMATCH,
        "line 3 differs",
    )
    assert outcomes["java"].samples == []
    assert invoked(stage).count("java cold") == 1
    assert len(outcomes["go"].samples) == 8


def test_an_error_in_verification_is_a_failed_run() -> None:
    outcome = run(Plan({}), FakeTarget(Stage(), "go", {1: "NO_TRAIL: AWSLogs/"}))["go"]
    assert (outcome.verdict.kind, outcome.verdict.reason) == ("failed", "NO_TRAIL: AWSLogs/")
    assert outcome.output is None


def test_an_error_while_measuring_ends_that_language_only() -> None:
    stage = Stage()
    target = FakeTarget(stage, "java", {6: "S3_ERROR: get a"})
    outcomes = run(Plan({}), target, FakeTarget(stage, "go"))
    assert outcomes["java"].verdict.kind is VerdictKind.FAILED
    assert "S3_ERROR: get a" in str(outcomes["java"].verdict.reason)
    assert outcomes["java"].samples == []
    assert target.invocations == 6
    assert len(outcomes["go"].samples) == 8
    assert stage.done.count("start java") == stage.done.count("stop java")


def test_an_error_in_the_warming_up_is_a_failed_run() -> None:
    target = FakeTarget(Stage(), "go", {5: "INTERNAL: see the log"})
    assert run(Plan({}), target)["go"].verdict.kind is VerdictKind.FAILED
    assert target.invocations == 5


def test_another_result_while_measuring_is_a_failed_run() -> None:
    outcome = run(Plan({}), FakeTarget(Stage(), "go", {7: {"records": 6}}))["go"]
    assert outcome.verdict.kind is VerdictKind.FAILED
    assert "another result" in str(outcome.verdict.reason)


def test_a_sandbox_that_died_between_warm_samples_is_noticed() -> None:
    outcome = run(Plan({}), FakeTarget(Stage(), "go", always_cold=True))["go"]
    assert outcome.verdict.kind is VerdictKind.FAILED


def test_a_sandbox_that_does_not_start() -> None:
    stage = Stage()
    outcomes = run(
        Plan({}),
        FakeTarget(stage, "java", start_error=NotReady("no JDK 25")),
        FakeTarget(stage, "go", start_error=HarnessError("no port")),
    )
    assert outcomes["java"].verdict.kind is VerdictKind.SKIPPED
    assert outcomes["go"].verdict.kind is VerdictKind.FAILED


def test_warm_samples_without_cold_ones_are_warm() -> None:
    stage = Stage()
    outcome = run(Plan({}, cold=0, warm=2), FakeTarget(stage, "go"))["go"]
    assert [sample.kind for sample in outcome.samples] == [SampleKind.WARM] * 2
    assert invoked(stage) == ["go cold", "go cold", "go", "go"]


def test_without_samples_everything_is_verified_all_the_same() -> None:
    stage = Stage()
    outcome = run(Plan({}, cold=0, warm=0), FakeTarget(stage, "go"))["go"]
    assert outcome.matched
    assert invoked(stage) == ["go cold"]
