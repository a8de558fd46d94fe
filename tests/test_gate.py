"""The gate: another machine passes, a slower language does not, and noise is not a slowdown."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Any

import pytest
from fake_machine import FakeMachine, FakeSandbox

from harness.analysis.regression import judge_slowdown, require_comparable
from harness.cli import main
from harness.model import (
    Artefact,
    Comparison,
    Invocation,
    Row,
    Sample,
    SampleKind,
    Start,
    UsageError,
    Variant,
    Verdict,
    VerdictKind,
)


def comparison(seed: int, rounds: int = 12, machine: float = 1, **median_ms: float) -> Comparison:
    """Times with 3 % noise; ``machine`` slows all of them."""
    rng = Random(seed)
    rows = tuple(
        Row(
            name,
            "sdk",
            Verdict(VerdictKind.MATCH),
            samples=tuple(
                Sample(
                    *(SampleKind.WARM, number, None, ms * machine * rng.lognormvariate(0, 0.03)),
                    *(None, None, None),
                )
                for number in range(rounds)
            ),
        )
        for name, ms in median_ms.items()
    )
    return Comparison({}, {}, {"sources": 9, "source_bytes": 9}, rows)


BASELINE = comparison(1, floor=100, go=120, java=200)


def failed(now: Comparison, max_slowdown: float = 1.15) -> list[str]:
    return [each.name for each in judge_slowdown(BASELINE, now, max_slowdown) if each.failed]


def test_a_slower_machine_is_no_slowdown() -> None:
    assert failed(comparison(2, machine=3, floor=100, go=120, java=200)) == []


def test_a_slower_language_is_named() -> None:
    assert failed(comparison(2, machine=3, floor=100, go=120, java=260)) == ["java sdk"]


def test_less_than_the_limit_passes() -> None:
    now = comparison(2, floor=100, go=120, java=220)
    assert failed(now) == []
    assert failed(now, 1.05) == ["java sdk"]


def test_a_faster_one_passes() -> None:
    assert failed(comparison(2, floor=100, go=60, java=100)) == []


def test_the_floor_is_the_reference_else_the_fastest() -> None:
    assert {each.reference for each in judge_slowdown(BASELINE, BASELINE, 1.15)} == {"floor sdk"}
    bare = comparison(1, go=120, java=200)
    assert {each.reference for each in judge_slowdown(bare, bare, 1.15)} == {"go sdk"}


def test_another_zlib_makes_no_other_day() -> None:
    now = replace(BASELINE, fixture={**BASELINE.fixture, "source_bytes": 8})
    assert all(not each.failed for each in judge_slowdown(BASELINE, now, 1.15))


def test_each_variant_is_judged_by_its_own_floor() -> None:
    def swept(java4: float) -> Comparison:
        found = comparison(1, floor=100, java=200, floor4=50, java4=java4)
        names = {"floor4": "floor", "java4": "java"}
        rows = (
            replace(row, language=names[row.language], variant=Variant(concurrency=4))
            if row.language in names
            else row
            for row in found.rows
        )
        return replace(found, rows=tuple(rows))

    baseline, now = swept(100), swept(150)
    found = {each.name: each for each in judge_slowdown(baseline, now, 1.15)}
    assert [name for name, each in found.items() if each.failed] == ["java sdk c=4"]
    assert {each.reference for each in found.values()} == {"floor sdk", "floor sdk c=4"}


@pytest.mark.parametrize(
    ("now", "reason"),
    [
        (comparison(1, rounds=7, floor=100, go=120), "8 warm samples"),
        (comparison(1, java=100), "was not measured in this run"),
    ],
)
def test_runs_that_can_not_be_judged_are_an_error(now: Comparison, reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        list(judge_slowdown(BASELINE, now, 1.15))


@pytest.mark.parametrize(
    ("now", "reason"),
    [
        (replace(BASELINE, fixture={"sources": 10}), "another day"),
        (
            replace(
                BASELINE,
                rows=tuple(replace(row, tls=False, samples=()) for row in BASELINE.rows),
            ),
            "measured floor sdk over TLS, and this run over plain HTTP",
        ),
    ],
)
def test_a_run_of_other_work_is_an_error(now: Comparison, reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        require_comparable(BASELINE, now)


def test_the_floor_of_one_start_is_the_reference_of_all() -> None:
    """It is measured with the first of the starts, which may be another one in each run."""

    def started(seed: int, floor: Start, primed: float) -> Comparison:
        found = comparison(seed, floor=100, java=200, java2=primed)
        given = (("floor", floor), ("java", Start.ZIP), ("java", Start.PRIMED))
        rows = (
            replace(row, language=language, variant=Variant(start=start))
            for row, (language, start) in zip(found.rows, given, strict=True)
        )
        return replace(found, rows=tuple(rows))

    baseline, now = started(1, Start.ZIP, 150), started(2, Start.PRIMED, 250)
    found = {each.name: each for each in judge_slowdown(baseline, now, 1.15)}
    assert {name: each.failed for name, each in found.items()} == {
        "java sdk zip": False,
        "java sdk primed": True,  # the fastest of the baseline
    }
    assert {each.reference for each in found.values()} == {"floor sdk zip"}


@dataclass
class SlowedMachine(FakeMachine):
    """A machine on which Java takes a multiple of the others' 200 ms."""

    slowed: float = 1

    @contextmanager
    def _sandbox(self, artefact: Artefact, *others: Any, **options: Any) -> Iterator[FakeSandbox]:
        with super()._sandbox(artefact, *others, **options) as sandbox:
            if artefact.implementation.language == "java":
                invoke = sandbox.invoke

                def slow(event: object) -> Invocation:
                    done = invoke(event)
                    assert done.duration_ms is not None
                    return replace(done, duration_ms=done.duration_ms * self.slowed)

                sandbox.invoke = slow  # type: ignore[method-assign]
            yield sandbox


