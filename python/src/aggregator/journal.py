"""Step: journal (SPEC O2-O4). The result, JSON lines on standard output, and each phase's sums.

Holds a count and a time for each phase; a line is written at once.
"""

import json
import sys
import time
from typing import Literal, NamedTuple, get_args

Level = Literal["DEBUG", "INFO", "WARN", "ERROR"]
Phase = Literal["list", "get", "decode", "compress", "put", "publish"]

type _Kind = Phase | Literal["wait"]

_LEVELS: tuple[Level, ...] = get_args(Level)
_PHASES: tuple[Phase, ...] = get_args(Phase)


class Result(NamedTuple):
    """O1, in its order; ``bytes`` counts records with their LF."""

    day: str
    sources: int
    bad: int
    records: int
    bytes: int
    chunks: int
    deleted: int


class Journal:
    """The log of one invocation."""

    def __init__(self, request_id: str) -> None:
        self.level = "INFO"
        self._request_id = request_id
        self._counts: dict[_Kind, int] = dict.fromkeys((*_PHASES, "wait"), 0)
        self._seconds: dict[_Kind, float] = dict.fromkeys((*_PHASES, "wait"), 0.0)

    def log(self, level: Level, event: str, **fields: object) -> None:
        """Write one line, unless the setting ``LOG_LEVEL`` is above its level."""
        if _LEVELS.index(level) < _LEVELS.index(self.level):
            return
        line = {"level": level, "event": event, "request_id": self._request_id, **fields}
        sys.stdout.write(json.dumps(line, separators=(",", ":")) + "\n")
        sys.stdout.flush()

    def timed(self, phase: Phase, count: int = 1) -> "_Timer":
        """A block whose time is added to a phase, and ``count`` to its operations."""
        return _Timer(self, phase, count)

    def waiting(self) -> "_Timer":
        """A block in which the ordered consumer waits (O4)."""
        return _Timer(self, "wait", 1)

    def add(self, kind: _Kind, seconds: float, count: int = 1) -> None:
        """Add what was timed elsewhere."""
        self._seconds[kind] += seconds
        self._counts[kind] += count

    def end(self, result: object, error: Exception | None) -> None:
        """Write the last line."""
        phases = {
            phase: {"count": self._counts[phase], "sum_ms": _ms(self._seconds[phase])}
            for phase in _PHASES
        }
        cause = None if error is None else error.__cause__
        self.log(
            "INFO" if error is None else "ERROR",
            "end",
            error=None if error is None else str(error),
            cause=None if cause is None else f"{type(cause).__name__}: {cause}",
            result=result,
            phases=phases,
            wait_ms=_ms(self._seconds["wait"]),
        )


class _Timer:
    """Adds the time of its block. A generator would be shorter, and slower: a source has three."""

    __slots__ = ("_count", "_journal", "_kind", "_started")

    def __init__(self, journal: Journal, kind: _Kind, count: int) -> None:
        self._journal = journal
        self._kind = kind
        self._count = count

    def __enter__(self) -> None:
        self._started = time.monotonic()

    def __exit__(self, *_: object) -> None:
        self._journal.add(self._kind, time.monotonic() - self._started, self._count)


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 3)
