"""SPEC.md for the page: each clause with its text and the vectors that check it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from markdown_it import MarkdownIt
from markdown_it.token import Token
from markupsafe import Markup

from harness.teaching.prose import parser
from harness.toolchain.paths import ROOT
from harness.verify.vectors.cases import load_cases

_ID = re.compile(r"[A-Z]\d+")


@dataclass(frozen=True, slots=True)
class Vector:
    """A vector's id, and the trap that it tests."""

    id: str
    title: str


@dataclass(frozen=True, slots=True)
class Clause:
    """A clause of SPEC.md; ``html`` begins with its id."""

    id: str
    html: Markup
    vectors: tuple[Vector, ...]


@cache
def clauses() -> Mapping[str, Clause]:
    """Every clause by its id, in SPEC's order."""
    markdown, tokens = _parsed()
    vectors = _vectors()
    return {
        name: Clause(
            name,
            Markup(markdown.renderer.render(_content(tokens, start, end), markdown.options, {})),
            tuple(vectors.get(name, ())),
        )
        for name, start, end in _places(tokens)
    }


def page(after: Mapping[str, Markup]) -> Markup:
    """SPEC.md as HTML. Each clause has the anchor ``contract/ID`` and ``after`` it some HTML."""
    markdown, tokens = _parsed()
    added: dict[int, list[Token]] = {}
    table: list[Markup] = []
    for name, start, end in _places(tokens):
        tokens[start].attrSet("id", f"contract/{name}")
        if tokens[start].type == "list_item_open":
            added[end] = [_html(after[name])]
            continue
        table.append(Markup("<div>{}</div>").format(after[name]))
        last = next(at for at in range(end, len(tokens)) if tokens[at].type == "table_close")
        added[last + 1] = [_html(Markup('<div class="settings">{}</div>').format(_joined(table)))]
    shown = [each for at, token in enumerate(tokens) for each in (*added.get(at, ()), token)]
    return Markup(markdown.renderer.render(shown, markdown.options, {}))


def _joined(parts: Sequence[Markup]) -> Markup:
    return Markup("").join(parts)


def _html(content: Markup) -> Token:
    return Token("html_block", "", 0, content=content)


def _parsed() -> tuple[MarkdownIt, list[Token]]:
    markdown = parser()
    return markdown, markdown.parse((ROOT / "SPEC.md").read_text(encoding="utf-8"))


def _places(tokens: Sequence[Token]) -> Iterator[tuple[str, int, int]]:
    """(clause, its first token, its last token): an item of a list, or a row of a table."""
    for start, token in enumerate(tokens):
        if token.type not in ("list_item_open", "tr_open"):
            continue
        inline = next(each for each in tokens[start:] if each.type == "inline")
        children = inline.children or []
        is_bold = bool(children) and any(each.type == "strong_open" for each in children[:2])
        first = next((each.content for each in children if each.content.strip()), "")
        if _ID.fullmatch(first) and (is_bold or token.type == "tr_open"):
            closing = token.type.replace("open", "close")
            end = next(
                at
                for at in range(start, len(tokens))
                if tokens[at].type == closing and tokens[at].level == token.level
            )
            yield first, start, end


def _content(tokens: Sequence[Token], start: int, end: int) -> list[Token]:
    """The tokens inside a clause; a row of a table as one sentence."""
    if tokens[start].type == "list_item_open":
        return list(tokens[start + 1 : end])
    cells = [each.content for each in tokens[start:end] if each.type == "inline"]
    name, setting, default, allowed = cells
    text = f"**{name}** {setting}, default {default}; allowed: {allowed}"
    return parser().parse(text)


def _vectors() -> Mapping[str, list[Vector]]:
    found: dict[str, list[Vector]] = {}
    for case in load_cases():
        for clause in case.clauses:
            found.setdefault(clause, []).append(Vector(case.id, case.title))
    return found
