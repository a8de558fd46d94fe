"""Code on a slide: pieces of the map, or blocks of them, in a size that the last row can read."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

from harness.model import HarnessError, UsageError
from harness.teaching.blocks import find_block
from harness.teaching.excerpts import TOPS, Part, excerpt, pieces
from harness.teaching.highlight import Line, code_lines, columns_of

#: Pixels of a slide of 1280 x 720.
SIZES = (26, 24, 22, 20, 18)
_WIDTH, _GAP, _PADDING, _ABOVE_AND_BELOW = 1192, 20, 28, 54
_LEAST_COLUMNS = 40  # of characters
_CHARACTER, _LEADING = 0.603, 1.4  # of the size
#: These languages indent by four columns, and the page halves that.
_HALVED = ("python", "go")


@dataclass(frozen=True, slots=True)
class Listing:
    """The code of one language; ``file`` is the path of the first part."""

    language: str
    file: str
    lines: Sequence[Line]

    def height(self, columns: float) -> int:
        """The lines that it takes where so many characters have room."""
        return sum(_wrapped(line, self.language, columns) for line in self.lines)


@dataclass(frozen=True, slots=True)
class Fit:
    """The largest size in which listings fit on a slide, and the listings of each column."""

    size: int
    columns: Sequence[Sequence[Listing]]


def fit(listings: Sequence[Listing], height: int) -> Fit:
    """Raises ``UsageError`` if the listings are too long for a height in pixels."""
    # a column more is worth letters that are five units smaller, but never the smallest
    choices = sorted(
        product(SIZES, range(1, len(listings) + 1)),
        key=lambda each: (each[0] == SIZES[-1], -(each[0] + 5 * each[1])),
    )
    for size, number in choices:
        width = (_WIDTH - _GAP * (number - 1)) / number - _PADDING
        room = math.floor(width / (size * _CHARACTER))
        needed = [_ABOVE_AND_BELOW + each.height(room) * size * _LEADING for each in listings]
        columns = _columns(needed, number)
        if room >= _LEAST_COLUMNS and max(_stacked(needed, each) for each in columns) <= height:
            return Fit(size, [[listings[place] for place in column] for column in columns])
    named = ", ".join(f"{each.language} {len(each.lines)}" for each in listings)
    raise UsageError(f"code is too long for a slide (lines: {named}): name a block of it")


def _stacked(needed: Sequence[float], places: Sequence[int]) -> float:
    return sum(needed[place] for place in places) + _GAP * (len(places) - 1)


def _columns(needed: Sequence[float], number: int) -> Sequence[Sequence[int]]:
    """The places of the listings in columns, so that the highest column is as low as can be."""
    places = range(len(needed))
    return min(
        (
            [[place for place in places if chosen[place] == column] for column in range(number)]
            for chosen in product(range(number), repeat=len(needed))
        ),
        key=lambda columns: max(sum(needed[place] for place in each) for each in columns),
    )


def read_listings(content: str) -> list[Listing]:
    """The listings that a block ``piece`` names.

    Its first line is the id of a piece. A further line is a language, or ``LANGUAGE: TEXT`` for the
    block of the piece that begins with a text; ``TEXT .. TEXT`` ends with another block. Without
    such a line all four languages are shown.
    """
    first, *chosen = (line.strip() for line in content.splitlines() if line.strip())
    if first not in pieces():
        raise UsageError(f"{first} is no piece of the stone")
    found = []
    for line in chosen or TOPS:
        language, _, text = (each.strip() for each in line.partition(":"))
        if language not in TOPS:
            raise UsageError(f"{language} is no language of the stone")
        parts = excerpt(first)[language].parts
        shown = _blocks(first, parts, language, text) if text else parts
        if shown:
            found.append(Listing(language, shown[0].file, list(_joined(shown, language))))
    return found


def _blocks(piece: str, parts: Sequence[Part], language: str, text: str) -> list[Part]:
    begin, dots, last = text.partition(" .. ")
    found = []
    for part in parts:
        if any(begin in line for line in part.lines):
            start, end = find_block(part.lines, language, begin, last if dots else None)
            found.append(Part(part.file, part.first + start, part.lines[start:end]))
    if len(found) != 1:
        raise HarnessError(f"`{begin}` stands in {len(found)} parts of {piece}, and not in one")
    return found


def _joined(parts: Sequence[Part], language: str) -> Iterator[Line]:
    """The code of all parts, with an empty line between two. Comments that are gone leave none."""
    may_be_empty = False
    for number, part in enumerate(parts):
        if number and may_be_empty:
            yield []
            may_be_empty = False
        for line in code_lines(part, language):
            if line or may_be_empty:
                yield line
            may_be_empty = bool(line) and not line[-1][1].endswith((":", "{"))


def caption(listing: Listing) -> str:
    """The name of the listing's file."""
    return Path(listing.file).name


def _wrapped(line: Line, language: str, columns: float) -> int:
    indent, length = columns_of(line)
    start = indent / 2 if language in _HALVED else indent
    beyond = start + length - columns
    # words do not fill a line to its end
    return 1 if beyond <= 0 else 1 + math.ceil(beyond * 1.15 / (columns - start - 2))
