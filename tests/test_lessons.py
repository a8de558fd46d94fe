"""The lessons name things that exist, their figures are fresh, and their commands are tested."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import make_lessons
import pytest
from test_docs import ROOT, spans

from harness.exercise import gzip_levels
from harness.exercise.exercises import LANGUAGES, load_exercises
from harness.exercise.round_trip.__main__ import RECORDS, round_trips
from harness.teaching.excerpts import pieces
from harness.verify.vectors.cases import VECTORS

LESSONS = sorted(make_lessons.LESSONS.glob("[0-9][0-9]-*.md"))
INDEX = (make_lessons.LESSONS / "README.md").read_text()
SPEC = (ROOT / "SPEC.md").read_text()
TEACHING = ROOT / "docs/teaching.md"
WITH_COMMANDS = [ROOT / "README.md", TEACHING, make_lessons.LESSONS / "README.md", *LESSONS]
COMMANDS = tomllib.loads((ROOT / "tests/documented_commands.toml").read_text())
TOPICS = {path.name.partition("-")[0] for path in VECTORS.iterdir()} | {"bad"}

each_lesson = pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)


def test_there_are_lessons_and_all_are_listed() -> None:
    assert len(LESSONS) >= 10
    listed = re.findall(r"^\| \[(\d+)\]\((\d\d-[a-z0-9-]+\.md)\)", INDEX, re.MULTILINE)
    assert [name for _, name in listed] == [path.name for path in LESSONS]
    assert [int(number) for number, _ in listed] == list(range(1, len(LESSONS) + 1))


@each_lesson
def test_a_lesson_is_short_and_has_an_exercise(path: Path) -> None:
    text = path.read_text()
    assert re.match(rf"# {int(path.stem[:2])}\. \w", text)
    assert 50 <= len(text.splitlines()) <= 130
    assert text.count("\n## Exercise\n") == 1
    assert "\nTo think about: " in text


@each_lesson
def test_pieces_clauses_vectors_and_exercises_exist(path: Path) -> None:
    text = path.read_text()
    named = [
        line
        for block in re.findall(r"^```piece\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
        for line in block.splitlines()
    ]
    assert [each for each in named if each not in pieces()] == []
    for clause in re.findall(r"\b[STLRCWBEOP]\d{1,2}\b", re.sub(r"`[^`]*`", "", text)):
        assert re.search(rf"(\*\*|^\| ){clause}\b", SPEC, re.MULTILINE), clause
    for span in re.findall(r"`([a-z0-9]+(?:-[a-z0-9]+)+)`", text):
        if span.partition("-")[0] in TOPICS:
            assert (VECTORS / span).is_dir(), span
    for step, language in re.findall(r"make exercise STEP=(\w+) LANGUAGE=(\w+)", text):
        assert step in load_exercises()
        assert language in LANGUAGES


@pytest.mark.slow
def test_the_generated_blocks_are_fresh() -> None:
    """`python tests/make_lessons.py` in `.venv` writes them anew."""
    made = make_lessons.lessons()
    blocks = sum(len(make_lessons.BLOCK.findall(text)) for text in made.values())
    assert blocks == len(make_lessons.BLOCKS)
    for path, text in made.items():
        assert path.read_text() == text, path.name


@pytest.mark.slow
def test_the_round_trip_shows_a_change_in_every_language() -> None:
    records = RECORDS.read_text().splitlines()
    for language, printed in round_trips().items():
        assert len(printed) == len(records)
        assert printed != records, language


def test_both_libraries_compress_what_can_be_read_again() -> None:
    text = gzip_levels.records()[:200_000]
    small, _ = gzip_levels.measure(text, gzip_levels.plain_zlib, 9)
    large, _ = gzip_levels.measure(text, gzip_levels.isal, 1)
    assert 1000 < small < large < len(text) / 2


# -- commands --


def commands(text: str) -> Iterator[str]:
    """The commands in a text, without the values of their variables and without flags."""
    for span in spans(text):
        line = span.strip().partition("  #")[0]
        if make := re.match(r"make (?![^a-z])([a-z][a-z-]*)(.*)$", line):
            variables = re.findall(r"\b([A-Z]+)=", make[2])
            yield " ".join(["make", make[1], *variables])
        elif module := re.match(r"python -m (harness [a-z]+|harness\.[\w.]+|pytest \S+)", line):
            yield f"python -m {module[1]}"


@pytest.mark.parametrize("path", WITH_COMMANDS, ids=lambda path: path.stem)
def test_each_command_is_tested_or_has_a_reason(path: Path) -> None:
    known = COMMANDS["tested"].keys() | COMMANDS["untested"].keys()
    assert [each for each in commands(path.read_text()) if each not in known] == []


def test_the_list_of_commands_is_true() -> None:
    used = {each for path in WITH_COMMANDS for each in commands(path.read_text())}
    known = {**COMMANDS["tested"], **COMMANDS["untested"]}
    assert known.keys() - used == set()
    for command, test in COMMANDS["tested"].items():
        assert (ROOT / "tests" / test).exists(), command
