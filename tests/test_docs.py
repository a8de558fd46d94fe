"""What the README says of the tree is true of the tree."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from harness.build.template import load_implementations
from harness.verify.vectors.cases import load_cases

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
STEPS = re.findall(r"^\| `([a-z]+)` \| [^|]+ \| [A-Z][^|]*\|$", README, re.MULTILINE)
LANGUAGES = [each.language for each in load_implementations()]
SUFFIXES = {".py", ".java", ".js", ".go"}


def files_of(language: str) -> list[Path]:
    made = {"node_modules", "target"}
    files = (path for path in (ROOT / language).rglob("*") if path.suffix in SUFFIXES)
    return [path for path in files if not made & set(path.parts)]


def is_test(path: Path) -> bool:
    return "test" in path.relative_to(ROOT).as_posix().lower()


def test_thirteen_steps_are_named() -> None:
    assert len(STEPS) == 13


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("step", STEPS)
def test_a_step_is_found_by_its_name(step: str, language: str) -> None:
    files = files_of(language)
    sources = [path for path in files if path.stem.lower() == step and not is_test(path)]
    assert len(sources) == 1, sources
    assert any(step in path.name.lower() and is_test(path) for path in files)


def test_every_path_of_the_tree_exists() -> None:
    table = README.partition("## The tree")[2].partition("##")[0]
    named = re.findall(r"`([a-z./A-Z]+)`", "\n".join(re.findall(r"^\| (.*?) \|", table, re.M)))
    assert len(named) >= 10
    for name in named:
        assert (ROOT / name).exists(), name


def test_links_lead_somewhere() -> None:
    for link in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (ROOT / link).exists(), link


def test_the_number_of_vectors_is_true() -> None:
    assert f"{len(load_cases())} vectors" in README


def test_the_table_has_a_row_for_each_language() -> None:
    for language in LANGUAGES:
        assert re.search(rf"^ +{language} sdk +match ", README, re.MULTILINE), language
