"""Step: errors (SPEC E1-E3). The faults that this contract names, and how a caller sees them.

Holds nothing in memory.
"""

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
    """A source (or the manifest) that can't be read; the run goes on without it."""

    def __init__(self, code: SourceCode) -> None:
        super().__init__(code)
        self.code = code


def _escaped(character: re.Match[str]) -> str:
    return f"\\u{ord(character[0]):04x}"
