"""Step: reader (SPEC R1, R2, P2, P4). Fetches bodies ahead and hands them on in key order.

Holds the bodies of one window, as stored.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from functools import partial
from typing import NamedTuple

from aggregator.attempts import Attempts, Request
from aggregator.config import Config
from aggregator.errors import BadSourceError
from aggregator.journal import Journal
from aggregator.lister import PAGES_AHEAD
from aggregator.store import Listed, Store

WINDOW_BYTES = 64 << 20


class _Fetch(NamedTuple):
    source: Listed
    page: int
    body: Request[bytes] | None  # None: too large by its listed size, not asked for


class Reader:
    """The ordered window over the day's sources."""

    def __init__(self, store: Store, attempts: Attempts, config: Config, journal: Journal) -> None:
        self._store = store
        self._attempts = attempts
        self._config = config
        self._journal = journal
        self._window: deque[_Fetch] = deque()
        self._window_bytes = 0

    def read_bodies(
        self, pages: Iterable[list[Listed]]
    ) -> Iterator[tuple[Listed, bytes | BadSourceError]]:
        """Each source in order with its body as stored, or what is wrong with it.

        The body given last counts as held: no request starts before the next one is asked for.
        """
        for number, page in enumerate(pages):
            while self._window and number - self._window[0].page >= PAGES_AHEAD:
                yield self._take()
            for source in page:
                while not self._has_room(source):
                    yield self._take()
                self._fetch(source, number)
        while self._window:
            yield self._take()

    def _has_room(self, source: Listed) -> bool:
        if not self._window:
            return True
        fits = self._window_bytes + source.size <= WINDOW_BYTES
        return fits and len(self._window) < self._config.concurrency

    def _fetch(self, source: Listed, page: int) -> None:
        limit = self._config.max_source_bytes
        body = None
        if source.size <= limit:
            what = self._config.src_bucket, source.key, limit
            attempt, begin = partial(self._store.get, *what), partial(self._store.begin_get, *what)
            body = self._attempts.start("get", source.key, attempt, "get", begin)
        self._window.append(_Fetch(source, page, body))
        self._window_bytes += source.size

    def _take(self) -> tuple[Listed, bytes | BadSourceError]:
        source, _, request = self._window.popleft()
        self._window_bytes -= source.size
        if request is None:
            return source, BadSourceError("TOO_LARGE")
        try:
            with self._journal.waiting():
                return source, self._attempts.wait(request)
        except BadSourceError as bad:
            return source, bad
