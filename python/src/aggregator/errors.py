"""Step: errors (SPEC E1-E3). The faults that this contract names; how a caller sees them.

Holds nothing in memory.
"""

import os
import re
from typing import Literal

ErrorCode = Literal[
    "BAD_SETTINGS",
    "INVALID_EVENT",
    "INVALID_DATE",
    "NO_TRAIL",
    "BAD_MANIFEST",
    "FEWER_SOURCES",
    "BAD_SOURCES",
    "S3_ERROR",
    "OUT_OF_TIME",
    "BUSY",
    "INTERNAL",
]
SourceCode = Literal["MISSING", "ARCHIVED", "TOO_LARGE", "BAD_GZIP", "BAD_JSON", "NO_RECORDS"]

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


class AggregationError(Exception):
    """Ends the run. ``str()`` is the caller's message, ``CODE: detail``; the cause is chained."""

    def __init__(self, code: ErrorCode, detail: str) -> None:
        super().__init__(f"{code}: {_CONTROL.sub(_escaped, detail)}")
        self.code = code


class BadSourceError(Exception):
    """A source that can't be read: the run goes on without it.

    The manifest is read in the same way; there the publisher catches the fault.
    """

    def __init__(self, code: SourceCode) -> None:
        super().__init__(code)
        self.code = code


def end_if_out_of_memory(error: BaseException) -> None:
    """End the process if an allocation is behind an error; libraries wrap what they catch (E10)."""
    seen: list[BaseException] = []
    unseen: list[BaseException | None] = [error]
    while unseen:
        each = unseen.pop()
        if isinstance(each, MemoryError):
            os._exit(1)
        if each is not None and each not in seen:
            seen.append(each)
            unseen += [each.__cause__, each.__context__, *getattr(each, "exceptions", ())]


def _escaped(character: re.Match[str]) -> str:
    return f"\\u{ord(character[0]):04x}"
