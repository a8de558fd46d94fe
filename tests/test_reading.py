"""The implementations can be read: their steps stand alone at the top, and are short."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import lizard
import pytest
from test_docs import LANGUAGES, ROOT, SUFFIXES, is_test
from test_docs import STEPS as NAMED_STEPS

TOPS = {
    "python": ROOT / "python/src/aggregator",
    "java": ROOT / "java/src/main/java/rosetta",
    "javascript": ROOT / "javascript/src",
    "go": ROOT / "go/internal/aggregator",
}
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
