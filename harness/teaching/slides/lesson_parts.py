"""Parts of lessons for slides: a table, printed text, a question with its answer."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from harness.model import UsageError
from harness.teaching.prose import LESSONS, lesson_files
from harness.toolchain.paths import ROOT

TEACHING = ROOT / "docs/teaching.md"
_TABLE = re.compile(r"^\|.+\|\n\|(?:-+:?\|| ?-+:? ?\|)+\n(?:\|.+\|\n)+", re.MULTILINE)
_FENCED = re.compile(r"^```text\n(.*?)^```", re.MULTILINE | re.DOTALL)
_QUESTION = re.compile(r"^To think about: (.+?)(?:\n\n|\Z)", re.MULTILINE | re.DOTALL)
_ANSWER = re.compile(r"^(\d+)\. (.+?)(?=^\d+\. |\Z)", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Table:
    headings: Sequence[str]
    rows: Sequence[Sequence[str]]

    def is_number(self, column: int) -> bool:
        """Whether each cell of the column is a number, or a range of numbers."""
        return all(re.fullmatch(r"[\d,.\[\]\- ]+", row[column]) for row in self.rows)


def find_table(lesson: str, words: str) -> Table:
    """The lesson's only table with these words in its headings. Raises ``UsageError``."""
    heads = (found[0].splitlines() for found in _TABLE.finditer(_text(lesson)))
    tables = [lines for lines in heads if words in lines[0]]
    if len(tables) != 1:
        raise UsageError(f"`{words}` is in the headings of {len(tables)} tables of {lesson}")
    cells = [[cell.strip() for cell in line.strip("| ").split("|")] for line in tables[0]]
    return Table(cells[0], cells[2:])


def narrowed(table: Table, headings: Sequence[str], words: str) -> Table:
    """Some columns, in their order here, of the rows that have some words in their first cell."""
    if unknown := [each for each in headings if each not in table.headings]:
        raise UsageError(f"the table has no column {unknown[0]}")
    places = [table.headings.index(each) for each in headings or table.headings]
    rows = [[row[place] for place in places] for row in table.rows if words in row[0]]
    return Table([table.headings[place] for place in places], rows)


def find_printed(lesson: str, words: str) -> str:
    """The only paragraph with these words in the lesson's printed texts. Raises ``UsageError``."""
    paragraphs = [
        each for found in _FENCED.finditer(_text(lesson)) for each in found[1].split("\n\n")
    ]
    found = [each.strip("\n") for each in paragraphs if words in each]
    if len(found) != 1:
        raise UsageError(f"`{words}` is in {len(found)} paragraphs that {lesson} prints")
    return found[0]


@dataclass(frozen=True, slots=True)
class Question:
    """A lesson's question for thought, and the answer of docs/teaching.md; both Markdown."""

    lesson: int
    text: str
    answer: str


@cache
def questions() -> Mapping[int, Question]:
    """The question of each lesson by the lesson's number."""
    _, _, told = TEACHING.read_text(encoding="utf-8").partition("\n## Answers\n")
    answers = {int(number): _joined(text) for number, text in _ANSWER.findall(told)}
    found = {}
    for file in lesson_files():
        asked = _QUESTION.search(file.read_text(encoding="utf-8"))
        number = int(file.stem.partition("-")[0])
        if asked is None or number not in answers:
            raise UsageError(f"lesson {number} has no question, or docs/teaching.md no answer")
        found[number] = Question(number, _unlinked(_joined(asked[1])), _unlinked(answers[number]))
    return found


def _joined(text: str) -> str:
    """A text in one line, as a sentence of its own."""
    line = " ".join(text.split())
    return line[0].upper() + line[1:]


def _unlinked(text: str) -> str:
    """A link of a document leads nowhere on a slide."""
    return re.sub(r"\[([^\]]+)\]\([^)]+\)", r"\1", text)


@cache
def _text(lesson: str) -> str:
    file = LESSONS / f"{lesson}.md"
    if not file.exists():
        raise UsageError(f"there is no lesson {lesson}")
    return file.read_text(encoding="utf-8")