def test_the_command_ends_in_1_for_a_slowed_function(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    baseline = tmp_path / "baseline.json"
    few = ("compare", "--objects", "10", "--cold", "0", "--rerun", "0")
    assert main([*few, "--export-json", str(baseline)], SlowedMachine().target()) == 0
    gate = (*few, "--baseline", str(baseline))
    assert main(gate, SlowedMachine().target()) == 0
    assert "ok     java sdk: 1.00" in capsys.readouterr().out
    assert main(gate, SlowedMachine(slowed=1.5).target()) == 1
    assert "slower java sdk: 1.50" in capsys.readouterr().out
    assert main([*gate, "--max-slowdown", "1.6"], SlowedMachine(slowed=1.5).target()) == 0


def test_a_baseline_of_another_day_is_refused_before_the_first_sample(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    baseline, other = tmp_path / "baseline.json", FakeMachine()
    few = ("compare", "--cold", "0", "--rerun", "0", "--warm", "1", "--no-floor")
    main([*few, "--objects", "10", "--export-json", str(baseline)], FakeMachine().target())
    gate = [*few, "--objects", "11", "--baseline", str(baseline)]
    assert main(gate, other.target()) == 2
    assert "the baseline is of another day" in capsys.readouterr().err
    assert not [each for each in other.done if each.startswith("start ")]


def test_too_few_rounds_are_refused_before_the_first_sample(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    few, whole = tmp_path / "few.json", tmp_path / "whole.json"
    asked = ("compare", "--objects", "10", "--cold", "0", "--rerun", "0")
    main([*asked, "--warm", "1", "--export-json", str(few)], FakeMachine().target())
    main([*asked, "--export-json", str(whole)], FakeMachine().target())
    for given, words in (
        (("--baseline", str(few)), "no row of the baseline has 8 warm samples"),
        (("--baseline", str(whole), "--warm", "7"), "7 warm samples are too few for --baseline"),
    ):
        machine = FakeMachine()
        assert main([*asked, *given], machine.target()) == 2
        assert words in capsys.readouterr().err
        assert not [each for each in machine.done if each.startswith("start ")]


def test_a_baseline_is_read_before_anything_is_built(tmp_path: Path) -> None:
    machine = FakeMachine()
    assert main(["compare", "--baseline", str(tmp_path / "none.json")], machine.target()) == 2
    assert machine.done == []
    old = tmp_path / "old.json"
    old.write_text(json.dumps({"schema": 1}))
    assert main(["compare", "--baseline", str(old)], machine.target()) == 2
    assert main(["compare", "--max-slowdown", "0.9"], machine.target()) == 2
    assert machine.done == []
