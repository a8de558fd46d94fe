"""The in-memory twin of S3, and what else the tests of several steps need."""

import asyncio
import gzip
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from aggregator.attempts import Attempts, OutOfTimeError, open_attempts
from aggregator.config import Config, read_config
from aggregator.errors import BadSourceError
from aggregator.handler import Prepared
from aggregator.journal import Journal
from aggregator.store import AttemptError, Body, Listed, Page, Store, Tagged

SOURCE = "source-bucket"
DESTINATION = "destination-bucket"
REQUEST_ID = "test-request"


@dataclass
class MemoryStore:
    """Buckets as dictionaries; ``faults`` maps (operation, key) to an S3 error code."""

    page_size: int = 1000
    buckets: dict[str, dict[str, bytes]] = field(
        default_factory=lambda: {SOURCE: {}, DESTINATION: {}}
    )
    faults: Mapping[tuple[str, str], str] = field(default_factory=dict)
    requests: list[tuple[str, str]] = field(default_factory=list)
    content_types: dict[str, str] = field(default_factory=dict)

    async def list_page(self, bucket: str, prefix: str, delimiter: str, token: str | None) -> Page:
        self._request(bucket, "list", prefix)
        entries: dict[str, int | None] = {}
        for key, body in self.buckets[bucket].items():
            if key.startswith(prefix):
                end = key.find(delimiter, len(prefix)) if delimiter else -1
                entries[key if end < 0 else key[: end + 1]] = len(body) if end < 0 else None
        rest = sorted((e for e in entries if token is None or e > token), key=str.encode)
        page = rest[: self.page_size]
        sizes = [(entry, entries[entry]) for entry in page]
        return Page(
            [Listed(entry, size) for entry, size in sizes if size is not None],
            [entry for entry, size in sizes if size is None],
            page[-1] if len(rest) > len(page) else None,
        )

    async def get(self, bucket: str, key: str, limit: int) -> bytes:
        self._request(bucket, "get", key)
        body = self.buckets[bucket].get(key)
        if body is None:
            raise BadSourceError("MISSING")
        if len(body) > limit:
            raise BadSourceError("TOO_LARGE")
        return body

    async def get_tagged(self, bucket: str, key: str, limit: int) -> Tagged | None:
        self._request(bucket, "get", key)
        body = self.buckets[bucket].get(key)
        if body is None:
            return None
        return Tagged(b"" if len(body) > limit else body, etag_of(body))

    async def put(self, bucket: str, key: str, body: Body, content_type: str) -> None:
        self._request(bucket, "put", key)
        body.seek(0)
        self.buckets[bucket][key] = body.read() or b""
        self.content_types[key] = content_type

    async def put_if(
        self, bucket: str, key: str, body: Body, content_type: str, etag: str | None
    ) -> str | None:
        found = self.buckets.get(bucket, {}).get(key)
        if etag != (None if found is None else etag_of(found)):
            self._request(bucket, "put", key)
            return None
        await self.put(bucket, key, body, content_type)
        return etag_of(self.buckets[bucket][key])

    async def copy(self, bucket: str, from_key: str, to_key: str) -> None:
        self._request(bucket, "copy", to_key)
        objects = self.buckets[bucket]
        if from_key not in objects:
            raise AttemptError("404 NoSuchKey", again=False, code="NoSuchKey")
        objects[to_key] = objects[from_key]

    async def delete(self, bucket: str, key: str) -> None:
        self._request(bucket, "delete", key)
        self.buckets[bucket].pop(key, None)

    async def delete_if(self, bucket: str, key: str, etag: str) -> None:
        self._request(bucket, "delete", key)
        objects = self.buckets[bucket]
        if key in objects and etag_of(objects[key]) == etag:
            del objects[key]

    def _request(self, bucket: str, operation: str, key: str) -> None:
        self.requests.append((operation, key))
        if bucket not in self.buckets:
            raise AttemptError("404 NoSuchBucket", again=False, code="NoSuchBucket")
        code = self.faults.get((operation, key))
        if code == "NoSuchKey" and operation == "get":
            raise BadSourceError("MISSING")
        if code is not None:
            raise AttemptError(code, again=False, code=code)


@dataclass
class FakeContext:
    """Lambda's context with a fixed time left."""

    remaining_ms: int = 900_000
    aws_request_id: str = REQUEST_ID

    def get_remaining_time_in_millis(self) -> int:
        return self.remaining_ms


def in_time() -> None:
    """A look at the time, when there is enough."""


def late_after(looks: int) -> Callable[[], None]:
    """Looks at the time, of which so many find enough (E6)."""
    left = iter(range(looks))

    def look() -> None:
        if next(left, None) is None:
            raise OutOfTimeError

    return look


def etag_of(body: bytes) -> str:
    return f'"{sha256(body).hexdigest()}"'


def prepared(config: Config, store: Store) -> Prepared:
    return Prepared(config, store)


def with_attempts[T](
    work: Callable[[Attempts], Awaitable[T]],
    concurrency: int = 16,
    remaining_s: float = 60,
    journal: Journal | None = None,
) -> T:
    """What ``work`` gives in an event loop and an invocation of its own."""

    async def invocation() -> T:
        log = journal or Journal("id")
        async with open_attempts(concurrency, remaining_s, log) as attempts:
            return await work(attempts)

    return asyncio.run(invocation())


def make_config(**settings: str) -> Config:
    return read_config(
        {"SRC_BUCKET": SOURCE, "DST_BUCKET": DESTINATION, "AWS_REGION": "us-east-1"} | settings
    )


def source_body(records: Sequence[object]) -> bytes:
    """Gzip as CloudTrail delivers it."""
    return gzip.compress(json.dumps({"Records": records}, separators=(",", ":")).encode(), mtime=0)


def log_lines(output: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in output.splitlines()]
