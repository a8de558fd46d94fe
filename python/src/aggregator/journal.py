"""Step: journal (SPEC O2-O4). The result, JSON lines on standard output, and each phase's sums.

Holds six counters; a line is written at once.
"""

import json
import sys
import time
from collections.abc import Callable
from typing import Literal, NamedTuple

Level = Literal["DEBUG", "INFO", "WARN", "ERROR"]
Phase = Literal["list", "get", "decode", "compress", "put", "publish"]

_LEVELS = ("DEBUG", "INFO", "WARN", "ERROR")
_PHASES: tuple[Phase, ...] = ("list", "get", "decode", "compress", "put", "publish")


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
        self._counts = dict.fromkeys(_PHASES, 0)
        self._seconds = dict.fromkeys(_PHASES, 0.0)
        self._waited = 0.0

    def log(self, level: Level, event: str, **fields: object) -> None:
        """Write one line, unless the setting ``LOG_LEVEL`` is above its level."""
        if _LEVELS.index(level) < _LEVELS.index(self.level):
            return
        line = {"level": level, "event": event, "request_id": self._request_id, **fields}
        sys.stdout.write(json.dumps(line, separators=(",", ":")) + "\n")
        sys.stdout.flush()

    def timed(self, phase: Phase, count: int = 1) -> "_Timer":
        """A block whose time is added to a phase, and ``count`` to its operations."""
        return _Timer(lambda seconds: self.add(phase, seconds, count))

    def waiting(self) -> "_Timer":
        """A block in which the ordered consumer waits (O4)."""
        return _Timer(self._add_wait)

    def add(self, phase: Phase, seconds: float, count: int = 1) -> None:
        """Add what was timed elsewhere."""
        self._seconds[phase] += seconds
        self._counts[phase] += count

    def _add_wait(self, seconds: float) -> None:
        self._waited += seconds

    def end(self, result: object, error: Exception | None) -> None:
        """Write the last line."""
        phases = {
            phase: {"count": self._counts[phase], "sum_ms": _ms(self._seconds[phase])}
            for phase in _PHASES
        }
        cause = error and error.__cause__
        self.log(
            "INFO" if error is None else "ERROR",
            "end",
            error=error and str(error),
            cause=cause and f"{type(cause).__name__}: {cause}",
            result=result,
            phases=phases,
            wait_ms=_ms(self._waited),
        )


class _Timer:
    """Tells ``add`` how long its block took; each source needs three, so it is no generator."""

    __slots__ = ("_add", "_started")

    def __init__(self, add: Callable[[float], None]) -> None:
        self._add = add

    def __enter__(self) -> None:
        self._started = time.monotonic()

    def __exit__(self, *_: object) -> None:
        self._add(time.monotonic() - self._started)


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 3)
