"""Step: publisher (SPEC W2-W10). A finished run's hidden chunks become the day's content.

Holds a name and two counts of each chunk, and the keys of the chunks below the day prefix.
"""

import asyncio
import json
import re
from collections.abc import Awaitable, Callable, Container
from functools import partial
from io import BytesIO

from aggregator.attempts import Attempts
from aggregator.config import Config
from aggregator.errors import AggregationError, BadSourceError
from aggregator.journal import Result
from aggregator.store import Store
from aggregator.trigger import STRICT_JSON, Day, integer_of
from aggregator.writer import Chunk

# group 1 is there in the name of a hidden chunk
_CHUNK_NAME = re.compile(r"(?s:(_.*-)?)([0-9]{6}|[1-9][0-9]{6,})\.ndjson\.gz")
_MANIFEST = "_manifest.json"
_MANIFEST_LIMIT = 64 << 20


class Publisher:
    """Publishes below one day prefix."""

    def __init__(self, store: Store, attempts: Attempts, config: Config, day: Day) -> None:
        self._store = store
        self._attempts = attempts
        self._bucket = config.dst_bucket
        self._concurrency = config.concurrency
        self._day = day
        self._prefix = day.prefix(config.dst_prefix)

    async def publish(self, chunks: list[Chunk], sources: int, bad: int) -> Result:
        """Make this run's chunks the day's (W2-W7).

        Raise ``FEWER_SOURCES`` where records would be lost, ``BAD_MANIFEST`` where nobody can tell.
        """
        await self._check_manifest(sources - bad)
        self._attempts.finish_whatever_the_time()
        published, hidden = await self._list_chunks()
        await self._copy(chunks, published)
        surplus = [key for key, number in published.items() if number > len(chunks)]
        await self._for_each(surplus, self._delete)
        result = Result(
            day=self._day.date.isoformat(),
            sources=sources,
            bad=bad,
            records=sum(chunk.records for chunk in chunks),
            bytes=sum(chunk.bytes for chunk in chunks),
            chunks=len(chunks),
            deleted=len(surplus),
        )
        await self._put_manifest(result, chunks)
        await self._for_each(hidden, self._delete)
        return result

    async def _check_manifest(self, readable: int) -> None:
        key = self._prefix + _MANIFEST
        attempt = partial(self._store.get, self._bucket, key, _MANIFEST_LIMIT)
        try:
            published = _readable_sources(await self._attempts.run("get", key, attempt))
        except BadSourceError as bad:
            published = 0 if bad.code == "MISSING" else None
        if self._day.force:
            return
        if published is None:
            raise AggregationError("BAD_MANIFEST", key)
        if published > readable:
            counts = f"published {published}, readable {readable}"
            raise AggregationError("FEWER_SOURCES", counts)

    async def _list_chunks(self) -> tuple[dict[str, int], list[str]]:
        """The published chunks with their numbers, and the hidden ones (W8)."""
        published: dict[str, int] = {}
        hidden: list[str] = []
        token = None
        while True:
            attempt = partial(self._store.list_page, self._bucket, self._prefix, "/", token)
            page = await self._attempts.run("list", self._prefix, attempt)
            for key, _ in page.objects:
                match = _CHUNK_NAME.fullmatch(key, len(self._prefix))
                if match and match[1]:
                    hidden.append(key)
                elif match:
                    published[key] = int(match[2])
            token = page.next_token
            if token is None:
                return published, hidden

    async def _put_manifest(self, result: Result, chunks: list[Chunk]) -> None:
        entries = [
            {"key": self._prefix + chunk.name, "records": chunk.records, "bytes": chunk.bytes}
            for chunk in chunks
        ]
        manifest = {"result": result._asdict(), "chunks": entries}
        body = BytesIO(json.dumps(manifest, separators=(",", ":")).encode())
        key = self._prefix + _MANIFEST
        attempt = partial(self._store.put, self._bucket, key, body, "application/json")
        await self._attempts.run("put", key, attempt)

    async def _copy(self, chunks: list[Chunk], published: Container[str]) -> None:
        """New numbers side by side, then replacements downwards: no record is missing (W4)."""
        hidden_keys = {self._prefix + chunk.name: chunk.hidden_key for chunk in chunks}

        async def copy(key: str) -> None:
            attempt = partial(self._store.copy, self._bucket, hidden_keys[key], key)
            await self._attempts.run("copy", key, attempt)

        await self._for_each([key for key in hidden_keys if key not in published], copy)
        for key in reversed(hidden_keys):
            if key in published:
                await copy(key)

    async def _delete(self, key: str) -> None:
        attempt = partial(self._store.delete, self._bucket, key)
        await self._attempts.run("delete", key, attempt)

    async def _for_each(self, keys: list[str], request: Callable[[str], Awaitable[None]]) -> None:
        """Side by side. After a failure none begins, and none is left in flight (E4, W9)."""
        waiting = keys.copy()

        async def work() -> None:
            try:
                while waiting:
                    await request(waiting.pop())
            finally:
                waiting.clear()

        workers = (work() for _ in range(self._concurrency))
        for ended in await asyncio.gather(*workers, return_exceptions=True):
            if ended is not None:
                raise ended


def _readable_sources(manifest: bytes) -> int | None:
    """How many readable sources a manifest has; ``None`` when it is not a manifest."""
    try:
        result = STRICT_JSON.decode(manifest.decode())["result"]
        sources, bad = integer_of(result["sources"]), integer_of(result["bad"])
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    if sources is None or bad is None or not (0 <= sources <= 2**53 and 0 <= bad <= 2**53):
        return None
    return sources - bad
