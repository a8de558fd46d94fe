"""The slow oracle's voice in the fuzzer's comparison."""

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
    """What the oracle says of one body: its records with their LF, or the codes it may get."""

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
    """The oracle's voice; of a body both too large and damaged it allows either, as SPEC.md does.

    What the listing shows to be too large is that only: no request may look for damage.
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
    """What a gzip body inflates to before its first fault, or until it is too large."""
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
    """Whether a day of these bodies is not as the oracle says."""
    if day.error is not None or wrong_places(day, truths):
        return True
    return day.text != b"".join(each.text for each in truths)


def wrong_places(day: Day, truths: Sequence[Truth]) -> list[int]:
    """Where the codes differ; nothing is known of a day that failed."""
    if day.error is not None:
        return []
    return [at for at, each in enumerate(truths) if not each.allows(day.codes.get(at))]


def describe_records(text: bytes) -> str:
    """Records in a few words, for a title."""
    shown = f"{text[:_SHOWN_BYTES]!r}" + ("..." if len(text) > _SHOWN_BYTES else "")
    return f"{text.count(b'\n')} records, {len(text)} bytes, {shown}"
