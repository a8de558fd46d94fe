"""The judge of outputs: it compares bytes, and classifies a difference.

It knows lines, JSON and gzip, but nothing of aggregation. It reads chunks line by line, so that a
chunk of any size needs only the memory of its longest record.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import zip_longest

from harness.fixtures.chunks import CHUNK_NAME, HIDDEN_CHUNK_NAME, Chunk, UnreadableChunkError
from harness.fixtures.staging import ExpectedDay

MANIFEST = "_manifest.json"
_NUMBER = re.compile(r"(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?")
_BEFORE, _AFTER = 24, 48


class Agreement(StrEnum):
    """The highest level on which two different outputs agree."""

    RECORDS = "the same records, in another order or cut otherwise"
    VALUES = "the same JSON values, in another text"
    NONE = "not the same records"


@dataclass(frozen=True, slots=True)
class Difference:
    """The first difference.

    Line and column count from 1, the column in bytes. Both are ``None`` if the object as a whole is
    wrong. The texts are escaped parts around the difference.
    """

    key: str
    what: str
    line: int | None = None
    column: int | None = None
    expected: str | None = None
    actual: str | None = None
    agreement: Agreement | None = None

    def __str__(self) -> str:
        place = "" if self.line is None else f", line {self.line}, byte {self.column}"
        parts = [f"{self.key}{place}: {self.what}"]
        if self.agreement is not None:
            parts[0] += f" ({self.agreement})"
        if self.expected is not None or self.actual is not None:
            parts.append(f"  expected: {_shown(self.expected)}")
            parts.append(f"  actual:   {_shown(self.actual)}")
        return "\n".join(parts)


def _shown(text: str | None) -> str:
    return "nothing" if text is None else text


def verify_destination(expected: ExpectedDay, objects: Mapping[str, bytes]) -> Difference | None:
    """Judge the whole destination: ``objects`` maps each key to its stored bytes.

    It checks the published chunks, then the manifest (W6), then that no other object is left.
    """
    prefix = expected.day_prefix
    published = [
        Chunk(key, body)
        for key, body in objects.items()
        if key.startswith(prefix) and re.fullmatch(CHUNK_NAME, key.removeprefix(prefix))
    ]
    published.sort(key=lambda chunk: (len(chunk.key), chunk.key))
    return (
        verify(expected.chunks, published)
        or _verify_headers(published)
        or _verify_manifest(expected, objects.get(prefix + MANIFEST))
        or _verify_nothing_else(prefix, objects, {chunk.key for chunk in published})
    )


def verify(expected: Sequence[Chunk], actual: Sequence[Chunk]) -> Difference | None:
    """The first difference between two lists of chunks, or ``None`` if all bytes are the same.

    Every different byte counts. The agreement only classifies the difference.
    """
    for want, got in zip_longest(expected, actual):
        found = _compare(want, got)
        if found is not None:
            if found.agreement is None:
                return found
            return _with_agreement(found, expected, actual)
    return None


def _with_agreement(
    found: Difference, expected: Sequence[Chunk], actual: Sequence[Chunk]
) -> Difference:
    try:
        agreement = _agreement(expected, actual)
    except UnreadableChunkError as fault:
        what = f"{found.what}; its kind is unknown, because a chunk can't be inflated: {fault}"
        return replace(found, what=what, agreement=None)
    return replace(found, agreement=agreement)


def _compare(want: Chunk | None, got: Chunk | None) -> Difference | None:
    if got is None:
        assert want is not None
        return Difference(want.key, "the chunk is missing", agreement=Agreement.NONE)
    if want is None:
        return Difference(got.key, "a chunk that should not be there", agreement=Agreement.NONE)
    if want.key != got.key:
        what = f"the chunk is missing; the next one is {got.key}"
        return Difference(want.key, what, agreement=Agreement.NONE)
    try:
        for line, (a, b) in enumerate(zip_longest(want.lines(), got.lines()), 1):
            if a != b:
                return _line_difference(want.key, line, a, b)
    except UnreadableChunkError as fault:
        return Difference(got.key, f"can't be decompressed: {fault}")
    return None


def _line_difference(key: str, line: int, want: bytes | None, got: bytes | None) -> Difference:
    if want is None or got is None:
        what = "the chunk ends too early" if got is None else "the chunk has more lines"
        shown = [None if text is None else excerpt(text, 0) for text in (want, got)]
        return Difference(key, what, line, 1, shown[0], shown[1], Agreement.NONE)
    at = first_difference(want, got)
    return Difference(
        key, "differs", line, at + 1, excerpt(want, at), excerpt(got, at), Agreement.NONE
    )


def first_difference(one: bytes, other: bytes) -> int:
    """The place of the first byte that differs, or the end of the shorter text."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((at for at, (a, b) in pairs if a != b), min(len(one), len(other)))


