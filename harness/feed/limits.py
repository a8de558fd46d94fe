"""The limits of Kinesis's shards, before a Kinesis that has none.

ministack takes all that comes. This server knows PutRecords and PutRecord, lets each shard take
what it may, and answers for the rest as Kinesis does: in PutRecords with an error of the single
record, in PutRecord with the status 400. All else goes through.

A bucket of tokens for each limit is a model. How much Kinesis lets through in the first moment of a
burst is not documented; here it is the limit of one second.
"""

from __future__ import annotations

import base64
import hashlib
import http.client
import sys
import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

import msgspec

#: Of one shard in one second, by AWS's documentation of PutRecords.
SHARD_RECORDS, SHARD_BYTES = 1_000, 1_000_000
_HASHES = 2**128
_THROTTLED = "ProvisionedThroughputExceededException"
_NOT_PASSED_ON = {"host", "content-length", "connection", "transfer-encoding"}
_TIMEOUT_S = 60


class Bucket:
    """Tokens that come back at a ``rate``, up to those of one second.

    A record may take more than there are, and those behind it wait: else one that is larger than
    the bucket could never pass.
    """

    def __init__(self, rate: float, now: float) -> None:
        self._rate = rate
        self._tokens = rate
        self._filled_at = now

    def has(self, now: float) -> bool:
        self._tokens = min(self._rate, self._tokens + (now - self._filled_at) * self._rate)
        self._filled_at = now
        return self._tokens > 0

    def take(self, amount: float) -> None:
        self._tokens -= amount


class ShardLimits:
    """Both limits of each shard. ``share`` makes them smaller, ``now`` is the stream's clock."""

    def __init__(self, shards: int, share: float, now: Callable[[], float]) -> None:
        self._now = now
        began = now()
        self._shards = [
            (Bucket(SHARD_RECORDS * share, began), Bucket(SHARD_BYTES * share, began))
            for _ in range(shards)
        ]

    def shard_of(self, key: str) -> int:
        """Equal ranges of the key's MD5, as a new stream has them."""
        digest = int.from_bytes(hashlib.md5(key.encode(), usedforsecurity=False).digest())
        return min(digest // (_HASHES // len(self._shards)), len(self._shards) - 1)

    def admit(self, records: Sequence[tuple[str, int]]) -> list[bool]:
        """Take the tokens of each record, by key and size, if its shard has some of both.

        A request is one moment: after a refusal its shard refuses all later records of the request.
        """
        now = self._now()
        return [self._admits(key, size, now) for key, size in records]

    def _admits(self, key: str, size: int, now: float) -> bool:
        records, bytes_ = self._shards[self.shard_of(key)]
        if not (records.has(now) and bytes_.has(now)):
            return False
        records.take(1)
        bytes_.take(size)
        return True


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes


class LimitedKinesis:
    """A context manager around the server. ``upstream`` is the port of the Kinesis behind it."""

    def __init__(self, upstream: int, limits: ShardLimits) -> None:
        self._upstream = upstream
        self._limits = limits
        self._lock = threading.Lock()
        self.counts: Counter[str] = Counter()
        handler = type("BoundHandler", (_Handler,), {"kinesis": self})
        self._server = _Server(("127.0.0.1", 0), handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def port(self) -> int:
        return self._server.server_port

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def answer(self, headers: Mapping[str, str], body: bytes) -> Answer:
        operation = headers.get("x-amz-target", "").rpartition(".")[2]
        if operation == "PutRecords":
            return self._put_records(headers, msgspec.json.decode(body))
        if operation == "PutRecord":
            return self._put_record(headers, msgspec.json.decode(body), body)
        return self._ask(headers, body)

    def _put_records(self, headers: Mapping[str, str], asked: dict[str, Any]) -> Answer:
        admitted = self._admit(asked["Records"])
        self.counts["requests"] += 1
        passed = [each for each, admit in zip(asked["Records"], admitted, strict=True) if admit]
        results: list[dict[str, object]] = []
        if passed:
            answer = self._ask(headers, msgspec.json.encode({**asked, "Records": passed}))
            if answer.status != 200:
                return answer
            results = msgspec.json.decode(answer.body)["Records"]
        taken = iter(results)
        merged = [
            next(taken) if admit else self._error(each["PartitionKey"])
            for each, admit in zip(asked["Records"], admitted, strict=True)
        ]
        body = {"FailedRecordCount": admitted.count(False), "Records": merged}
        return _json(200, body)

    def _put_record(self, headers: Mapping[str, str], asked: dict[str, Any], body: bytes) -> Answer:
        self.counts["requests"] += 1
        if self._admit([asked]) == [True]:
            return self._ask(headers, body)
        error = self._error(asked["PartitionKey"])
        return _json(400, {"__type": _THROTTLED, "message": error["ErrorMessage"]})

    def _admit(self, records: Sequence[Mapping[str, str]]) -> list[bool]:
        sizes = [(each["PartitionKey"], _size(each)) for each in records]
        with self._lock:
            admitted = self._limits.admit(sizes)
            self.counts["throttled"] += admitted.count(False)
        return admitted

    def _error(self, key: str) -> dict[str, object]:
        shard = f"shardId-{self._limits.shard_of(key):012d}"
        return {"ErrorCode": _THROTTLED, "ErrorMessage": f"Rate exceeded for shard {shard}"}

    def _ask(self, headers: Mapping[str, str], body: bytes) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self._upstream, timeout=_TIMEOUT_S)
        try:
            kept = {name: each for name, each in headers.items() if name not in _NOT_PASSED_ON}
            connection.request("POST", "/", body, kept)
            answer = connection.getresponse()
            return Answer(answer.status, dict(answer.getheaders()), answer.read())
        finally:
            connection.close()


def _size(record: Mapping[str, str]) -> int:
    return len(base64.b64decode(record["Data"])) + len(record["PartitionKey"].encode())


def _json(status: int, body: object) -> Answer:
    return Answer(status, {"Content-Type": "application/x-amz-json-1.1"}, msgspec.json.encode(body))


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """A connection that was cut is a part of the play."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


class _Handler(BaseHTTPRequestHandler):
    kinesis: LimitedKinesis
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        headers = {name.lower(): each for name, each in self.headers.items()}
        length = int(headers.get("content-length", "0"))
        body = self.rfile.read(length)
        if len(body) < length:  # the client's connection was cut
            self.close_connection = True
            return
        answer = self.kinesis.answer(headers, body)
        self.send_response(answer.status)
        for name, each in answer.headers.items():
            if name.lower() not in (*_NOT_PASSED_ON, "date", "server"):
                self.send_header(name, each)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        self.wfile.write(answer.body)

    def log_message(self, *_: object) -> None:
        pass
