"""The place on S3 for the day of a comparison on AWS and for the functions' output."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from harness.targets.aws.session import S3_AT_ONCE, Clients, explained
from harness.targets.aws.stack import Stack

_MOST_WAITING = 1000
_STAMP = "%Y%m%dT%H%M%SZ"
_RUN = re.compile(r"\d{8}T\d{6}Z/")


class FixtureStore:
    """Two folders below the stack's fixture prefix: ``in/`` has the day, ``out/`` the output.

    It is a ``Store``, as the local S3 server is. It ignores the names of buckets: objects are put
    into ``in/``, and read and deleted in ``out/``.
    """

    def __init__(
        self, clients: Clients, bucket: str, prefix: str, pool: ThreadPoolExecutor
    ) -> None:
        self._s3 = clients.s3
        self._bucket = bucket
        self._prefix = prefix
        self._pool = pool
        self._waiting: list[Future[None]] = []
        self._room = threading.BoundedSemaphore(_MOST_WAITING)

    def env(self, *, tls: bool = True) -> dict[str, str]:
        """Wait for all puts, then return the variables that point a function to the folders.

        Functions on AWS use TLS in any case.
        """
        self._settle()
        return {
            "SRC_BUCKET": self._bucket,
            "SRC_PREFIX": f"{self._prefix}in/",
            "DST_BUCKET": self._bucket,
            "DST_PREFIX": f"{self._prefix}out/",
        }

    def bucket_path(self, bucket: str) -> Path:
        """Only a name: the bucket is part of the stack."""
        return Path(bucket)

    def put_file(
        self, _bucket: str, key: str, body: bytes, content_encoding: str | None = None
    ) -> None:
        """Start to put an object of the day; many puts run at the same time."""
        more = {} if content_encoding is None else {"ContentEncoding": content_encoding}

        def put() -> None:
            with explained("s3:PutObject", f"bucket {self._bucket}"):
                self._s3.put_object(
                    Bucket=self._bucket, Key=f"{self._prefix}in/{key}", Body=body, **more
                )

        self._room.acquire()
        sent = self._pool.submit(put)
        sent.add_done_callback(lambda _: self._room.release())
        self._waiting.append(sent)

    def read_tree(self, _bucket: str, prefix: str = "") -> Mapping[str, bytes]:
        """key -> body of all objects that the functions wrote."""
        keys = list(self._keys(f"{self._prefix}out/{prefix}"))
        return dict(zip(keys, self._pool.map(self._read, keys), strict=True))

    def clear(self, _bucket: str) -> None:
        self._delete(f"{self._prefix}out/")

    def cpu_s(self) -> None:
        """``None``: the CPU time of S3 itself is unknown."""

    def remove(self) -> None:
        """Delete both folders."""
        self._delete(self._prefix)

    def remove_others(self, place: str) -> bool:
        """Delete the folders of killed comparisons below ``place``, and tell whether there were
        any. A stack has one comparison at a time.
        """
        with explained("s3:ListBucket", f"bucket {self._bucket}"):
            pages = self._s3.get_paginator("list_objects_v2").paginate(
                Bucket=self._bucket, Prefix=place, Delimiter="/"
            )
            folders = [each["Prefix"] for page in pages for each in page.get("CommonPrefixes", ())]
        left = [each for each in folders if _RUN.fullmatch(each.removeprefix(place))]
        for each in left:
            self._delete(each)
        return bool(left)

    def _settle(self) -> None:
        waiting, self._waiting = self._waiting, []
        for each in waiting:
            each.result()

    def _read(self, key: str) -> bytes:
        with explained("s3:GetObject", f"bucket {self._bucket}"):
            body: bytes = self._s3.get_object(Bucket=self._bucket, Key=key)["Body"].read()
            return body

    def _keys(self, prefix: str) -> Iterator[str]:
        with explained("s3:ListBucket", f"bucket {self._bucket}"):
            pages = self._s3.get_paginator("list_objects_v2")
            for page in pages.paginate(Bucket=self._bucket, Prefix=prefix):
                yield from (each["Key"] for each in page.get("Contents", ()))

    def _delete(self, prefix: str) -> None:
        keys = list(self._keys(prefix))
        for start in range(0, len(keys), 1000):
            batch: list[Any] = [{"Key": key} for key in keys[start : start + 1000]]
            with explained("s3:DeleteObject", f"bucket {self._bucket}"):
                answer = self._s3.delete_objects(
                    Bucket=self._bucket, Delete={"Objects": batch, "Quiet": True}
                )
            for error in answer.get("Errors", ()):
                raise OSError(f"{error['Key']} was not deleted: {error['Code']}")


@contextmanager
def fixture_store(
    clients: Clients, stack: Stack, progress: Callable[[str], None]
) -> Iterator[FixtureStore]:
    """A store below the prefix that the stack names. Leaving the context deletes its objects."""
    bucket, prefix = stack.output("FixtureBucket"), stack.output("FixturePrefix")
    run = datetime.now(UTC).strftime(_STAMP)
    with ThreadPoolExecutor(S3_AT_ONCE) as pool:
        store = FixtureStore(clients, bucket, f"{prefix}{run}/", pool)
        if store.remove_others(prefix):
            progress("the objects of a killed comparison are deleted")
        try:
            yield store
        finally:
            progress("deleting the comparison's objects from the bucket")
            store.remove()
