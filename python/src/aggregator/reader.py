"""Step: reader (SPEC R1, R2, R9, P2). Fetches bodies ahead and hands them on in key order.

Holds the bodies of one window, as stored.
"""

from asyncio import Task
from collections import deque
from collections.abc import AsyncIterable, AsyncIterator
from functools import partial
from typing import NamedTuple

from aggregator.attempts import Attempts
from aggregator.config import Config
from aggregator.errors import BadSourceError
from aggregator.journal import Journal
from aggregator.lister import PAGES_AHEAD
from aggregator.store import Listed, Store

WINDOW_BYTES = 64 << 20

type Read = bytes | BadSourceError  #: a body as stored, or the fault in its place


class _Fetch(NamedTuple):
    source: Listed
    page: int
    body: Task[Read] | None  # None: too large by its listed size, not requested


class Reader:
    """The ordered window over the day's sources."""

    def __init__(self, store: Store, attempts: Attempts, config: Config, journal: Journal) -> None:
        self._store = store
        self._attempts = attempts
        self._config = config
        self._journal = journal
        self._window: deque[_Fetch] = deque()
        self._window_bytes = 0

    async def read_bodies(
        self, pages: AsyncIterable[list[Listed]]
    ) -> AsyncIterator[tuple[Listed, Read]]:
        """Each source in order with its body, or with its fault.

        While the caller works on a body, no request begins: the body still fills its place (P2).
        """
        page_number = 0
        async for page in pages:
            # The oldest page in the window is at most so many pages old (P4).
            while self._window and page_number - self._window[0].page >= PAGES_AHEAD:
                yield await self._take()
            for source in page:
                while not self._has_room(source):
                    yield await self._take()
                self._fetch(source, page_number)
            page_number += 1
        while self._window:
            yield await self._take()

    def _has_room(self, source: Listed) -> bool:
        if not self._window:
            return True
        fits = self._window_bytes + source.size <= WINDOW_BYTES
        return fits and len(self._window) < self._config.concurrency

    def _fetch(self, source: Listed, page: int) -> None:
        too_large = source.size > self._config.max_source_bytes
        body = None if too_large else self._attempts.start(self._read(source.key))
        self._window.append(_Fetch(source, page, body))
        self._window_bytes += source.size

    async def _read(self, key: str) -> Read:
        bucket, limit = self._config.src_bucket, self._config.max_source_bytes
        attempt = partial(self._store.get, bucket, key, limit)
        try:
            return await self._attempts.run("get", key, attempt, "get")
        except BadSourceError as bad:
            return bad

    async def _take(self) -> tuple[Listed, Read]:
        source, _, body = self._window.popleft()
        self._window_bytes -= source.size
        if body is None:
            return source, BadSourceError("TOO_LARGE")
        with self._journal.waiting():
            return source, await body
