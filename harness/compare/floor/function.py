"""The floor's function: it lists, gets, inflates, compresses and publishes as the contract says.

It does not look for records: the whole text of each source goes into the chunks. So it does not
implement the contract. It has no retries and no log, and it leaves out a body that does not
inflate. It makes only the requests that a run over an empty destination needs.
"""

from __future__ import annotations

import json
import os
import sys
import uuid
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from types import SimpleNamespace
from typing import Any

import obstore
from isal import isal_zlib
from obstore.store import S3Store

from harness.compare.floor.inflater import inflate
from harness.compare.floor.lister import Page, Store, day_folders, list_pages
from harness.compare.floor.threads import Answer, Pool

_WINDOW_BYTES = 64 << 20  # P2
_TOP_LEVEL = 3  # isal knows 0 to 3
_IDLE_S = 5  # E9


# reqwest, the HTTP client of obstore, looks for authorities here
if "AWS_CA_BUNDLE" in os.environ:
    os.environ["SSL_CERT_FILE"] = os.environ["AWS_CA_BUNDLE"]


def _store(bucket: str) -> Store:
    return S3Store(
        bucket,
        endpoint=os.environ["AWS_ENDPOINT_URL_S3"],
        region=os.environ["AWS_REGION"],
        access_key_id=os.environ["AWS_ACCESS_KEY_ID"],
        secret_access_key=os.environ["AWS_SECRET_ACCESS_KEY"],
        virtual_hosted_style_request=False,
        unsigned_payload=True,
        client_options={"allow_http": True, "pool_idle_timeout": f"{_IDLE_S} seconds"},
        retry_config={"max_retries": 0},
    )


_source = _store(os.environ["SRC_BUCKET"])
_destination = _store(os.environ["DST_BUCKET"])
_concurrency = int(os.environ["CONCURRENCY"])
_limit = int(os.environ["MAX_SOURCE_BYTES"])
_pool = Pool(_concurrency)


def handle(event: Mapping[str, int], context: Any) -> dict[str, object]:
    """The result (O1). Its ``records`` are the number of copied sources."""
    day = f"{event['year']:04d}/{event['month']:02d}/{event['day']:02d}"
    chunks = _Chunks(f"{os.environ['DST_PREFIX']}{day}/", context.aws_request_id)
    root = f"{os.environ['SRC_PREFIX']}AWSLogs"
    folders = day_folders(_source, _pool, root, day)
    sources = bad = 0
    for body in _read_bodies(list_pages(_source, _pool, folders)):
        text = None if body is None else inflate(body, _limit)
        if text is None:
            bad += 1
        elif text:
            chunks.write(text)
        sources += 1
    return chunks.publish({"day": day.replace("/", "-"), "sources": sources, "bad": bad})


def _read_bodies(pages: Iterable[Page]) -> Iterator[bytes | None]:
    """Each body in order; ``None`` for a source that is too large or missing.

    The last body counts as held (P2) until the caller takes the next one.
    """
    window: deque[tuple[int, Answer[bytes | None] | None]] = deque()
    window_bytes = 0
    for page in pages:
        for key, size in page:
            while window and (len(window) == _concurrency or window_bytes + size > _WINDOW_BYTES):
                yield _body(window[0][1])
                window_bytes -= window.popleft()[0]
            fits = size <= _limit
            window.append((size, _pool.start(partial(_get, key)) if fits else None))
            window_bytes += size
    while window:
        yield _body(window.popleft()[1])


def _body(answer: Answer[bytes | None] | None) -> bytes | None:
    return None if answer is None else answer.wait()


def _get(key: str) -> bytes | None:
    try:
        return bytes(obstore.get(_source, key).bytes())
    except FileNotFoundError:
        return None


class _Chunks:
    """Writes texts to chunks (C3), and puts the chunks one by one under hidden names.

    A text is never split.
    """

    def __init__(self, prefix: str, request_id: str) -> None:
        self._prefix = prefix
        self._hidden = f"{prefix}_{request_id}-"
        self._size = int(os.environ["CHUNK_BYTES"])
        self._level = min(int(os.environ["GZIP_LEVEL"]), _TOP_LEVEL)
        self._chunks: list[dict[str, object]] = []
        self._begin()

    def _begin(self) -> None:
        self._compressor = isal_zlib.compressobj(self._level, wbits=31)
        self._compressed: list[bytes] = []
        self._texts = self._bytes = 0

    def write(self, text: bytes) -> None:
        self._compressed.append(self._compressor.compress(text))
        self._texts += 1
        self._bytes += len(text)
        if self._bytes >= self._size:
            self._put()

    def _put(self) -> None:
        self._compressed.append(self._compressor.flush())
        name = f"{len(self._chunks) + 1:06d}.ndjson.gz"
        body = b"".join(self._compressed)
        # by a thread of the pool, so that at most CONCURRENCY requests are in flight (P1)
        _pool.start(lambda: _put(self._hidden + name, body, "application/gzip")).wait()
        self._chunks.append(
            {"key": self._prefix + name, "records": self._texts, "bytes": self._bytes}
        )
        self._begin()

    def publish(self, counts: Mapping[str, object]) -> dict[str, object]:
        """Copy, put the manifest, delete the hidden chunks (W4, W6, W7)."""
        if self._texts:
            self._put()
        keys = [str(chunk["key"]) for chunk in self._chunks]
        hidden = [self._hidden + key.removeprefix(self._prefix) for key in keys]
        for one, key in zip(reversed(hidden), reversed(keys), strict=True):
            obstore.copy(_destination, one, key)
        result = {
            **counts,
            "records": sum(int(str(chunk["records"])) for chunk in self._chunks),
            "bytes": sum(int(str(chunk["bytes"])) for chunk in self._chunks),
            "chunks": len(keys),
            "deleted": 0,
        }
        manifest = json.dumps({"result": result, "chunks": self._chunks})
        _put(f"{self._prefix}_manifest.json", manifest.encode(), "application/json")
        deletions = [_pool.start(partial(obstore.delete, _destination, one)) for one in hidden]
        for deletion in deletions:
            deletion.wait()
        return result


def _put(key: str, body: bytes, content_type: str) -> None:
    attributes = {"Content-Type": content_type}
    obstore.put(_destination, key, body, attributes=attributes, use_multipart=False)


if __name__ == "__main__":  # as a task, with the lines of its log that the harness reads (O2)
    print(json.dumps({"event": "start"}), flush=True)
    made = handle(json.loads(sys.argv[1]), SimpleNamespace(aws_request_id=str(uuid.uuid4())))
    print(json.dumps({"event": "end", "error": None, "result": made}), flush=True)
