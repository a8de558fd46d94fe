"""A fifth language: `verify` judges a folder and a template outside of the checkout."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from harness.build.sam_build import builds_of
from harness.verify.vectors.cases import VECTORS, load_cases

ROOT = Path(__file__).parent.parent
FIFTH = ROOT / "tests/fifth"
IMPLEMENTED = (
    *("settings-chunk-bytes-zero", "settings-first-bad-in-order", "settings-source-bucket-absent"),
    *("trigger-no-leap-day", "trigger-sqs-malformed", "trigger-year"),
)
LACKING = {
    "settings-endpoint-port-zero": "S10",
    "settings-region-capital": "S11",
    "trigger-direct": "T3",
    "listing-no-trail": "L7",
    "chunks-border-exact": "C3",
}
pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder outside of the checkout, with a few vectors of its own."""
    shutil.copytree(FIFTH, tmp_path / "fifth")
    for name in (*IMPLEMENTED, *LACKING):
        shutil.copytree(VECTORS / name, tmp_path / "vectors" / name)
    yield tmp_path
    shutil.rmtree(builds_of(tmp_path / "fifth/template.yaml"), ignore_errors=True)


def verify(folder: Path, *more: str) -> tuple[int, list[str], list[str]]:
    """Exit code, lines of stdout and of stderr of the real command."""
    template, vectors = folder / "fifth/template.yaml", folder / "vectors"
    command = [sys.executable, "-m", "harness", "verify", "--template", str(template)]
    done = subprocess.run(
        [*command, "--vectors", str(vectors), *more],
        cwd=ROOT,
        env={**os.environ, "PYTHON": sys.executable},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout.splitlines(), done.stderr.splitlines()


def told(lines: Sequence[str]) -> dict[str, str]:
    """Failed vector -> the clause that the report names for it."""
    failed, clause = {}, ""
    for line in lines:
        if re.fullmatch(r"  [A-Z]\d+", line):
            clause = line.strip()
        elif found := re.match(r"    ([a-z0-9-]+): ", line):
            failed[found[1]] = clause
    return failed


def test_its_gaps_are_reported_by_clause_and_the_rest_passes(folder: Path) -> None:
    code, out, err = verify(folder)
    assert err[0] == "building fifth with sam build"
    assert (code, out[0]) == (1, "fifth sdk: 6 of 11 vectors pass"), out
    assert told(out) == LACKING
    assert any("'INTERNAL: see the log', expected 'NO_TRAIL: " in line for line in out)
    assert out[-1] == "  fifth sdk passes: C 0 of 1, L 0 of 1, S 3 of 5, T 3 of 4"


def test_its_implemented_part_passes(folder: Path) -> None:
    code, out, _ = verify(folder, "--case", "settings-[!er]*", "--languages", "fifth")
    assert (code, out) == (0, ["fifth sdk: 3 of 3 vectors pass"])


def test_a_fault_in_its_implemented_part_is_found(folder: Path) -> None:
    bootstrap = folder / "fifth/bootstrap.py"
    bootstrap.write_text(bootstrap.read_text().replace("1000 <= value", "999 <= value"))
    code, out, _ = verify(folder, "--case", "trigger-[sy]*")
    assert (code, told(out)) == (1, {"trigger-year": "T3"})


@pytest.mark.parametrize(
    ("change", "reasons"),
    [
        (("import calendar", "import nothing_like_it"), ("exit status 1", "nothing_like_it")),
        (("while True:", "while os.wait3(0):"), ("exit status 1", "ChildProcessError")),
    ],
)
def test_a_function_that_does_not_start_fails(
    folder: Path, change: tuple[str, str], reasons: Sequence[str]
) -> None:
    bootstrap = folder / "fifth/bootstrap.py"
    bootstrap.write_text(bootstrap.read_text().replace(*change))
    code, out, _ = verify(folder)
    assert code == 1
    assert out[0].startswith("fifth sdk: not judged: it does not start: ")
    assert all(any(reason in line for line in out) for reason in reasons), out


def test_a_file_that_is_not_executable_is_no_package(folder: Path) -> None:
    makefile = folder / "fifth/Makefile"
    makefile.write_text(makefile.read_text().replace("chmod +x", "chmod -x"))
    code, out, _ = verify(folder)
    assert (code, len(out)) == (1, 2), out
    assert out[0].startswith("fifth sdk: not judged: ")
    assert out[1] == "bootstrap is not executable"


def test_a_function_that_does_not_build_fails(folder: Path) -> None:
    makefile = folder / "fifth/Makefile"
    makefile.write_text(makefile.read_text().replace("cat bootstrap.py", "cat absent.py"))
    code, out, _ = verify(folder)
    assert code == 1
    assert out[0].startswith("fifth sdk: not judged: fifth: sam build failed")
    assert any("absent.py" in line for line in out)


def test_a_runtime_that_the_harness_lacks_is_not_ready(folder: Path) -> None:
    template = folder / "fifth/template.yaml"
    template.write_text(template.read_text().replace("provided.al2023", "ruby3.4"))
    code, out, _ = verify(folder)
    assert code == 3
    assert "can't run ruby3.4: use provided.al2023" in out[0]


def test_the_chosen_vectors_are_of_the_clauses_they_stand_for() -> None:
    first = {case.id: case.clauses[0] for case in load_cases()}
    assert {name: first[name] for name in LACKING} == LACKING
