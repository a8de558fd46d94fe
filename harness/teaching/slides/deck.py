"""Reads ``docs/slides/``: a file is a part, and each of its headings begins a slide.

A fenced block shows something of the repository:

=========== ========================================================================
``piece``   code: see ``listing.read_listings``
``table``   a lesson's table: the lesson, ``with: WORDS`` of its headings, and perhaps
            ``columns: A | B`` and ``rows: WORDS`` of the first cell
``printed`` a paragraph that a lesson prints: the lesson, ``with: WORDS``
``clause``  the ids of clauses of SPEC.md
``vector``  the id of a vector: its sources and its chunks
``plot``    a plot of ``bars``
``figure``  ``steps``, ``many-to-few`` or ``data-flow``
``ask``     the numbers of lessons: their questions, with the answers as notes
``notes``   words for the speaker
=========== ========================================================================

Another block is shown as it is. ``{{sources}}`` in a text is a fact of the compared day.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from markdown_it.token import Token
from markupsafe import Markup

from harness.model import UsageError
from harness.teaching.prose import parser
from harness.teaching.slides.lesson_parts import questions
from harness.toolchain.paths import ROOT

SLIDES = ROOT / "docs/slides"
_FACT = re.compile(r"\{\{(\w+)\}\}")
#: Pixels below the title, and of a line of text beside a block.
_HEIGHT, _TEXT_LINE, _TEXT_COLUMNS = 540, 42, 80

#: Makes the HTML of a block by its kind and its content; a height in pixels is left for it.
type ShowBlock = Callable[[str, str, int], Markup]


@dataclass(frozen=True, slots=True)
class Slide:
    """``id`` is the part's name, a slash, and a number from 1. One of words only is ``plain``."""

    id: str
    title: Markup
    html: Markup
    notes: Markup
    plain: bool


@dataclass(frozen=True, slots=True)
class PartOfDeck:
    id: str
    title: str
    slides: Sequence[Slide]


def read_part(file: Path, facts: Mapping[str, str], show: ShowBlock) -> PartOfDeck:
    """Raises ``UsageError`` for a block that names nothing, with the file and the slide."""
    text = _FACT.sub(lambda found: _fact(facts, found[1]), file.read_text(encoding="utf-8"))
    first, *texts = re.split(r"^## ", text, flags=re.MULTILINE)
    title = first.strip()
    if not title.startswith("# ") or "\n" in title or not texts:
        raise UsageError(f"{file.name} has not the form of a title and slides")
    slides = []
    for number, each in enumerate(texts, 1):
        try:
            slides.append(_slide(f"{file.stem}/{number}", each, show))
        except UsageError as error:
            raise UsageError(f"{file.name}, slide {number}: {error}") from error
    return PartOfDeck(file.stem, title.removeprefix("# "), slides)


def _fact(facts: Mapping[str, str], name: str) -> str:
    if name not in facts:
        raise UsageError(f"{name} is no fact of the slides")
    return facts[name]


def _slide(name: str, text: str, show: ShowBlock) -> Slide:
    title, _, content = text.partition("\n")
    markdown = parser()
    tokens = markdown.parse(content)
    blocks = [each for each in tokens if each.type == "fence"]
    notes = [each for each in blocks if each.info == "notes"]
    asked = [each for each in blocks if each.info == "ask"]
    shown = [each for each in blocks if each not in notes]
    height = _HEIGHT - _TEXT_LINE * _lines_of_text(tokens)

    def render(_: object, them: Sequence[Token], at: int, *__: object) -> str:
        return show(them[at].info, them[at].content, height)

    told = [markdown.render(each.content) for each in notes]
    told += [markdown.render(_answers(each.content)) for each in asked]
    markdown.add_render_rule("fence", render)
    html = markdown.renderer.render(
        [each for each in tokens if each not in notes], markdown.options, {}
    )
    return Slide(
        name,
        Markup(markdown.renderInline(title.strip())),
        Markup(html),
        Markup("".join(told)),
        not shown and not any(each.type == "table_open" for each in tokens),
    )


def numbers(content: str) -> list[int]:
    """The numbers of lessons in a block ``ask``. Raises ``UsageError``."""
    found = [int(each) for each in content.split() if each.isdigit()]
    if not found or not set(found) <= questions().keys():
        raise UsageError(f"`{content.strip()}` names no lessons")
    return found


def _answers(content: str) -> str:
    return "\n\n".join(f"**{number}.** {questions()[number].answer}" for number in numbers(content))


def _lines_of_text(tokens: Sequence[Token]) -> int:
    """About how many lines the texts beside the blocks take."""
    texts = [each.content for each in tokens if each.type == "inline"]
    return sum(1 + len(each) // _TEXT_COLUMNS for each in texts)
