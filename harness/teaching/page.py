"""The page of the stone: one file that loads nothing from a network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment
from markupsafe import Markup

from harness.model import Comparison
from harness.report.formatting import describe_run
from harness.teaching.contract import Clause, clauses, page
from harness.teaching.document import make_environment, policy, read, read_style
from harness.teaching.excerpts import (
    TOPS,
    Part,
    Piece,
    beyond,
    excerpt,
    pieces,
    rest,
    step_file,
    step_head,
)
from harness.teaching.highlight import show_part
from harness.teaching.prose import Lesson, lesson_files, read_lesson
from harness.teaching.steps import steps
from harness.teaching.timings import plots


def render_stone(comparison: Comparison | None, lessons: Sequence[Path] | None = None) -> str:
    """The HTML of the stone, with the times of a comparison if there is one."""
    environment = _environment()
    parts: Any = environment.get_template("parts.html.jinja").module
    style, script = read_style("stone.css"), read("stone.js")

    def in_lesson(piece: str, languages: Sequence[str]) -> Markup:
        return Markup(parts.lesson_piece(pieces()[piece], languages))

    files = lesson_files() if lessons is None else lessons
    shown: list[Lesson] = [read_lesson(file, in_lesson) for file in files]
    return environment.get_template("stone.html.jinja").render(
        style=Markup(style),
        script=Markup(script),
        policy=policy(style, script),
        steps=steps(),
        pieces=_by_step(),
        plots={} if comparison is None else plots(comparison),
        run=[] if comparison is None else list(describe_run(comparison)),
        commit=None if comparison is None else comparison.environment.get("commit"),
        lessons=shown,
        contract=page(
            {
                name: Markup(parts.clause_uses(each, _uses(name), beyond().get(name)))
                for name, each in clauses().items()
            }
        ),
    )


def _environment() -> Environment:
    environment = make_environment()
    environment.globals |= {
        "languages": tuple(TOPS),
        "excerpt": excerpt,
        "show": show_part,
        "caption": _caption,
        "head": step_head,
        "file": step_file,
        "rest": lambda step: {language: list(rest(step, language)) for language in TOPS},
        "clauses_of": _clauses_of,
        "number_of_vectors": _number_of_vectors,
    }
    return environment


def _by_step() -> Mapping[str, list[Piece]]:
    found: dict[str, list[Piece]] = {}
    for piece in pieces().values():
        found.setdefault(piece.step, []).append(piece)
    return found


def _uses(clause: str) -> list[Piece]:
    return [piece for piece in pieces().values() if clause in piece.clauses]


def _clauses_of(piece: Piece) -> list[Clause]:
    return [clauses()[name] for name in piece.clauses]


def _number_of_vectors(piece: Piece) -> int:
    return len({vector.id for each in _clauses_of(piece) for vector in each.vectors})


def _caption(part: Part, language: str) -> str:
    """A part's file, as a reader of the step looks for it."""
    file, top = Path(part.file), Path(TOPS[language])
    return file.relative_to(top if file.is_relative_to(top) else top.parent).as_posix()
