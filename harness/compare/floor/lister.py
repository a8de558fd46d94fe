"""Lists a day's sources in key order (L1, L2, L6), several folders at a time.

obstore strips the final ``/`` of a key. So the folders are sorted with a ``/``, and a folder
marker would look like a missing source.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

import obstore

from harness.compare.floor.threads import Answer, Pool

_ACCOUNT = re.compile(r".*/[0-9]{12}")
_ORGANISATION = re.compile(r".*/o-[a-z0-9]+")
_PAGE = 1000
_PAGES_AHEAD = 8

type Store = Any  # obstore.store.S3Store
type Page = list[tuple[str, int]]  # key, size


def day_folders(store: Store, pool: Pool, root: str, day: str) -> list[str]:
    """The day's folder of every account and region below ``root``, in byte order; ``day`` is
    ``yyyy/mm/dd``.
    """
    below = _subfolders(store, pool, [root])
    below += _subfolders(store, pool, filter(_ORGANISATION.fullmatch, below))
    accounts = filter(_ACCOUNT.fullmatch, below)
    regions = _subfolders(store, pool, (f"{account}/CloudTrail" for account in accounts))
    return sorted(f"{region}/{day}/" for region in regions)


def _subfolders(store: Store, pool: Pool, folders: Iterable[str]) -> list[str]:
    def of(folder: str) -> Answer[list[str]]:
        list_folder = obstore.list_with_delimiter
        return pool.start(lambda: list_folder(store, folder)["common_prefixes"])

    answers = [of(folder) for folder in folders]
    return [found for answer in answers for found in answer.wait()]


def list_pages(store: Store, pool: Pool, folders: Iterable[str]) -> Iterator[Page]:
    """The pages of each folder in turn; some pages are requested ahead."""
    upcoming = iter(folders)
    ahead: deque[tuple[Any, Answer[Page]]] = deque()

    def ask(stream: Any) -> tuple[Any, Answer[Page]]:
        return stream, pool.start(
            lambda: [(found["path"], found["size"]) for found in next(stream, ())]
        )

    while True:
        for folder in islice(upcoming, _PAGES_AHEAD - len(ahead)):
            ahead.append(ask(obstore.list(store, folder, chunk_size=_PAGE)))
        if not ahead:
            return
        stream, answer = ahead.popleft()
        page = answer.wait()
        if len(page) == _PAGE:
            ahead.appendleft(ask(stream))
        yield page
