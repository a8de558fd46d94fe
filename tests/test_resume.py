"""An interrupted run can be resumed from its export, but only with the same settings."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fake_candidates import FakeCandidate, Stage
from fake_machine import ENVIRONMENT, FakeMachine

from harness.cli import main
from harness.compare.schedule import EarlierSamples, Measured, Plan, run_plan
from harness.model import SampleKind

ROOT = Path(__file__).parent.parent
FEW = ("compare", "--objects", "20", "--languages", "go,java", "--cold", "2", "--rerun", "1")


def candidates(stage: Stage, **interrupt_at: int) -> list[FakeCandidate]:
    return [FakeCandidate(stage, name, interrupt_at=interrupt_at.get(name, 0)) for name in "abc"]


def measured(
    plan: Plan, earlier_samples: EarlierSamples | None = None, **interrupt_at: int
) -> tuple[Stage, Measured]:
    stage = Stage()
    found = run_plan(
        plan, candidates(stage, **interrupt_at), stage, lambda _: None, stage.clock, earlier_samples
    )
    return stage, found


def earlier_samples(of: Measured, rounds: int) -> EarlierSamples:
    assert of.again is not None
    name, second = of.again
    kept = {
        each: [sample for sample in outcome.samples if sample.round <= rounds]
        for each, outcome in of.outcomes.items()
    }
    return EarlierSamples(
        kept, (name, [sample for sample in second.samples if sample.round <= rounds])
    )


def test_earlier_samples_are_kept_and_the_order_is_the_same() -> None:
    plan = Plan({}, cold=2, warm=9, rerun=1)
    whole_stage, whole = measured(plan)
    stage, rest = measured(plan, earlier_samples(whole, 5))
    for name, outcome in rest.outcomes.items():
        samples = [(each.kind, each.round) for each in outcome.samples]
        assert samples == [(each.kind, each.round) for each in whole.outcomes[name].samples]
    assert rest.again is not None
    assert whole.again is not None
    assert rest.again[0] == whole.again[0]
    assert [each.round for each in rest.again[1].samples] == list(range(1, 10))
    last_rounds = 4 * (3 + 1)
    invoked = [step for step in stage.done if step.startswith("invoke")]
    assert (
        invoked[-last_rounds:]
        == [step for step in whole_stage.done if step.startswith("invoke")][-last_rounds:]
    )
    assert len(invoked) == 3 + 2 * 4 + last_rounds


def test_colder_rounds_are_made_up_for() -> None:
    _, whole = measured(Plan({}, cold=1, warm=4, rerun=0))
    _, more = measured(Plan({}, cold=3, warm=5, rerun=0), earlier_samples(whole, 4))
    kinds = Counter((each.kind, each.round) for each in more.outcomes["a"].samples)
    assert kinds == Counter(
        [(SampleKind.COLD, number) for number in (1, 2, 3)]
        + [(SampleKind.WARM, number) for number in (1, 2, 3, 4, 5)]
    )


def test_everything_is_kept_after_each_round() -> None:
    stage, kept = Stage(), list[tuple[bool, int]]()

    def keep(so_far: Measured) -> None:
        kept.append((so_far.interrupted, len(so_far.outcomes["a"].samples)))

    plan = Plan({}, cold=0, warm=3, rerun=0)
    done = run_plan(plan, candidates(stage), stage, lambda _: None, stage.clock, None, keep)
    assert kept == [(True, 1), (True, 2), (True, 3)]
    assert not done.interrupted


# ---- the command ----


def exported(file: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(file.read_text())
    return found


def run(file: Path, *arguments: str, machine: FakeMachine | None = None) -> int:
    return main([*FEW, "--export-json", str(file), *arguments], (machine or FakeMachine()).target())


def test_a_shorter_run_goes_on(tmp_path: Path) -> None:
    short, long, whole = (tmp_path / name for name in ("short", "long", "whole"))
    assert run(short, "--warm", "3") == 0
    assert run(long, "--warm", "9", "--resume", str(short)) == 0
    assert run(whole, "--warm", "9") == 0
    assert exported(long)["results"] == exported(whole)["results"]
    assert exported(long)["again"] == exported(whole)["again"]


SCRIPT = """
    import os, signal, sys
    from fake_machine import FakeMachine, FakeSandbox
    from harness.cli import main

    class Killed(FakeSandbox):
        asked = 0

        def invoke(self, event):
            Killed.asked += 1
            if Killed.asked == int(sys.argv[1]):
                os.kill(os.getpid(), signal.SIGKILL)
            return super().invoke(event)

    import fake_machine
    fake_machine.FakeSandbox = Killed
    main(sys.argv[2:], FakeMachine().target())
