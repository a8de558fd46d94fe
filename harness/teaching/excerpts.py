"""Pieces of the four implementations, read from their files by the map ``docs/stone/pieces.toml``.

The map names places by texts, never by line numbers. A piece that can't be found is an error.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import msgspec

from harness.model import HarnessError, UsageError
from harness.teaching.blocks import find_block, head_of, without_marks
from harness.toolchain.paths import ROOT

MAP = ROOT / "docs/stone/pieces.toml"
#: language -> the folder of its step files, in the order of the columns
TOPS: Mapping[str, str] = {
    "python": "python/src/aggregator",
    "java": "java/src/main/java/rosetta",
    "javascript": "javascript/src",
    "go": "go/internal/aggregator",
}
SUFFIXES = {"python": ".py", "java": ".java", "javascript": ".js", "go": ".go"}


@dataclass(frozen=True, slots=True)
class Part:
    """Some lines of a file. ``file`` is a path in the repository, ``first`` counts from 1."""

    file: str
    first: int
    lines: tuple[str, ...]

    @property
    def text(self) -> str:
        return "\n".join(self.lines) + "\n"

    @property
    def last(self) -> int:
        return self.first + len(self.lines) - 1


@dataclass(frozen=True, slots=True)
class Excerpt:
    """A piece in one language: its parts, or the reason why there are none."""

    language: str
    parts: tuple[Part, ...]
    missing: str | None = None

    @property
    def text(self) -> str:
        """The code, with an empty line between two parts."""
        return "\n".join(part.text for part in self.parts)


class _Place(msgspec.Struct, forbid_unknown_fields=True, rename={"begin": "from", "last": "to"}):
    begin: str | None = None
    last: str | None = None
    file: str | None = None
    none: str | None = None


type _Places = str | _Place | list[str | _Place]


class _Entry(msgspec.Struct, forbid_unknown_fields=True):
    id: str
    title: str
    note: str
    clauses: tuple[str, ...]
    python: _Places
    java: _Places
    javascript: _Places
    go: _Places


class _Map(msgspec.Struct, forbid_unknown_fields=True):
    beyond: dict[str, str]
    step: dict[str, list[_Entry]]


@dataclass(frozen=True, slots=True)
class Piece:
    """One thing that a step does. ``id`` is ``reader/fill``; ``clauses`` are of SPEC.md."""

    id: str
    step: str
    title: str
    note: str
    clauses: tuple[str, ...]


@cache
def pieces() -> Mapping[str, Piece]:
    """Every piece by its id, in the order of the map."""
    return {
        f"{step}/{entry.id}": Piece(
            f"{step}/{entry.id}", step, entry.title, _joined(entry.note), entry.clauses
        )
        for step, entries in _read().step.items()
        for entry in entries
    }


def beyond() -> Mapping[str, str]:
    """clause -> where it is kept, for the clauses of no piece."""
    return _read().beyond


def excerpt(piece_id: str) -> dict[str, Excerpt]:
    """language -> the piece in that language.

    Raises ``UsageError`` for an unknown id, and ``HarnessError`` if the map does not fit the code.
    """
    step, _, name = piece_id.partition("/")
    for entry in _read().step.get(step, ()):
        if entry.id == name:
            return {
                language: _excerpt(piece_id, step, language, getattr(entry, language))
                for language in TOPS
            }
    raise UsageError(f"{piece_id} is no piece of {MAP.relative_to(ROOT)}")


def step_file(step: str, language: str) -> str:
    """The path of a step's file in the repository."""
    name = step.capitalize() if language == "java" else step
    return f"{TOPS[language]}/{name}{SUFFIXES[language]}"


def step_head(step: str, language: str) -> list[str]:
    """The paragraphs at the top of a step's file."""
    lines = _lines(step_file(step, language))
    return list(without_marks(lines[: head_of(lines, language)], language))


def rest(step: str, language: str) -> Iterator[Part]:
    """The parts of a step's file that are in no piece: imports, most of all."""
    file = step_file(step, language)
    lines = _lines(file)
    taken = [False] * len(lines)
    taken[: head_of(lines, language)] = [True] * head_of(lines, language)
    for part in _parts_of(file):
        taken[part.first - 1 : part.last] = [True] * len(part.lines)
    start = 0
    while start < len(lines):
        end = start
        while end < len(lines) and not taken[end]:
            end += 1
        yield from _trimmed(file, lines, start, end)
        start = end + 1


def _trimmed(file: str, lines: Sequence[str], start: int, end: int) -> Iterator[Part]:
    """The lines without empty ones at both ends; nothing if only brackets close in them."""
    while start < end and not lines[start].strip():
        start += 1
    while start < end and not lines[end - 1].strip():
        end -= 1
    if any(line.strip(" \t\n)]};,") for line in lines[start:end]):
        yield Part(file, start + 1, tuple(lines[start:end]))


@cache
def _read() -> _Map:
    try:
        return msgspec.toml.decode(MAP.read_bytes(), type=_Map)
    except msgspec.MsgspecError as error:
        raise HarnessError(f"{MAP.relative_to(ROOT)}: {error}") from error


@cache
def _parts_of(file: str) -> Sequence[Part]:
    """Every part of every piece that lies in the file."""
    return [
        part
        for piece in pieces()
        for each in excerpt(piece).values()
        for part in each.parts
        if part.file == file
    ]


def _excerpt(piece_id: str, step: str, language: str, places: _Places) -> Excerpt:
    listed = places if isinstance(places, list) else [places]
    if len(listed) == 1 and isinstance(listed[0], _Place) and listed[0].none is not None:
        return Excerpt(language, (), _joined(listed[0].none))
    parts = []
    for each in listed:
        place = _Place(begin=each) if isinstance(each, str) else each
        file = step_file(step, language) if place.file is None else _beside(language, place.file)
        lines = _lines(file)
        try:
            if place.begin is None or place.none is not None:
                raise HarnessError("a place needs `from`, or `none` alone")
            start, end = find_block(lines, language, place.begin, place.last)
        except HarnessError as error:
            name = MAP.relative_to(ROOT)
            raise HarnessError(f"{name}: {piece_id} in {file}: {error}") from error
        parts.append(Part(file, start + 1, tuple(lines[start:end])))
    return Excerpt(language, tuple(parts))


def _joined(text: str) -> str:
    """A text of the map in one line."""
    return " ".join(text.split())


def _beside(language: str, file: str) -> str:
    """A file by its path from the folder of the step files."""
    return Path(ROOT / TOPS[language] / file).resolve().relative_to(ROOT).as_posix()


@cache
def _lines(file: str) -> Sequence[str]:
    return (ROOT / file).read_text(encoding="utf-8").splitlines()
