"""Takes the bodies of functions out of a step's file, and leaves their signatures.

The files are formatted by their language's own tool. So a block ends at the first line that is
indented as its head is, and no parser is needed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from harness.model import UsageError

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

    Each names a block by the text with which its head begins; the last line of that text is in the
    head. ``bodies`` has other bodies than "not yet" for some of ``write``. Raises ``UsageError``
    for a text that does not occur exactly once.
    """
    lines = text.split("\n")
    for start in drop:
        first, _, last = _block(lines, start, language)
        while first > 0 and _COMMENT.match(lines[first - 1]):
            first -= 1
        del lines[first : last + 1]
    for start in write:
        first, head, last = _block(lines, start, language)
        if head == last:
            raise UsageError(f"{start!r} begins no function with a body of lines")
        margin = _margin(lines[first]) + _INDENT[language]
        body = bodies.get(start, _NOT_YET[language]).split("\n")
        begin, end = head + 1, last + 1 if language == "python" else last
        if language == "python":
            begin = _after_docstring(lines, begin)
        lines[begin:end] = [f"{margin}{line}" if line else "" for line in body]
    result = _squeezed("\n".join(lines), language)
    return _without_unused_imports(result) if language == "go" else result


def _squeezed(text: str, language: str) -> str:
    """Without the empty lines that the dropped blocks leave behind."""
    most = 2 if language == "python" else 1
    text = re.sub(rf"\n{{{most + 2},}}", "\n" * (most + 1), text)
    text = re.sub(r"\n\n(\s*\})", r"\n\1", text)
    return text.strip("\n") + "\n"


def _block(lines: Sequence[str], start: str, language: str) -> tuple[int, int, int]:
    """The numbers of its first line, of the last line of its head, and of its last line."""
    wanted = start.split("\n")
    found = [
        number + len(wanted) - 1
        for number in range(len(lines) - len(wanted) + 1)
        if all(
            line.strip().startswith(each.strip())
            for line, each in zip(lines[number:], wanted, strict=False)
        )
    ]
    if len(found) != 1:
        raise UsageError(f"a block that begins {start!r} stands {len(found)} times, not once")
    (first,) = found
    margin = _margin(lines[first])
    opening = ":" if language == "python" else "{"
    for head in range(first, len(lines)):
        line = lines[head].partition("  #")[0].rstrip()
        if line.endswith(opening):
            break
        if head == first and language == "python" and not line.endswith("("):
            return first, first, first  # a statement of one line
        if line.endswith((";", "}")) or (language == "go" and not line.endswith((",", "("))):
            return first, head, head  # a function or a statement without a block of lines
    for last in range(head + 1, len(lines)):
        line = lines[last]
        if language == "python" and line and len(_margin(line)) <= len(margin):
            return first, head, _last_filled(lines, last)
        if language != "python" and line.startswith((f"{margin}}}", f"{margin})")):
            return first, head, last
    return first, head, _last_filled(lines, len(lines))


def _last_filled(lines: Sequence[str], end: int) -> int:
    """The last line before ``end`` that is neither empty nor the comment of the next block."""
    last = end - 1
    while not lines[last].strip():
        last -= 1
    return last


def _margin(line: str) -> str:
    return line[: len(line) - len(line.lstrip())]


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
