"""Step: lister (SPEC L1-L7, P4). Finds the day's folders, then gives their sources page by page.

Holds the prefixes of one day and a few pages of keys, never all keys.
"""

import re
from asyncio import Task
from collections import deque
from collections.abc import AsyncIterator, Iterable
from functools import partial
from itertools import islice

from aggregator.attempts import Attempts
from aggregator.config import Config
from aggregator.errors import AggregationError
from aggregator.journal import Journal
from aggregator.store import Listed, Page, Store
from aggregator.trigger import Day

# P4 grants ten pages ahead of the consumer: five here, five in the reader's window.
PAGES_AHEAD = 5

_ACCOUNT = re.compile(r"[0-9]{12}")
_ORGANISATION = re.compile(r"o-[a-z0-9]+")


class Lister:
    """The listings of the source bucket."""

    def __init__(self, store: Store, attempts: Attempts, config: Config, journal: Journal) -> None:
        self._store = store
        self._attempts = attempts
        self._config = config
        self._journal = journal

    async def find_day_prefixes(self, day: Day) -> list[str]:
        """One prefix per account and region, of both layouts, in byte order; or ``NO_TRAIL``."""
        root = self._config.trail_root
        below_root = await self._subfolders([root])
        organisations = [folder for folder in below_root if _has_name(_ORGANISATION, folder)]
        if day.account is None:
            candidates = below_root + await self._subfolders(organisations)
            accounts = [folder for folder in candidates if _has_name(_ACCOUNT, folder)]
        else:
            accounts = [f"{parent}{day.account}/" for parent in (root, *organisations)]
        regions = await self._subfolders([f"{account}CloudTrail/" for account in accounts])
        if not regions:
            raise AggregationError("NO_TRAIL", root)
        # Python compares text by code point, which is the order of its UTF-8 bytes.
        return sorted(f"{region}{day.folder}" for region in regions)

    async def list_pages(self, prefixes: Iterable[str]) -> AsyncIterator[list[Listed]]:
        """The sources below each prefix in turn; pages may be empty.

        While the caller works on a page, the next one of its prefix is fetched, and the first ones
        of some later prefixes.
        """
        upcoming = iter(prefixes)
        ahead: deque[tuple[str, Task[Page]]] = deque()
        while True:
            for prefix in islice(upcoming, PAGES_AHEAD - len(ahead)):
                ahead.append((prefix, self._start(prefix)))
            if not ahead:
                return
            prefix, request = ahead.popleft()
            page = await self._wait(request)
            if page.next_token is not None:
                ahead.appendleft((prefix, self._start(prefix, token=page.next_token)))
            yield [found for found in page.objects if not found.key.endswith("/")]

    async def _subfolders(self, folders: Iterable[str]) -> list[str]:
        """The folders directly below these, listed side by side."""
        pending = deque((folder, self._start(folder, "/")) for folder in folders)
        found: list[str] = []
        while pending:
            folder, request = pending.popleft()
            page = await self._wait(request)
            found += page.prefixes
            if page.next_token is not None:
                pending.append((folder, self._start(folder, "/", page.next_token)))
        return found

    def _start(self, prefix: str, delimiter: str = "", token: str | None = None) -> Task[Page]:
        bucket = self._config.src_bucket
        attempt = partial(self._store.list_page, bucket, prefix, delimiter, token)
        return self._attempts.start(self._attempts.run("list", prefix, attempt, "list"))

    async def _wait(self, request: Task[Page]) -> Page:
        with self._journal.waiting():
            return await request


def _has_name(pattern: re.Pattern[str], folder: str) -> bool:
    """Whether the last segment of a folder's path matches."""
    return pattern.fullmatch(folder.split("/")[-2]) is not None
