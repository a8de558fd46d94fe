"""Step: journal (SPEC O2-O4). JSON lines on standard output, sums per phase.

Holds six counters; a line is written at once.
"""

import json
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

Level = Literal["DEBUG", "INFO", "WARN", "ERROR"]
Phase = Literal["list", "get", "decode", "compress", "put", "publish"]

_LEVELS = ("DEBUG", "INFO", "WARN", "ERROR")
_PHASES: tuple[Phase, ...] = ("list", "get", "decode", "compress", "put", "publish")


class Journal:
    """One invocation's log. Threads may share it; nothing follows its ``end``."""

    def __init__(self, request_id: str) -> None:
        self.level = "INFO"
        self._request_id = request_id
        self._lock = threading.Lock()
        self._ended = False
        self._counts = dict.fromkeys(_PHASES, 0)
        self._seconds = dict.fromkeys(_PHASES, 0.0)
        self._waited = 0.0

    def log(self, level: Level, event: str, **fields: object) -> None:
        """Write one line, unless the setting ``LOG_LEVEL`` is above its level."""
        if _LEVELS.index(level) < _LEVELS.index(self.level):
            return
        line = {"level": level, "event": event, "request_id": self._request_id, **fields}
        text = json.dumps(line, separators=(",", ":")) + "\n"
        with self._lock:
            if not self._ended:
                sys.stdout.write(text)
                sys.stdout.flush()

    @contextmanager
    def timed(self, phase: Phase, count: int = 1) -> Iterator[None]:
        """Add the time spent inside, and ``count``, to a phase."""
        started = time.monotonic()
        try:
            yield
        finally:
            self.add(phase, time.monotonic() - started, count)

    def add(self, phase: Phase, seconds: float, count: int = 1) -> None:
        """Add what was timed elsewhere."""
        with self._lock:
            self._seconds[phase] += seconds
            self._counts[phase] += count

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """The ordered consumer waits for a listing or a body."""
        started = time.monotonic()
        try:
            yield
        finally:
            self._waited += time.monotonic() - started

    def end(self, result: object, error: Exception | None) -> None:
        """Write the last line; what a leftover thread still says is dropped."""
        with self._lock:
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
        with self._lock:
            self._ended = True


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 3)
