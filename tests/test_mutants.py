"""The mutants are well formed, and their check tells killed mutants from living ones."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from harness.build.template import load_implementations
from harness.cli import main
from harness.model import HarnessError, UsageError
from harness.verify.mutants import Fate, Mutant, describe, load_mutants, mutated, run_mutants

pytestmark = pytest.mark.slow

SPEC = Path(__file__).parent.parent / "SPEC.md"
MUTANTS = load_mutants()
LANGUAGES = sorted({mutant.language for mutant in MUTANTS})
SEED = int(os.environ.get("MUTANTS_SEED", "20"))


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: f"{mutant.language}-{mutant.id}")
def test_a_mutant_has_one_place_and_a_clause(mutant: Mutant) -> None:
    assert mutated(mutant).count(mutant.replace) >= 1
    assert mutant.find != mutant.replace
    assert re.search(rf"^(- \*\*|\| ){mutant.clause}\b", SPEC.read_text(), re.MULTILINE)


def test_every_language_has_mutants_with_ids_of_their_own() -> None:
    count = Counter(mutant.language for mutant in MUTANTS)
    assert count.keys() == {each.language for each in load_implementations()}
    assert min(count.values()) >= 12
    assert len({(mutant.language, mutant.id) for mutant in MUTANTS}) == len(MUTANTS)


def test_a_text_without_a_place_is_refused() -> None:
    with pytest.raises(UsageError, match="stands 0 times"):
        mutated(replace(MUTANTS[0], find="nothing like it"))


def test_a_language_without_mutants_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["mutants", "--languages", "cobol"]) == 2
    assert "no mutants for cobol" in capsys.readouterr().err


def test_tests_that_fail_without_the_fault_too_kill_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def run(command: Sequence[str], *_: object) -> tuple[int, str]:
        return (0, "") if command[1] == "build" else (1, "--- FAIL: TestAll")

    monkeypatch.setattr("harness.verify.mutants.run_tests", run)
    with pytest.raises(HarnessError, match="go is not sound unmutated"):
        next(run_mutants(load_mutants(["go"])))


@pytest.mark.timeout(2400)  # a survivor of a language's own tests is built and judged
@pytest.mark.parametrize("language", LANGUAGES)
def test_a_mutant_drawn_by_the_seed_is_killed(language: str) -> None:
    drawn = Random(SEED).choice(load_mutants([language]))
    (outcome,) = run_mutants([drawn])
    assert outcome.fate is Fate.KILLED, f"seed {SEED}: {describe(outcome)}"


@pytest.mark.timeout(600)
def test_killed_survived_and_broken() -> None:
    chosen = Random(1).choice(load_mutants(["go"]))
    comment = "// Step inflater:"
    equal = replace(
        chosen,
        id="equal",
        file="internal/aggregator/inflater.go",
        find=comment,
        replace="// The inflater:",
    )
    broken = replace(equal, id="broken", find="package aggregator", replace="package func")
    first, second, third = run_mutants([chosen, equal, broken], judged=False)
    assert first.fate is Fate.KILLED
    assert first.by.startswith("Test")
    assert second.fate is Fate.SURVIVED
    assert re.fullmatch(r"go/equal +\w+ +SURVIVED", describe(second))
    assert third.fate is Fate.BROKEN
    assert "expected 'IDENT'" in third.by
