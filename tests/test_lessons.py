"""The lessons name things that exist, their figures are fresh, and their commands are tested."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator, Set
from pathlib import Path
from statistics import median

import make_lessons
import pytest
from test_docs import FILES, ROOT, spans

from harness.exercise import gzip_levels, queue_days, sql_reading
from harness.exercise.exercises import LANGUAGES, load_exercises
from harness.exercise.round_trip.__main__ import RECORDS, round_trips
from harness.model import UsageError
from harness.teaching.excerpts import pieces
from harness.teaching.prose import excerpt_of, pieces_of
from harness.verify.vectors.cases import VECTORS, load_cases

LESSONS = sorted(make_lessons.LESSONS.glob("[0-9][0-9]-*.md"))
INDEX = (make_lessons.LESSONS / "README.md").read_text()
SPEC = (ROOT / "SPEC.md").read_text()
TEACHING = ROOT / "docs/teaching.md"
SLIDES = sorted((ROOT / "docs/slides").glob("*.md"))
WITH_COMMANDS = [
    ROOT / "README.md",
    ROOT / "docs/runbook.md",
    TEACHING,
    make_lessons.LESSONS / "README.md",
    *LESSONS,
    *SLIDES,
]
COMMANDS = tomllib.loads((ROOT / "tests/documented_commands.toml").read_text())
TEST = "tests/test_lessons.py"
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
    for block in re.findall(r"^```piece\n(.*?)^```", text, re.DOTALL | re.MULTILINE):
        named, _ = pieces_of(block)
        assert [each for each in named if each not in pieces()] == []
    for block in re.findall(r"^```excerpt\n(.*?)^```", text, re.DOTALL | re.MULTILINE):
        part, _ = excerpt_of(block)
        assert len(part.lines) <= 25
    for clause in re.findall(r"\b[STLRCWBEOKP]\d{1,2}\b", re.sub(r"`[^`]*`", "", text)):
        assert re.search(rf"(\*\*|^\| ){clause}\b", SPEC, re.MULTILINE), clause
    for span in re.findall(r"`([a-z0-9]+(?:-[a-z0-9]+)+)`", text):
        if span.partition("-")[0] in TOPICS:
            assert (VECTORS / span).is_dir(), span
    for step, language in re.findall(r"make exercise STEP=(\w+) LANGUAGE=(\w+)", text):
        assert step in load_exercises()
        assert language in LANGUAGES


def unknown_names(text: str, known: Set[str]) -> list[str]:
    """The names of code in a text, such as `open_attempts` or `io.ReadAll`, that are not known."""
    prose = re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)
    named = re.findall(r"`([\w.]*(?:[a-z][A-Z]|_|\w\.\w)[\w.]*)`", prose)
    return [each for each in named if each not in known and each.split(".")[-1] not in known]


@pytest.fixture(scope="module")
def code_names() -> set[str]:
    """The words of all sources, and the names of all files."""
    suffixes = {".py", ".java", ".js", ".mjs", ".go", ".toml", ".yaml", ".sql"}
    sources = [name for name in FILES if Path(name).suffix in suffixes and name != TEST]
    words = {word for name in sources for word in re.findall(r"\w+", (ROOT / name).read_text())}
    return words | {Path(name).name for name in FILES}


@pytest.mark.parametrize(
    "path", [ROOT / "README.md", TEACHING, *LESSONS, *SLIDES], ids=lambda path: path.stem
)
def test_the_names_of_code_exist(path: Path, code_names: set[str]) -> None:
    assert unknown_names(path.read_text(), code_names) == []


def test_a_name_that_no_source_has_is_told() -> None:
    text = "`open_attempts`, `io.ReadNone`, `readAll`, a `word`\n\n```text\n`not_here`\n```\n"
    assert unknown_names(text, {"open_attempts"}) == ["io.ReadNone", "readAll"]


@pytest.mark.parametrize(
    ("file", "words", "step"),
    [
        ("lessons/01-raw-text.md", r"has (\d+) vectors", "splitter"),
        ("lessons/05-gzip.md", r"the (\d+) vectors of the step", "inflater"),
        ("lessons/05-gzip.md", r"21 of (\d+) vectors pass", "inflater"),
        ("slides/raw-text.md", r"that pass, of (\d+)\.", "splitter"),
        ("slides/exercise.md", r"that pass, of (\d+)\.", "inflater"),
    ],
)
def test_the_numbers_of_vectors_are_true(file: str, words: str, step: str) -> None:
    told = re.findall(words, (ROOT / "docs" / file).read_text())
    vectors = {each for _, stage in load_exercises()[step].vectors() for each in stage}
    assert told == [str(len(vectors))]


def test_the_printed_result_of_verify_has_the_number_of_vectors() -> None:
    text = (make_lessons.LESSONS / "06-errors.md").read_text()
    (glob,) = re.findall(r"--case '([^']+)'", text)
    number = str(len(load_cases(VECTORS, glob)))
    assert re.findall(r"(\d+) of (\d+) vectors pass", text) == [(number, number)] * 2


def test_the_statement_of_the_lesson_is_that_of_the_program() -> None:
    text = (make_lessons.LESSONS / "12-sql.md").read_text()
    (shown,) = re.findall(r"^```sql\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    assert shown.replace("'*.json.gz'", "?") == sql_reading.SELECT.lstrip()


@pytest.mark.slow
def test_the_generated_blocks_are_fresh() -> None:
    """`python tests/make_lessons.py` in `.venv` writes them anew."""
    made = make_lessons.lessons()
    blocks = sum(len(make_lessons.BLOCK.findall(text)) for text in made.values())
    assert blocks == len(make_lessons.BLOCKS)
    for path, text in made.items():
        assert path.read_text() == text, path.name


def test_the_page_of_java_has_the_starts_of_the_export() -> None:
    export = json.loads((ROOT / "docs/starts.json").read_text())
    text = (ROOT / "docs/performance/java.md").read_text().partition("\n## Starts\n")[2]
    told = text.partition("A restore saves two fifths")[0]
    assert f"commit {export['environment']['commit'][:7]}" in told
    for row in export["results"]:
        cold = [each["cpu_ms"] for each in row["samples"] if each["kind"] == "cold"]
        if row["name"].startswith("java light") or row["role"] == "floor":
            assert f" {median(cold):,.0f}" in told, row["name"]
        if row["language"] == "java":
            assert f"{row['package_zip_bytes'] / 1e6:.1f} MB" in told, row["name"]


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


@pytest.mark.parametrize(
    ("block", "message"),
    [
        ("template.yaml\n  NoQueue:", "stands in 0 lines"),
        ("template.yaml", "no words stand below it"),
        ("no-such.yaml\nx", "is no file to show"),
    ],
)
def test_an_excerpt_that_is_not_there_is_a_fault(block: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        excerpt_of(block)


# -- the model of the queue --

QUEUE = queue_days.Settings(hidden_s=1000, receipts=3, at_a_time=2)
GROUPS = dict(queue_days.groups())


def test_a_standard_queue_runs_a_day_twice_at_once_and_a_group_does_not() -> None:
    standard = queue_days.play([1, 1], GROUPS["standard"], QUEUE)
    assert standard.runs == {"done": 2, "BUSY": 1}
    by_day = queue_days.play([1, 1], GROUPS["FIFO, a group for each day"], QUEUE)
    assert by_day.runs == {"done": 2}
    assert by_day.done_s == {1: 2 * queue_days.RUN_S}


def test_a_day_that_fails_becomes_a_dead_letter_after_its_receipts() -> None:
    bad = queue_days.BAD_DAY
    alone = queue_days.play([bad, 1], GROUPS["FIFO, a group for each day"], QUEUE)
    assert alone.runs == {"failed": 3, "done": 1}
    assert alone.dead_s == [3 * QUEUE.hidden_s]
    assert alone.done_s == {1: queue_days.RUN_S}
    behind = queue_days.play([bad, 1], GROUPS["FIFO, one group"], QUEUE)
    assert behind.done_s == {1: 3 * QUEUE.hidden_s + queue_days.RUN_S}


def test_no_more_runs_at_a_time_than_allowed() -> None:
    done = queue_days.play([1, 2, 4], GROUPS["FIFO, a group for each day"], QUEUE).done_s
    assert done == {1: queue_days.RUN_S, 2: queue_days.RUN_S, 4: 2 * queue_days.RUN_S}


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
        words = command.removeprefix("python -m ").split()
        name = words[0].rpartition(".")[2] if "." in words[0] else words[1]
        assert name == f"tests/{test}" or name in (ROOT / "tests" / test).read_text(), command