def excerpt(text: bytes, at: int) -> str:
    """``text`` around byte ``at``; control characters as ``\\u000a``, broken UTF-8 as ``\\xff``."""
    start, end = max(at - _BEFORE, 0), at + _AFTER
    while 0 < start < at and text[start] & 0xC0 == 0x80:  # not into the middle of a character
        start += 1
    while end < len(text) and text[end] & 0xC0 == 0x80:
        end += 1
    shown = text[start:end].decode(errors="backslashreplace")
    shown = re.sub(r"[\x00-\x1f\x7f-\x9f]", lambda c: f"\\u{ord(c[0]):04x}", shown)
    return ("…" if start else "") + shown + ("…" if end < len(text) else "")


# ---- how far two outputs part: order-free fingerprints, in memory that does not grow ----


def _agreement(expected: Sequence[Chunk], actual: Sequence[Chunk]) -> Agreement:
    for level, form in ((Agreement.RECORDS, bytes), (Agreement.VALUES, meaning)):
        if _fingerprint(_lines(expected), form) == _fingerprint(_lines(actual), form):
            return level
    return Agreement.NONE


def _lines(chunks: Iterable[Chunk]) -> Iterator[bytes]:
    for chunk in chunks:
        yield from chunk.lines()


def _fingerprint(lines: Iterable[bytes], form: Callable[[bytes], bytes]) -> tuple[int, int]:
    """A sum of hashes: the same for any order, another for a doubled line."""
    count = total = 0
    for line in lines:
        count += 1
        total += int.from_bytes(hashlib.sha256(form(line)).digest())
    return count, total % 2**256


def meaning(line: bytes) -> bytes:
    """A line's JSON value in one canonical text; a line that is not JSON stays as it is."""
    try:
        value = json.loads(line, parse_int=_number, parse_float=_number)
        return json.dumps(value, sort_keys=True).encode()
    except (ValueError, RecursionError):
        return line


def _number(text: str) -> dict[str, str]:
    """An exact number: 1.0, 1 and 10e-1 have one text. Wrapped, so that it is no string."""
    found = _NUMBER.fullmatch(text)
    if found is None:
        return {"number": text}
    sign, whole, fraction, exponent = found.groups(default="")
    digits = (whole + fraction).lstrip("0")
    significant = digits.rstrip("0")
    if not significant:
        return {"number": "0"}
    try:
        power = int(exponent or "0") - len(fraction) + len(digits) - len(significant)
    except ValueError:  # an exponent of thousands of digits
        return {"number": text}
    return {"number": f"{sign}{significant}e{power}"}


# ---- beside the chunks' text ----


def _verify_headers(chunks: Iterable[Chunk]) -> Difference | None:
    for chunk in chunks:
        assert isinstance(chunk.body, bytes)
        if chunk.body[3:8] != bytes(5):
            return Difference(chunk.key, "the gzip header has a time, a name or flags (W1)")
    return None


def _verify_manifest(expected: ExpectedDay, body: bytes | None) -> Difference | None:
    key = expected.day_prefix + MANIFEST
    if body is None:
        return Difference(key, "the manifest is missing")
    try:
        manifest = json.loads(body)
    except ValueError as error:
        return Difference(key, f"the manifest is not JSON: {error}")
    want = expected.manifest()
    if same_json(manifest, want):
        return None
    a, b = (json.dumps(each, sort_keys=True).encode() for each in (want, manifest))
    at = first_difference(a, b)
    return Difference(key, "the manifest differs", expected=excerpt(a, at), actual=excerpt(b, at))


def same_json(one: object, other: object) -> bool:
    """Equal as JSON and in type: 1, 1.0 and true are three things."""
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


def _verify_nothing_else(
    prefix: str, objects: Mapping[str, bytes], published: set[str]
) -> Difference | None:
    for key in objects:
        if key in published or key == prefix + MANIFEST:
            continue
        hidden = key.startswith(prefix) and re.fullmatch(
            HIDDEN_CHUNK_NAME, key.removeprefix(prefix)
        )
        what = "a hidden chunk was left (W7)" if hidden else "an object that should not be there"
        return Difference(key, what)
    return None
