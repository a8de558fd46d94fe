"""The stream's clock: it runs faster than the machine's, so that minutes take seconds."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

_MIDDAY = datetime(2024, 2, 8, 12, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Clock:
    """Counts the seconds of the stream since ``began``, a moment of the machine's clock.

    Several processes share it by its two numbers.
    """

    began: float
    speed: float

    def now(self) -> float:
        return self.at(time.time())

    def at(self, moment: float) -> float:
        """The stream's second at a moment of the machine's clock."""
        return (moment - self.began) * self.speed

    def real(self, seconds: float) -> float:
        """The machine's seconds for some of the stream."""
        return seconds / self.speed


def date_of(second: float) -> datetime:
    """The date and time that a second of the stream stands for."""
    return _MIDDAY + timedelta(seconds=second)
