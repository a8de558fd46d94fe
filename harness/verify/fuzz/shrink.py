"""Shrinks a body that shows a disagreement, and drafts a vector from it."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path

from harness.verify.fuzz.oracle import before_fault

Shows = Callable[[bytes], bool]
Form = Callable[[bytes], bytes]

_MOST_TRIES = 1500
_SMALL = 8  # pieces of at most so many bytes are tried at every place
#: The clause of a draft, by the oracle's code. A person may choose another.
_CLAUSES = {"TOO_LARGE": "R2", "BAD_GZIP": "R5", "BAD_JSON": "R6", "NO_RECORDS": "R8"}


def _member(text: bytes) -> bytes:
    return gzip.compress(text, mtime=0)


def _with_bit_turned(at: int, text: bytes) -> bytes:
    body = bytearray(_member(text))
    body[at] ^= 1
    return bytes(body)


#: Plain text, and one member whole or with the faults that need no more of a body than that.
_FORMS: tuple[Form, ...] = (
    bytes,
    _member,
    partial(_with_bit_turned, -8),
    partial(_with_bit_turned, -4),
    lambda text: _member(text)[:-1],
    lambda text: _member(text)[:-8],
    lambda text: _member(text) + b"\0",
)


def shrink(body: bytes, shows: Shows) -> bytes:
    """A smaller body for which ``shows`` still holds; ``body`` itself if there is none.

    If the disagreement also shows with plain text, or with one common gzip member (perhaps with a
    common fault), that form is used: in other members a checksum would prevent shorter ones.
    """
    tries = 0

    def still_shows(candidate: bytes) -> bool:
        nonlocal tries
        tries += 1
        return tries <= _MOST_TRIES and shows(candidate)

    text = before_fault(body) if body.startswith(b"\x1f\x8b") else body
    for form in _FORMS:

        def shows_as_form(part: bytes, form: Form = form) -> bool:
            return still_shows(form(part))

        if shows_as_form(text):
            return form(_without_pieces(text, shows_as_form))
    return _without_pieces(body, still_shows)


def _without_pieces(body: bytes, shows: Shows) -> bytes:
    """Delta debugging: remove smaller and smaller pieces, then pairs of brackets, until no more."""
    size = len(body) // 2
    while size > _SMALL:
        body = _without(body, size, size, shows)
        size //= 2
    while True:
        before = body
        for size in range(_SMALL, 0, -1):
            body = _without(body, size, 1, shows)
        if body == before:
            body = next((each for each in _unwrapped(body) if shows(each)), body)
        if body == before:
            return body


def _without(body: bytes, size: int, step: int, shows: Shows) -> bytes:
    """The body without as many pieces of ``size`` bytes as possible."""
    at = 0
    while at < len(body):
        candidate = body[:at] + body[at + size :]
        if shows(candidate):
            body = candidate
        else:
            at += step
    return body


def _unwrapped(body: bytes) -> Iterator[bytes]:
    """The body without a pair of brackets or quotes, which can only be removed together."""
    opened: list[int] = []
    quote: int | None = None
    for at, byte in enumerate(body):
        if byte in b"[{":
            opened.append(at)
        elif byte in b"]}" and opened:
            first = opened.pop()
            yield body[:first] + body[first + 1 : at] + body[at + 1 :]
            if (name_end := body.find(b":", first, at)) > 0:
                yield body[:first] + body[name_end + 1 : at] + body[at + 1 :]
        elif byte == ord('"'):
            if quote is not None:
                yield body[:quote] + body[quote + 1 : at] + body[at + 1 :]
            quote = at


def write_draft(
    folder: Path, body: bytes, key: str, settings: Mapping[str, str], title: str, code: str
) -> Path:
    """Write a vector's folder without ``expect``, which a person has to add by SPEC.md."""
    draft = folder / f"fuzz-{hashlib.sha256(body).hexdigest()[:12]}"
    draft.mkdir(parents=True, exist_ok=True)
    year, month, day = (int(part) for part in key.split("/")[-4:-1])
    case = {
        "title": title,
        "clauses": [_CLAUSES.get(code, "C1")],
        "settings": dict(settings),
        "objects": [{"key": key, "body": {"hex": body.hex()}}],
        "steps": [{"event": {"year": year, "month": month, "day": day, "force": True}}],
    }
    (draft / "case.json").write_text(json.dumps(case, indent=2) + "\n", encoding="utf-8")
    return draft
