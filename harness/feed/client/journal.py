"""Log lines, each one JSON object."""

from __future__ import annotations

import sys
from collections.abc import Callable

import msgspec

#: Writes one line: level, event, and fields.
type Log = Callable[..., None]


def log(level: str, event: str, **fields: object) -> None:
    line = msgspec.json.encode({"level": level, "event": event, **fields})
    sys.stdout.write(line.decode() + "\n")
    sys.stdout.flush()
