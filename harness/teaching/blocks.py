"""Finds a block of code by a text in it, in the four languages.

A formatter keeps the files, so indentation tells where a block ends. No language is parsed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from harness.model import HarnessError

#: language -> what the lines of comments and annotations above a block begin with
_ABOVE = {
    "python": ("#", "@"),
    "java": ("//", "/*", "*", "@"),
    "javascript": ("//", "/*", "*"),
    "go": ("//",),
    "yaml": ("#",),
}
_CLOSING = re.compile(r"[)\]}]|\*/")
#: A block goes on behind such a line, as in `} else {` or `except KeyError:`.
_GOES_ON = re.compile(r"[)\]}].*[\[({:>]|(?:elif|else|except|finally)\b.*:")


def find_block(
    lines: Sequence[str], language: str, begin: str, last: str | None = None
) -> tuple[int, int]:
    """The numbers, from 0, of a block's first line and of the line after its end.

    With ``last``, the block that begins with that text is the last part of the piece. Raises
    ``HarnessError`` if a text is not in the lines exactly once.
    """
    start = _code(lines, language, _only(lines, begin))
    end = start if last is None else _code(lines, language, _only(lines, last))
    if end < start:
        raise HarnessError(f"`{last}` stands before `{begin}`")
    return _above(lines, language, start), _end(lines, end)


def head_of(lines: Sequence[str], language: str) -> int:
    """The number of the lines at the top that tell the reader about the file."""
    if language == "python":
        return next(number for number, line in enumerate(lines, 1) if line.endswith('"""'))
    return next(number for number, line in enumerate(lines) if not line.startswith("//"))


def without_marks(lines: Sequence[str], language: str) -> Iterator[str]:
    """The paragraphs of a file's head."""
    mark = '"""' if language == "python" else "//"
    text = "\n".join(line.removeprefix(mark).removesuffix('"""').strip() for line in lines)
    yield from (" ".join(part.split("\n")) for part in text.strip().split("\n\n"))


def _only(lines: Sequence[str], text: str) -> int:
    found = [number for number, line in enumerate(lines) if text in line]
    if len(found) != 1:
        raise HarnessError(f"`{text}` stands in {len(found)} lines, and not in one")
    return found[0]


def _code(lines: Sequence[str], language: str, start: int) -> int:
    """The first line of the code below a comment, or the comment's last if it stands alone."""
    line = start
    while lines[line].lstrip().startswith(_ABOVE[language]):
        if line + 1 == len(lines) or not lines[line + 1].strip():
            return line
        line += 1
    return line


def _above(lines: Sequence[str], language: str, start: int) -> int:
    while start and lines[start - 1].lstrip().startswith(_ABOVE[language]):
        start -= 1
    return start


def _end(lines: Sequence[str], start: int) -> int:
    depth, end = _indent(lines[start]), start + 1
    for number in range(start + 1, len(lines)):
        line = lines[number]
        if not line.strip():
            continue
        if _indent(line) <= depth:
            text = line.strip()
            same = _indent(line) == depth
            if same and _GOES_ON.fullmatch(text):
                end = number + 1
                continue
            return number + 1 if same and _CLOSING.match(text) else end
        end = number + 1
    return end


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())
