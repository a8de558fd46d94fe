"""The map of the stone fits the code: each piece is found once, and little code is in none."""

from __future__ import annotations

import re

import pytest
from pygments.lexers import get_lexer_by_name
from pygments.token import Comment, String
from test_docs import ROOT, STEPS

from harness.model import HarnessError, UsageError
from harness.teaching.blocks import find_block
from harness.teaching.excerpts import (
    TOPS,
    Excerpt,
    Part,
    beyond,
    excerpt,
    pieces,
    rest,
    step_file,
    step_head,
)

SPEC = (ROOT / "SPEC.md").read_text()
CLAUSES = set(re.findall(r"^(?:- \*\*|\| )([A-Z]\d+)(?:\*\*| \|)", SPEC, re.MULTILINE))
#: These pieces show the beginning of a construct whose rest is another piece.
CUT = {("config/settings", "java"), ("reader/bodies", "javascript")}
LEAST_SHARE = 0.5


def test_the_steps_are_those_of_the_readme_in_their_order() -> None:
    assert list(dict.fromkeys(each.step for each in pieces().values())) == STEPS


@pytest.mark.parametrize("piece", pieces())
def test_a_piece_is_found_in_each_language(piece: str) -> None:
    found = excerpt(piece)
    assert list(found) == list(TOPS)
    for language, each in found.items():
        assert bool(each.parts) != bool(each.missing)
        for part in each.parts:
            lines = (ROOT / part.file).read_text().splitlines()
            assert part.file.startswith(f"{language}/")
            assert tuple(lines[part.first - 1 : part.last]) == part.lines
            assert part.lines[0].strip()
            assert part.lines[-1].strip()


@pytest.mark.parametrize("step", STEPS)
def test_a_step_is_shown_by_its_own_file(step: str) -> None:
    for language in TOPS:
        files = {
            part.file
            for piece in pieces().values()
            if piece.step == step
            for part in excerpt(piece.id)[language].parts
        }
        assert step_file(step, language) in files


@pytest.mark.parametrize("piece", pieces())
def test_a_piece_ends_where_its_blocks_end(piece: str) -> None:
    for language, each in excerpt(piece).items():
        if (piece, language) in CUT:
            continue
        for part in each.parts:
            assert open_brackets(part, language) == 0, (language, part.text)


def open_brackets(part: Part, language: str) -> int:
    tokens = get_lexer_by_name(language).get_tokens(part.text)
    # a template text of JavaScript has code in it, and its own brackets are in pairs
    templates = (String.Backtick, String.Interpol)
    marks = "".join(
        text
        for kind, text in tokens
        if kind in templates or (kind not in Comment and kind not in String)
    )
    return sum(marks.count(each) for each in "([{") - sum(marks.count(each) for each in ")]}")


def test_the_pieces_that_are_cut_are_cut() -> None:
    for piece, language in CUT:
        assert any(open_brackets(part, language) for part in excerpt(piece)[language].parts)


def test_each_clause_is_in_a_piece_or_has_its_place_told() -> None:
    assert len(CLAUSES) > 80
    shown = {clause for each in pieces().values() for clause in each.clauses}
    assert shown <= CLAUSES
    assert set(beyond()) == CLAUSES - shown


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("language", TOPS)
def test_half_of_a_step_at_least_is_in_pieces(step: str, language: str) -> None:
    lines = [line for line in (ROOT / step_file(step, language)).read_text().splitlines() if line]
    beside = [line for part in rest(step, language) for line in part.lines if line]
    assert len(beside) <= (1 - LEAST_SHARE) * len(lines)


def test_a_step_has_its_head_in_each_language() -> None:
    for step in STEPS:
        for language in TOPS:
            first = step_head(step, language)[0]
            assert re.match(rf"Step:? {step}\b", first), (step, language)
            assert not re.search(r'"""|//', first)


def test_an_unknown_piece_is_a_fault_of_usage() -> None:
    with pytest.raises(UsageError, match="reader/nothing is no piece of docs/stone"):
        excerpt("reader/nothing")


def test_the_text_of_an_excerpt_has_its_parts_one_after_the_other() -> None:
    parts = (Part("a", 1, ("x", "y")), Part("b", 7, ("z",)))
    assert Excerpt("go", parts).text == "x\ny\n\nz\n"


# -- blocks --

PYTHON = """\
@cache
def first(
    one: int,
) -> int:
    \"\"\"One.\"\"\"

    return one


# a comment
try:
    first(1)
except ValueError:
    first(2)
last = 3
""".splitlines()

JAVA = """\
class A {
  /** One. */
  @Override
  int one(
      int a) {
    if (a > 1) {
      return 1;
    } else {
      return 2;
    }
  }

  int two() {
    return 2;
  }
}
""".splitlines()

JAVASCRIPT = """\
/**
 * A type.
 * @typedef {object} Alone
 */

/** Of two. */
const two = (a) =>
  a + 1;
const three = 3;
""".splitlines()


@pytest.mark.parametrize(
    ("lines", "language", "begin", "last", "expected"),
    [
        (PYTHON, "python", "def first(", None, (0, 7)),
        (PYTHON, "python", "@cache", None, (0, 7)),
        (PYTHON, "python", "# a comment", None, (9, 14)),
        (PYTHON, "python", "last =", None, (14, 15)),
        (PYTHON, "python", "def first(", "try:", (0, 14)),
        (JAVA, "java", "int one(", None, (1, 11)),
        (JAVA, "java", "One.", None, (1, 11)),
        (JAVA, "java", "int one(", "int two(", (1, 15)),
        (JAVA, "java", "class A", None, (0, 16)),
        (JAVASCRIPT, "javascript", "object} Alone", None, (0, 4)),
        (JAVASCRIPT, "javascript", "Of two", None, (5, 8)),
        (JAVASCRIPT, "javascript", "const three", None, (8, 9)),
    ],
)
def test_a_block_is_found_by_a_text(
    lines: list[str], language: str, begin: str, last: str | None, expected: tuple[int, int]
) -> None:
    assert find_block(lines, language, begin, last) == expected


@pytest.mark.parametrize(
    ("begin", "last", "message"),
    [
        ("return", None, "`return` stands in 3 lines, and not in one"),
        ("three", None, "`three` stands in 0 lines"),
        ("int two(", "int one(", "`int one\\(` stands before `int two\\(`"),
    ],
)
def test_a_text_that_is_not_there_once_is_a_fault(
    begin: str, last: str | None, message: str
) -> None:
    with pytest.raises(HarnessError, match=message):
        find_block(JAVA, "java", begin, last)
