"""Growing random waits before an attempt is repeated."""

from __future__ import annotations

import random


class Backoff:
    """Full jitter: each wait is between 0 and a limit that doubles until :meth:`begin_anew`.

    So many clients that lost one server do not come back at the same moment.
    """

    def __init__(self, first_s: float, most_s: float) -> None:
        self._first_s = first_s
        self._most_s = most_s
        self._attempts = 0

    def next(self) -> float:
        # min: a power of thousands of attempts is no float any more
        limit = min(self._first_s * 2 ** min(self._attempts, 30), self._most_s)
        self._attempts += 1
        return random.uniform(0, limit)

    def begin_anew(self) -> None:
        self._attempts = 0
