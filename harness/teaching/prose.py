"""Markdown as HTML: SPEC.md and the lessons.

A fenced block ``piece`` in a lesson names one or more pieces of the map. It may have a line
``languages: go, python``, too. A block ``excerpt`` names a file and, below it, the first words of a
block in that file.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token
from markupsafe import Markup

from harness.model import HarnessError, UsageError
from harness.teaching.blocks import find_block
from harness.teaching.excerpts import TOPS, Part, pieces
from harness.teaching.highlight import show_part, show_text
from harness.toolchain.paths import ROOT

LESSONS = ROOT / "docs/lessons"
_SUFFIXES = {
    ".yaml": "yaml",
    ".py": "python",
    ".java": "java",
    ".js": "javascript",
    ".go": "go",
}

#: Makes the HTML of a piece in some languages.
type ShowPiece = Callable[[str, Sequence[str]], Markup]


@dataclass(frozen=True, slots=True)
class Lesson:
    """A lesson: its file's name without suffix, its title, and its content."""

    id: str
    title: str
    html: Markup


def parser() -> MarkdownIt:
    return MarkdownIt("commonmark").enable("table")


def lesson_files(folder: Path = LESSONS) -> list[Path]:
    """The lessons in their order; their names begin with a number."""
    return sorted(folder.glob("[0-9]*.md"))


def read_lesson(file: Path, show_piece: ShowPiece) -> Lesson:
    """Raises ``UsageError`` if a block names what the map does not have."""
    markdown = parser()
    tokens = markdown.parse(file.read_text(encoding="utf-8"))
    if [token.tag for token in tokens[:1]] != ["h1"]:
        raise UsageError(f"{file.name} does not begin with a title")
    title = markdown.renderer.render(tokens[1:2], markdown.options, {})
    for token in tokens:
        # the page's policy allows no style in an element
        if (style := token.attrs.pop("style", None)) is not None:
            token.attrs["class"] = str(style).removeprefix("text-align:")
        for child in token.children or ():
            _lead_somewhere(child)
    for kind in ("fence", "code_block"):
        markdown.add_render_rule(kind, _show_block(file, show_piece))
    html = markdown.renderer.render(tokens[3:], markdown.options, {})
    return Lesson(file.stem, Markup(title).striptags(), Markup(html))


def pieces_of(content: str) -> tuple[list[str], tuple[str, ...]]:
    """The ids and the languages that a block ``piece`` names. Raises ``UsageError``."""
    ids: list[str] = []
    languages = tuple(TOPS)
    for line in filter(None, map(str.strip, content.splitlines())):
        name, colon, values = line.partition(":")
        words = re.split(r"[,\s]+", values.strip() if colon else line)
        if not colon:
            ids += words
        elif name == "languages":
            languages = tuple(words)
        else:
            raise UsageError(f"{name} is neither a piece nor `languages`")
    if unknown := [each for each in ids if each not in pieces()] or [
        each for each in languages if each not in TOPS
    ]:
        raise UsageError(f"{unknown[0]} is no piece and no language of the stone")
    if not ids:
        raise UsageError("a block `piece` names no piece")
    return ids, languages


def excerpt_of(content: str) -> tuple[Part, str]:
    """The part of a file that a block ``excerpt`` names, and its language.

    Raises ``UsageError``.
    """
    named, _, words = content.strip().partition("\n")
    path = ROOT / named
    language = _SUFFIXES.get(path.suffix, "")
    if not language or not words or not path.is_file():
        raise UsageError(f"`{named}` is no file to show, or no words stand below it")
    lines = path.read_text(encoding="utf-8").splitlines()
    try:
        start, end = find_block(lines, language, words)
    except HarnessError as error:
        raise UsageError(f"{named}: {error}") from error
    return Part(named, start + 1, tuple(lines[start:end])), language


def _show_excerpt(content: str) -> Markup:
    part, language = excerpt_of(content)
    return Markup(
        '<figure class="excerpt"><figcaption><code>{}</code> <span class="lines">{}&ndash;{}</span>'
        '</figcaption><div class="cell fixed {}"><pre><code>{}</code></pre></div></figure>'
    ).format(part.file, part.first, part.last, language, show_part(part, language))


def _show_block(file: Path, show_piece: ShowPiece) -> Callable[..., str]:
    def render(_: object, tokens: Sequence[Token], at: int, *__: object) -> str:
        kind, content = tokens[at].info.strip(), tokens[at].content
        if kind not in ("piece", "excerpt"):
            return Markup("<pre><code>{}</code></pre>\n").format(show_text(content, kind))
        try:
            if kind == "excerpt":
                return _show_excerpt(content)
            ids, languages = pieces_of(content)
        except UsageError as error:
            raise UsageError(f"{file.name}: {error}") from error
        return Markup("").join(show_piece(each, languages) for each in ids)

    return render


def _lead_somewhere(token: Token) -> None:
    """A link to another lesson stays in the page; one to a file becomes that file's name."""
    if token.type != "link_open":
        return
    address = str(token.attrGet("href"))
    if re.match(r"[a-z]+:", address):
        return
    path = address.partition("#")[0]
    target = (LESSONS / path).resolve()
    if not path:  # to a heading, which has no place in the page
        token.attrs = {}
    elif target == LESSONS / "README.md":
        token.attrs = {"href": "#lessons"}
    elif target.parent == LESSONS and target.suffix == ".md":
        token.attrs = {"href": f"#lesson/{target.stem}"}
    elif target == ROOT / "SPEC.md":
        token.attrs = {"href": "#contract"}
    elif target.is_relative_to(ROOT):
        token.attrs = {"class": "file", "title": f"the file {target.relative_to(ROOT)}"}
    else:
        raise UsageError(f"{address} leads out of the repository")
