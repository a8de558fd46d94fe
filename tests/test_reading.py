"""The implementations can be read: their steps stand alone at the top, and are short."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import lizard
import pytest
from test_docs import LANGUAGES, README, ROOT, SUFFIXES, is_test
from test_docs import STEPS as NAMED_STEPS

from harness.teaching.blocks import head_of, without_marks

TOPS = {
    "python": ROOT / "python/src/aggregator",
    "java": ROOT / "java/src/main/java/rosetta",
    "javascript": ROOT / "javascript/src",
    "go": ROOT / "go/internal/aggregator",
}
CLAUSE = r"[A-Z]\d*(?:(?: to |-)[A-Z]\d+)?"
SPEC_CLAUSES = set(
    re.findall(r"^(?:- \*\*|\| )([A-Z]\d+)\b", (ROOT / "SPEC.md").read_text(), re.MULTILINE)
)
SDK_PAGE = (ROOT / "docs/sdk.md").read_text()
ENTRIES = {"__init__", "package-info"}  # what a language wants beside the steps
MOST_LINES = 150
MOST_LINES_OF_A_FUNCTION = 40
MOST_COLUMNS = 100
# an address, a query in JSON, and a place in a mutant's file have no line break
UNBREAKABLE = re.compile(r"https://|^ +\"query\": \"SOURCE|^(find|replace) = ")


def sources(folder: Path) -> list[Path]:
    files = sorted(path for path in folder.glob("*") if path.suffix in SUFFIXES)
    return [path for path in files if not path.stem.endswith("_test")]


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_steps_stand_alone_at_the_top(language: str) -> None:
    names = {path.stem.lower() for path in sources(TOPS[language])}
    assert names - ENTRIES == set(NAMED_STEPS)


def clauses(text: str) -> set[str]:
    """The ids in a list such as ``W2 to W10, B``: a range has all between, a letter all of SPEC."""
    found = set()
    for letter, first, last in re.findall(r"\b([A-Z])(\d*)(?:(?: to |-)\1(\d+))?", text):
        numbers = range(int(first), int(last or first) + 1) if first else range(1, 100)
        found |= {f"{letter}{number}" for number in numbers} & SPEC_CLAUSES
    return found


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("step", NAMED_STEPS)
def test_the_head_of_a_step_names_the_clauses_of_its_row(step: str, language: str) -> None:
    (path,) = (path for path in sources(TOPS[language]) if path.stem.lower() == step)
    lines = path.read_text().splitlines()
    head = " ".join(without_marks(lines[: head_of(lines, language)], language))
    named = re.findall(rf"SPEC(?:\.md)? ({CLAUSE}(?:, {CLAUSE})*)", head)
    row = re.findall(rf"^\| `{step}` \| [^|]+ \| ([^|]+) \|$", README, re.MULTILINE)
    assert len(named) == len(row) == 1
    assert clauses(named[0]) == clauses(row[0])


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_trick_names_its_plain_version_and_its_gain(language: str) -> None:
    folder = TOPS[language] / ("../tuning" if language == "go" else "tuning")
    tricks = [path for path in sources(folder) if path.stem not in ENTRIES]
    assert len(tricks) >= 3
    for path in tricks:
        lines = path.read_text().splitlines()
        head = " ".join(without_marks(lines[: head_of(lines, language)], language)).lower()
        assert "skip on first reading" in head, path.name
        assert "plain version" in head, path.name
        assert re.search(r"\d ?(ms|mib|s)\b|\d\.\d", head), path.name  # its gain
        assert re.search(r"docs/performance/|compare --", head), path.name  # its command


SDK_FILES = {
    "python": "s3/sdk.py",
    "java": "s3/SdkStore.java",
    "javascript": "s3/sdk-client.js",
    "go": "../s3/sdk.go",
}


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_head_of_the_sdk_names_the_clauses_of_its_workarounds(language: str) -> None:
    lines = (TOPS[language] / SDK_FILES[language]).read_text().splitlines()
    head = "\n".join(lines[: head_of(lines, language)])
    rows = re.findall(r"^\| ([A-Z]\d[^|]*) \| (\w+) \| [^|]+ \| ([^|]+) \|", SDK_PAGE, re.MULTILINE)
    worked_around = {
        clause
        for place, whose, workaround in rows
        if whose.lower() in ("all", language) and workaround != "nothing"
        for clause in re.findall(r"\b[A-Z]\d+\b", place)
    }
    assert len(worked_around) >= 2
    assert worked_around <= set(re.findall(r"\b[A-Z]\d+\b", head))


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_step_is_short(language: str) -> None:
    long = {
        path.name: lines
        for path in sources(TOPS[language])
        if (lines := len(path.read_text().splitlines())) > MOST_LINES
    }
    assert not long


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_function_is_short(language: str) -> None:
    found = subprocess.run(
        ["git", "ls-files", language], cwd=ROOT, capture_output=True, text=True, check=True
    )
    files = [ROOT / name for name in found.stdout.split()]
    counted = 0
    for path in (path for path in files if path.suffix in SUFFIXES and not is_test(path)):
        for function in lizard.analyze_file(str(path)).function_list:
            counted += 1
            lines = function.end_line - function.start_line + 1
            assert lines <= MOST_LINES_OF_A_FUNCTION, f"{path.name} {function.name}: {lines} lines"
    assert counted > 50


def test_lines_end_within_a_hundred_columns() -> None:
    found = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    kinds = SUFFIXES | {".mjs", ".xml", ".yaml", ".toml"}
    wide = []
    for name in found.stdout.split("\n"):
        if Path(name).suffix in kinds and not name.startswith("tests/vectors/"):
            for number, line in enumerate((ROOT / name).read_text().splitlines(), 1):
                if len(line) > MOST_COLUMNS and not UNBREAKABLE.search(line):
                    wide.append(f"{name}:{number}")
    assert not wide
