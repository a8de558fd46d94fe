"""Takes the bodies of functions out of a step's file, and leaves their signatures."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from harness.model import UsageError
from harness.teaching.blocks import find_block

_INDENT = {"python": "    ", "java": "  ", "javascript": "  ", "go": "\t"}
_NOT_YET = {
    "python": 'raise NotImplementedError("not yet")',
    "java": 'throw new UnsupportedOperationException("not yet");',
    "javascript": "throw new Error('not yet');",
    "go": 'panic("not yet")',
}
_COMMENT = re.compile(r"\s*(//|/\*\*|\*|#|@)")
_DOCSTRING = '"""'


def blank(
    text: str,
    language: str,
    write: Sequence[str],
    drop: Sequence[str],
    bodies: Mapping[str, str],
) -> str:
    """The file's text without the bodies of ``write`` and without the blocks of ``drop``.

    Each names a block by a text in its first line, or in the comment above it. ``bodies`` has other
    bodies than "not yet" for some of ``write``. Raises ``HarnessError`` for a text that does not
    stand in exactly one line.
    """
    lines = text.split("\n")
    for start in drop:
        first, end = find_block(lines, language, start)
        del lines[first:end]
    for start in write:
        first, end = find_block(lines, language, start)
        head = _head(lines, language, first, end)
        outermost = lines[head if language == "python" else end - 1]
        margin = re.sub(r"\S.*", "", outermost) + _INDENT[language]
        begin = _after_docstring(lines, head + 1) if language == "python" else head + 1
        body = bodies.get(start, _NOT_YET[language]).split("\n")
        lines[begin : end if language == "python" else end - 1] = [
            f"{margin}{line}" if line else "" for line in body
        ]
    result = _squeezed("\n".join(lines), language)
    return _without_unused_imports(result) if language == "go" else result


def _head(lines: Sequence[str], language: str, first: int, end: int) -> int:
    """The line that opens the body. Raises ``UsageError`` for a block without one."""
    opening = ":" if language == "python" else "{"
    for number in range(first, end - 1):
        if lines[number].endswith(opening) and not _COMMENT.match(lines[number]):
            return number
    raise UsageError(f"no body of lines follows {lines[first].strip()}")


def _squeezed(text: str, language: str) -> str:
    """Without the empty lines that the dropped blocks leave behind."""
    most = 2 if language == "python" else 1
    text = re.sub(rf"\n{{{most + 2},}}", "\n" * (most + 1), text)
    text = re.sub(r"\n\n(\s*\})", r"\n\1", text)
    return text.strip("\n") + "\n"


def _after_docstring(lines: Sequence[str], begin: int) -> int:
    first = lines[begin].strip()
    if not first.startswith(_DOCSTRING):
        return begin
    if first.count(_DOCSTRING) == 2:
        return begin + 1
    return next(n for n in range(begin + 1, len(lines)) if _DOCSTRING in lines[n]) + 1


def _without_unused_imports(text: str) -> str:
    """Go refuses to compile a file that imports a package and does not use it."""
    head, bracket, rest = text.partition("\n)\n")
    code = re.sub(r"^\s*//.*$", "", rest, flags=re.MULTILINE)
    kept = []
    for line in head.split("\n"):
        imported = re.fullmatch(r'\t"(?:.*/)?([a-z0-9]+?)(?:/v\d+)?"', line)
        if not imported or re.search(rf"\b{imported[1]}\.", code):
            kept.append(line)
    head = re.sub(r"\n\n+", "\n\n", "\n".join(kept)).replace("(\n\n", "(\n").rstrip("\n")
    return f"{head}{bracket}{rest}"
