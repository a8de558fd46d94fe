"""Code as HTML, line by line. Pygments knows the languages; the page has a few colours only.

Tabs are shown as spaces: a tab's width depends on its place, and these lines hang.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import groupby, pairwise

from markupsafe import Markup, escape
from pygments import lex
from pygments.lexers import get_lexer_by_name
from pygments.token import Comment, Keyword, Name, Number, String, _TokenType
from pygments.util import ClassNotFound

from harness.teaching.excerpts import Part
from harness.toolchain.paths import ROOT

#: The first that holds a token gives its class in the page.
_CLASSES = (
    (Comment, "c"),
    (String.Doc, "c"),
    (String, "s"),
    (Number, "m"),
    (Keyword, "k"),
    (Name.Function, "f"),
    (Name.Class, "f"),
    (Name.Decorator, "k"),
)
#: The names that a line defines, where Pygments does not tell: the first group of these.
_DEFINED = {
    "go": re.compile(r"(?:func (?:\([^)]*\) )?|type )(\w+)"),
    "javascript": re.compile(
        r"(?:export )?const (\w+) =(?: async)?(?: \(|$)"
        r"|(?:export )?(?:async )?function\*? (\w+)"
        r"|(?:export )?class (\w+)"
        r"|  (?:async |get )?(?!for|if|while|switch)(#?\w+)\(.*[{,]$"
    ),
}
_TAB = "    "
#: A word that a narrow column can't hold may break before a dot and after a bracket.
_LONG_WORD = re.compile(r"\S{25,}")
_BREAK = re.compile(r"(?<=[\w)\]])(?=\.\w)|(?<=[(\[{])(?=\S)")

type Line = list[tuple[str, str]]


def show_part(part: Part, language: str) -> Markup:
    """The lines of a part, without the indentation that they have in common."""
    return _show(_lines_of(part.file, language)[part.first - 1 : part.last])


def code_lines(part: Part, language: str) -> list[Line]:
    """The lines of a part that have code, without comments and common indentation.

    An empty line stays. ``show_lines`` makes HTML of them.
    """
    lines = _lines_of(part.file, language)[part.first - 1 : part.last]
    kept = [_without_comment(line) for line in lines if not _is_comment(line)]
    common = min((_indent(line) for line in kept if _text(line).strip()), default=0)
    return [_without_start(line, common) if _text(line).strip() else [] for line in kept]


def show_lines(lines: Sequence[Line]) -> Markup:
    return Markup("").join(_line(line, 0) for line in lines)


def columns_of(line: Line) -> tuple[int, int]:
    """The columns of a line's indentation, and those of its text."""
    indent = _indent(line)
    return indent, len(_text(line)) - indent


def show_text(text: str, language: str) -> Markup:
    """Any text, such as a command; plain if the language is unknown."""
    return _show(_highlighted(text, language))


@cache
def _lines_of(file: str, language: str) -> Sequence[Line]:
    """The lines of a whole file, so that each token is judged by all that stands before it."""
    return _highlighted((ROOT / file).read_text(encoding="utf-8"), language)


def _highlighted(text: str, language: str) -> list[Line]:
    """Each line as pieces of a class and a text."""
    text = text.expandtabs(len(_TAB)) if language == "go" else text
    try:
        tokens = lex(text, get_lexer_by_name(language, stripnl=False))
    except ClassNotFound:
        return [[("", line)] for line in text.splitlines()]
    lines: list[Line] = [[]]
    for kind, value in tokens:
        for number, piece in enumerate(value.split("\n")):
            if number:
                lines.append([])
            if piece:
                lines[-1].append((_class(kind), piece))
    if not lines[-1]:
        lines.pop()  # behind the last line's end
    return [_with_definition(line, language) for line in lines]


def _with_definition(line: Line, language: str) -> Line:
    """The line with the class ``f`` for the name that it defines."""
    defined = language in _DEFINED and _DEFINED[language].match(_text(line))
    if not defined or (line and line[0][0] == "c"):
        return line
    start, end = defined.span(defined.lastindex or 0)
    marked, at = [], 0
    for name, piece in line:
        cuts = [
            0,
            min(max(start - at, 0), len(piece)),
            min(max(end - at, 0), len(piece)),
            len(piece),
        ]
        parts = [piece[a:b] for a, b in pairwise(cuts)]
        marked += [each for each in zip((name, "f", name), parts, strict=True) if each[1]]
        at += len(piece)
    return marked


def _class(kind: _TokenType) -> str:
    return next((name for token, name in _CLASSES if kind in token), "")


def _show(lines: Sequence[Line]) -> Markup:
    common = min((_indent(line) for line in lines if _text(line).strip()), default=0)
    return Markup("").join(_line(line, common) for line in lines)


def _line(line: Line, common: int) -> Markup:
    """A line is a block with a hanging indent, because narrow columns wrap it.

    The class of a line has its columns of indentation; the text itself stays as it is.
    """
    pieces = _without_start(line, common)
    start = _indent(pieces)
    html = Markup("").join(_spans(_without_start(pieces, start)))
    blank = Markup("<i>{}</i>").format(" " * start) if start else ""
    named = f"l i{start}" if start else "l"
    return Markup('<span class="{}">{}{}\n</span>').format(named, blank, html)


def _spans(line: Line) -> Iterator[Markup]:
    text = _text(line)
    breaks = {
        word.start() + found.start()
        for word in _LONG_WORD.finditer(text)
        for found in _BREAK.finditer(word[0])
    }
    at = 0
    for name, group in groupby(line, key=lambda piece: piece[0]):
        piece = "".join(part for _, part in group)
        shown = _narrow(piece, [each - at for each in sorted(breaks)])
        at += len(piece)
        yield Markup('<span class="{}">{}</span>').format(name, shown) if name else shown


def _narrow(text: str, breaks: Sequence[int]) -> Markup:
    """The text for a narrow column: it may break at some places, spaces that only align it are
    marked, so that they can shrink, and an arrow stays whole."""
    cuts = [0, *(each for each in breaks if 0 < each < len(text)), len(text)]
    parts = (_aligned(text[start:end]) for start, end in pairwise(cuts))
    begin = Markup("<wbr>") if 0 in breaks else Markup("")
    return begin + Markup("<wbr>").join(parts)


def _aligned(text: str) -> Markup:
    parts = re.split(r"( {2,}|->)", text)
    return Markup("").join(
        Markup('<i class="{}">{}</i>').format("w" if part == "->" else "a", part)
        if number % 2
        else escape(part)
        for number, part in enumerate(parts)
    )


def _is_comment(line: Line) -> bool:
    pieces = [name for name, piece in line if piece.strip()]
    return bool(pieces) and set(pieces) == {"c"}


def _without_comment(line: Line) -> Line:
    """The line without a comment at its end, and the spaces before that."""
    kept = list(line)
    if kept and kept[-1][0] == "c":
        kept.pop()
        while kept and not kept[-1][1].strip():
            kept.pop()
    if kept:
        kept[-1] = (kept[-1][0], kept[-1][1].rstrip())
    return kept


def _text(line: Line) -> str:
    return "".join(piece for _, piece in line)


def _indent(line: Line) -> int:
    text = _text(line)
    return len(text) - len(text.lstrip())


def _without_start(line: Line, count: int) -> Line:
    """The line without its first characters, or as many of them as are blank."""
    count, kept = min(count, _indent(line)), []
    for name, piece in line:
        cut = min(count, len(piece))
        count -= cut
        if piece[cut:]:
            kept.append((name, piece[cut:]))
    return kept