"""


def test_a_kill_loses_one_round_at_most_and_the_run_goes_on(tmp_path: Path) -> None:
    file, whole = tmp_path / "export", tmp_path / "whole"
    # 2 to verify, 6 to warm up, 7 in round 1, 5 in round 2, and 2 of the third
    arguments = [*FEW, "--warm", "9", "--export-json", str(file)]
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(SCRIPT), "22", *arguments],
        env={**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}"},
        capture_output=True,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    found = exported(file)
    assert found["interrupted"]
    rounds = {sample["round"] for row in found["results"] for sample in row["samples"]}
    assert rounds == {1, 2}
    assert run(whole, "--warm", "9") == 0
    assert run(file, "--warm", "9", "--resume", str(file)) == 0
    assert not exported(file)["interrupted"]
    assert exported(file)["results"] == exported(whole)["results"]
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_a_round_that_was_broken_off_is_measured_again(tmp_path: Path) -> None:
    file, whole = tmp_path / "export", tmp_path / "whole"
    assert run(whole, "--warm", "9") == 0
    broken = exported(whole)
    go = next(row for row in broken["results"] if row["language"] == "go")
    for row in (*broken["results"], broken["again"]):
        row["samples"] = [each for each in row["samples"] if each["round"] < 4]
    go["samples"] = [each for each in go["samples"] if each["round"] < 3]
    file.write_text(json.dumps(broken))
    assert run(file, "--warm", "9", "--resume", str(file)) == 0
    assert exported(file)["results"] == exported(whole)["results"]


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("--objects", "21"), "sources was 20, is 21"),
        (("--no-limits",), "limits was {'throttle_init': False}, is None"),
        (("--order-seed", "2"), "order_seed was 1, is 2"),
        (("--languages", "go"), "rows were java sdk, go sdk, are go sdk"),
        (("--memory", "512"), "rows were"),
        (("--tls", "off"), "rows were java sdk, go sdk, are java sdk plain HTTP"),
    ],
)
def test_another_run_is_refused_and_its_difference_named(
    arguments: tuple[str, ...], reason: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, other = tmp_path / "export", tmp_path / "other"
    assert run(file, "--warm", "2") == 0
    assert run(other, "--warm", "2", "--resume", str(file), *arguments) == 2
    assert reason in capsys.readouterr().err
    assert not other.exists()


def test_a_run_over_plain_http_does_not_go_on_over_tls(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "export"
    assert run(file, "--warm", "2") == 0
    old = exported(file)
    for row in old["results"]:
        del row["tls"]  # an export of the time before TLS
    file.write_text(json.dumps(old))
    assert run(file, "--warm", "2", "--resume", str(file)) == 2
    assert "transport of java sdk was plain HTTP, is TLS" in capsys.readouterr().err


def test_another_commit_or_package_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "export"
    assert run(file, "--warm", "2") == 0
    arguments = [*FEW, "--warm", "2", "--resume", str(file)]
    elsewhere = replace(FakeMachine().target(), describe=lambda: {**ENVIRONMENT, "commit": "abc"})
    assert main(arguments, elsewhere) == 2
    assert "commit was None, is abc" in capsys.readouterr().err
    changed = exported(file)
    changed["results"][0]["package_zip_bytes"] += 1
    file.write_text(json.dumps(changed))
    assert main(arguments, FakeMachine().target()) == 2
    assert "package of java sdk was 1500001 bytes zipped" in capsys.readouterr().err


def test_a_row_without_samples_stays_as_it_was(tmp_path: Path) -> None:
    file = tmp_path / "export"
    spoiled = FakeMachine(spoil={"java": lambda records: records[:-1]})
    assert run(file, "--warm", "2", machine=spoiled) == 1
    machine = FakeMachine()
    assert run(file, "--warm", "3", "--resume", str(file), machine=machine) == 1
    java, go = exported(file)["results"]
    assert (java["verdict"], java["samples"]) == ("mismatch", [])
    assert len(go["samples"]) == 2 + 3 + 1
    assert "start java" not in machine.done
