"""The results of the slow oracle, for the fuzzer's comparison."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass

from harness.fixtures.sources import BadSourceError, read_records
from harness.verify.fuzz.subjects import MAX_SOURCE_BYTES, READABLE, Day

_UNLIMITED = 1 << 26
_SHOWN_BYTES = 60


@dataclass(frozen=True, slots=True)
class Truth:
    """The oracle's result for one body: its records with their LF, or the allowed codes."""

    text: bytes
    codes: tuple[str, ...] = ()

    @property
    def kind(self) -> str:
        return self.codes[0] if self.codes else READABLE

    def allows(self, code: str | None) -> bool:
        return code in self.codes if self.codes else code is None

    def __str__(self) -> str:
        return " or ".join(self.codes) or describe_records(self.text)


def truth(body: bytes) -> Truth:
    """The oracle's result. For a body that is too large and damaged both codes are allowed (SPEC).

    A body whose listed size is too large has that code only, because it may not be requested.
    """
    try:
        return Truth(b"".join(each + b"\n" for each in read_records(body, MAX_SOURCE_BYTES)))
    except BadSourceError as bad:
        code = bad.code
    codes = [code]
    if code == "TOO_LARGE" and len(body) <= MAX_SOURCE_BYTES:
        try:
            read_records(body, _UNLIMITED)
        except BadSourceError as bad:
            codes += [bad.code] if bad.code in ("BAD_GZIP", "BAD_JSON") else []
    if code == "BAD_GZIP" and len(before_fault(body)) > MAX_SOURCE_BYTES:
        codes.append("TOO_LARGE")
    return Truth(b"", tuple(codes))


def before_fault(body: bytes) -> bytes:
    """The inflated text of a gzip body before its first fault, or until it is too large."""
    text = bytearray()
    while body and len(text) <= MAX_SOURCE_BYTES:
        member = zlib.decompressobj(wbits=31)
        at = 0
        try:
            # byte for byte: given more, zlib tells the fault and keeps the text
            while at < len(body) and not member.eof and len(text) <= MAX_SOURCE_BYTES:
                text += member.decompress(body[at : at + 1])
                at += 1
        except zlib.error:
            break
        body = body[at:]
    return bytes(text)


def differs(day: Day, truths: Sequence[Truth]) -> bool:
    """Whether the result for a day of these bodies differs from the oracle's."""
    if day.error is not None or wrong_places(day, truths):
        return True
    return day.text != b"".join(each.text for each in truths)


def wrong_places(day: Day, truths: Sequence[Truth]) -> list[int]:
    """The places of the bodies whose codes differ; empty for a day that failed."""
    if day.error is not None:
        return []
    return [at for at, each in enumerate(truths) if not each.allows(day.codes.get(at))]


def describe_records(text: bytes) -> str:
    """Records in a few words, for a title."""
    shown = f"{text[:_SHOWN_BYTES]!r}" + ("..." if len(text) > _SHOWN_BYTES else "")
    return f"{text.count(b'\n')} records, {len(text)} bytes, {shown}"
