"""The command `verify` on a real artefact."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from harness.cli import main
from harness.verify.vectors.cases import VECTORS, load_cases
from harness.verify.vectors.conformance import Conformance, describe

pytestmark = pytest.mark.slow

VERIFY = ("verify", "--languages", "go", "--clients", "sdk")


@pytest.mark.timeout(600)
def test_an_implementation_that_conforms(capsys: pytest.CaptureFixture[str]) -> None:
    count = len(load_cases(glob="chunks-border-*"))
    assert main([*VERIFY, "--case", "chunks-border-*"]) == 0
    assert capsys.readouterr().out == f"go sdk: {count} of {count} vectors pass\n"


@pytest.mark.timeout(600)
def test_a_failure_is_told_by_its_clause(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    case = tmp_path / "chunks-border-exact"
    shutil.copytree(VECTORS / case.name, case)
    text = json.loads((case / "case.json").read_text())
    text["steps"][0]["expect"]["result"]["records"] += 1
    (case / "case.json").write_text(json.dumps(text))
    assert main([*VERIFY, "--vectors", str(tmp_path)]) == 1
    out = capsys.readouterr().out.splitlines()
    assert out[:3] == ["go sdk: 0 of 1 vectors pass", "  C3", f"    {case.name}: {text['title']}"]
    assert '"records": 5' in out[3]
    assert '"records": 6' in out[3]


def test_no_matching_case_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", "--case", "nothing-like-it"]) == 2
    assert "no vector has an id that matches nothing-like-it" in capsys.readouterr().err


def test_an_unready_implementation_says_why() -> None:
    done = Conformance("java", 0, (), "no JDK 25: install it")
    assert list(describe(done)) == ["java: not judged: no JDK 25: install it"]
