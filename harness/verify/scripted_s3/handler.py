"""S3's protocol as far as the contract goes: five operations over HTTP, on a scene in memory."""

from __future__ import annotations

import base64
import contextlib
import re
import select
import socket
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from hashlib import md5, sha1, sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BufferedReader, BytesIO
from typing import Any, Literal, Protocol
from urllib.parse import parse_qs, quote, quote_plus, unquote, unquote_plus, urlsplit
from xml.sax.saxutils import escape
from zlib import crc32

from harness.verify.scripted_s3.scene import PATIENCE_S, Fault, Request, Scene, Stored

STALL_LIMIT_S = 60.0


class S3(Protocol):
    """The part of a server that its handler needs."""

    scene: Scene
    page: int
    delay_s: float
    accepts: Callable[[str, str], bool]
    hold: Callable[[str, Request], AbstractContextManager[None]]


@dataclass(slots=True)
class _Connection:
    """The next request of a connection is awaited, being read, or known to its scene."""

    address: object
    state: Literal["awaited", "read", "known"] = "awaited"

    def may_hide_a_request(self, connection: socket.socket) -> bool:
        if self.state != "awaited":
            return self.state == "read"
        try:
            return bool(select.select([connection], [], [], 0)[0])
        except (OSError, ValueError):
            return False  # closed meanwhile


class Server(ThreadingHTTPServer):
    """A thread for each connection; they end with the process."""

    daemon_threads = True
    request_queue_size = 512

    def __init__(self, address: tuple[str, int], handler: type[Handler]) -> None:
        super().__init__(address, handler)
        self.connections: dict[socket.socket, _Connection] = {}

    def process_request(self, request: Any, client_address: Any) -> None:
        self.connections[request] = _Connection(client_address)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self.connections.pop(request, None)
        super().shutdown_request(request)

    def settle(self) -> None:
        """Return when every request that was sent before this call is known to its scene.

        Raises ``TimeoutError`` after 10 s.
        """
        host, port = self.server_address[:2]
        end = time.monotonic() + PATIENCE_S
        # Connections are accepted in the order in which they came: this one is the last.
        with socket.create_connection((str(host), port)) as last:
            while time.monotonic() < end:
                known = list(self.connections.items())
                accepted = any(c.address == last.getsockname() for _, c in known)
                if accepted and not any(c.may_hide_a_request(s) for s, c in known):
                    return
                time.sleep(0.001)
        raise TimeoutError("a request that was sent is not read")

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is part of the play, all else a fault of ours."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class Handler(BaseHTTPRequestHandler):
    """Answers one connection's requests; ``s3`` is bound by a subclass."""

    s3: S3
    server: Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def log_message(self, format: str, *args: object) -> None:
        pass

    def handle_expect_100(self) -> bool:
        proceed = super().handle_expect_100()
        self.wfile.flush()  # the client waits for it
        return proceed

    def do_GET(self) -> None:
        self._serve("GET")

    def do_PUT(self) -> None:
        self._serve("PUT")

    def do_DELETE(self) -> None:
        self._serve("DELETE")

    def do_POST(self) -> None:
        self._serve("POST")

    def do_HEAD(self) -> None:
        self._serve("HEAD")

    def handle_one_request(self) -> None:
        connection = self.server.connections[self.request]
        connection.state = "awaited"
        select.select([self.request], [], [])
        connection.state = "read"
        super().handle_one_request()

    def parse_request(self) -> bool:
        """A head that breaks off is no request. ``http.server`` would take it as a whole one."""
        lines: list[bytes] = []
        while not lines or lines[-1] not in (b"\r\n", b"\n"):
            if not (line := self.rfile.readline()):
                self.close_connection = True
                return False
            lines.append(line)
        connection, self.rfile = self.rfile, BufferedReader(BytesIO(b"".join(lines)))
        try:
            return super().parse_request()
        finally:
            self.rfile = connection

    def _serve(self, method: str) -> None:
        scene = self.s3.scene
        with scene.lock:
            scene.arrivals += 1
            scene.in_flight += 1
            scene.most_in_flight = max(scene.most_in_flight, scene.in_flight)
            scene.arrived.notify_all()
        self.server.connections[self.request].state = "known"
        self.fault: Fault | None = None
        self.given_back = False
        self.answering = scene
        self.log = scene.requests  # of the step in which the request came, not of its answer's
        try:
            self._route(method, scene)
            self.wfile.flush()
        finally:
            self._give_back()

    def _give_back(self) -> None:
        """The request is over: called before the last byte leaves, or a client would be faster."""
        if not self.given_back:
            self.given_back = True
            with self.answering.lock:
                self.answering.in_flight -= 1

    def _route(self, method: str, scene: Scene) -> None:
        url = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(url.query, True).items()}
        body = self._read_body()
        self.code = ""
        self.request_seen = request = self._identify(method, url.path, query, body)
        found = re.search(r"Credential=([^/]+)/", self.headers.get("authorization", ""))
        self.access_key = found[1] if found else ""
        with self.s3.hold(self.access_key, request):
            self._carry_out(scene, request, query, body)

    def _carry_out(
        self, scene: Scene, request: Request, query: Mapping[str, str], body: bytes
    ) -> None:
        self.fault = fault = scene.fault(request.operation, request.key)
        if fault and fault.beside:
            scene.wait_for(fault.beside)
        if refusal := self._refusal(fault, body):
            return self._refuse(*refusal)
        if fault and fault.kind == "reset":
            self._log(None)
            return self._hang_up()
        if fault and fault.kind == "forbidden-page":
            return self._answer(403, b"Forbidden", {"Content-Type": "text/plain"})
        if fault and fault.kind == "other":
            return self._answer(200, b"<Other/>", {"Content-Type": "application/xml"})
        time.sleep(self.s3.delay_s)
        objects = scene.buckets.get(request.bucket)
        if objects is None:
            return self._refuse(404, "NoSuchBucket")
        if request.operation in ("put", "delete"):
            return self._write(objects, request, body)
        match request.operation:
            case "list":
                return self._list(objects, query)
            case "get":
                return self._get(objects.get(request.key))
            case "copy":
                return self._copy(scene, objects, request)
        return self._refuse(405, "MethodNotAllowed")

    def _identify(self, method: str, path: str, query: Mapping[str, str], body: bytes) -> Request:
        bucket, _, raw_key = path.lstrip("/").partition("/")
        key, detail = unquote(raw_key), ""
        copied_from = self.headers.get("x-amz-copy-source")
        operation = {"GET": "get", "PUT": "put", "DELETE": "delete"}.get(method, method)
        if operation == "get" and "list-type" in query:
            operation, key = "list", query.get("prefix", "")
            detail = query.get("continuation-token", "")
        elif operation == "put" and copied_from:
            operation, detail = "copy", unquote_plus(copied_from).lstrip("/")
        elif operation == "put" and key.endswith("/_claim.json"):
            detail = body.decode(errors="replace")
        headers = ("If-None-Match", "If-Match")
        condition = next((f"{h}: {self.headers[h]}" for h in headers if h in self.headers), "")
        encoding = _stored_encoding(self.headers.get("content-encoding"))
        content_type = self.headers.get("content-type")
        checksum = self.checksum[0]
        return Request(
            operation, bucket, key, detail, None, content_type, encoding, condition, checksum
        )

    def _refusal(self, fault: Fault | None, body: bytes) -> tuple[int, str] | None:
        if not self.access_key:
            return 403, "AccessDenied"
        if not self.s3.accepts(self.access_key, self.headers.get("x-amz-security-token", "")):
            return 400, "ExpiredToken"
        if fault and fault.status is not None:
            return fault.status, fault.code or "Error"
        name, value = self.checksum
        if name and value != base64.b64encode(_CHECKSUMS[name](body)).decode():
            return 400, "BadDigest"
        return None

    def _read_body(self) -> bytes:
        length = int(self.headers.get("content-length") or 0)
        self.checksum = ("", "")
        if self.headers.get("expect", "").lower() == "100-continue" and length == 0:
            return b""
        body = self.rfile.read(length)
        if len(body) < length:
            raise ConnectionAbortedError("the request breaks off in its body")
        trailers: Mapping[str, str] = {}
        if self.headers.get("x-amz-content-sha256", "").startswith("STREAMING-"):
            body, trailers = _unframed(body)
        self.checksum = _checksum({**dict(self.headers.items()), **trailers})
        return body

    def _list(self, objects: Mapping[str, Stored], query: Mapping[str, str]) -> None:
        prefix, delimiter = query.get("prefix", ""), query.get("delimiter", "")
        token = query.get("continuation-token")
        after = base64.urlsafe_b64decode(token).decode() if token else query.get("start-after", "")
        entries: dict[str, int | None] = {}
        with self.answering.lock:
            for key, stored in objects.items():
                if key.startswith(prefix):
                    end = key.find(delimiter, len(prefix)) if delimiter else -1
                    entry = key if end < 0 else key[: end + len(delimiter)]
                    entries[entry] = len(stored.body) if end < 0 else None
        limit = min(int(query.get("max-keys", self.s3.page)), self.s3.page)
        rest = sorted((e for e in entries if e.encode() > after.encode()), key=str.encode)
        page, more = rest[:limit], len(rest) > limit
        kind = self.fault.kind if self.fault else None
        plain = kind in ("encoding-ignored", "no-key")
        by_url = query.get("encoding-type") == "url" and not plain

        def text(value: str) -> str:
            return quote_plus(value, safe="/*") if by_url else escape(value)

        parts = [
            '<?xml version="1.0" encoding="UTF-8"?>',
            '<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">',
            f"<Name>{escape(self.request_seen.bucket)}</Name>",
            f"<Prefix>{text(prefix)}</Prefix><KeyCount>{len(page)}</KeyCount>",
            f"<MaxKeys>{limit}</MaxKeys>",
        ]
        if kind != "no-is-truncated":
            parts.append(f"<IsTruncated>{str(more or kind == 'no-token').lower()}</IsTruncated>")
        if by_url:
            parts.append("<EncodingType>url</EncodingType>")
        if delimiter:
            parts.append(f"<Delimiter>{text(delimiter)}</Delimiter>")
        if more and kind != "no-token":
            following = base64.urlsafe_b64encode(page[-1].encode()).decode()
            parts.append(f"<NextContinuationToken>{following}</NextContinuationToken>")
        for entry in page:
            size: int | str | None = entries[entry]
            if size is None:
                name = "" if kind == "no-key" else f"<Prefix>{text(entry)}</Prefix>"
                parts.append(f"<CommonPrefixes>{name}</CommonPrefixes>")
            else:
                if kind == "foreign-key":
                    entry = f"foreign/{entry}"
                size = "-1" if kind == "negative-size" else size
                size = "" if kind == "no-size" else f"<Size>{size}</Size>"
                name = "" if kind == "no-key" else f"<Key>{text(entry)}</Key>"
                parts.append(
                    f"<Contents>{name}{size}"
                    "<LastModified>2024-02-08T00:00:00.000Z</LastModified>"
                    "<StorageClass>STANDARD</StorageClass></Contents>"
                )
        parts.append("</ListBucketResult>")
        self._answer(200, "".join(parts).encode(), {"Content-Type": "application/xml"})

    def _write(self, objects: dict[str, Stored], request: Request, body: bytes) -> None:
        """Put or delete, if the condition holds; both in one step, as S3 does it."""
        with self.answering.lock:
            refusal = _unmet(request.condition, objects.get(request.key))
            if refusal is None and request.operation == "put":
                kept = Stored(body, request.content_type, request.content_encoding)
                objects[request.key] = kept
            elif refusal is None:
                objects.pop(request.key, None)
        if refusal is not None:
            return self._refuse(*refusal)
        if request.operation == "put":
            return self._answer(200, b"", {"ETag": _etag(body)})
        return self._answer(204, b"")

    def _get(self, stored: Stored | None) -> None:
        if stored is None:
            return self._refuse(404, "NoSuchKey")
        headers = {
            "ETag": _etag(stored.body),
            "Content-Type": stored.content_type or "binary/octet-stream",
            "Last-Modified": "Thu, 08 Feb 2024 00:00:00 GMT",
        }
        if stored.content_encoding:
            headers["Content-Encoding"] = stored.content_encoding
        return self._answer(200, stored.body, headers)

    def _copy(self, scene: Scene, objects: dict[str, Stored], request: Request) -> None:
        bucket, _, source_key = request.detail.partition("/")
        with self.answering.lock:
            stored = scene.buckets.get(bucket, {}).get(source_key)
            if stored is not None:
                objects[request.key] = stored
        if stored is None:
            return self._refuse(404, "NoSuchKey")
        hidden = self.fault is not None and self.fault.kind == "no-etag"
        etag = "" if hidden else f"<ETag>{escape(_etag(stored.body))}</ETag>"
        body = (
            f'<?xml version="1.0" encoding="UTF-8"?><CopyObjectResult>{etag}'
            "<LastModified>2024-02-08T00:00:00.000Z</LastModified></CopyObjectResult>"
        )
        return self._answer(200, body.encode(), {"Content-Type": "application/xml"})

    def _refuse(self, status: int, code: str) -> None:
        body = (
            f'<?xml version="1.0" encoding="UTF-8"?><Error><Code>{escape(code)}</Code>'
            f"<Message>scripted</Message><Resource>{quote(self.path)}</Resource>"
            "<RequestId>scripted</RequestId></Error>"
        )
        self.code = code
        self._answer(status, body.encode(), {"Content-Type": "application/xml"})

    def _answer(self, status: int, body: bytes, headers: Mapping[str, str] | None = None) -> None:
        headers = headers or {}
        match self.fault.kind if self.fault and status < 300 else None:
            case "short" | "stall" as kind:
                return self._break_off(status, body, headers, kind)
            case "lost":
                self._log(None)
                return self._hang_up()
            case "cut":
                return self._cut_off(status, body, headers)
            case "chunked":
                return self._answer_in_chunks(status, body, headers)
            case "unannounced":  # neither a length nor chunks: the body ends with the connection
                self._head(status, None, {**headers, "Connection": "close"})
                self.wfile.write(body)
                self.wfile.flush()
                return self._hang_up()
            case "no-etag":
                headers = {name: value for name, value in headers.items() if name != "ETag"}
            case "odd-header":
                headers = {**headers, "x-amz-meta-note": "caf\xe9 \xff"}
        self._head(status, len(body), headers)
        self._give_back()
        if self.command != "HEAD" and status != 204:
            self.wfile.write(body)
        return None

    def _cut_off(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
        """The beginning of the answer, as long as the fault's ``at`` says."""
        assert self.fault is not None
        connection, self.wfile = self.wfile, BytesIO()
        self._head(status, len(body), headers)
        head = self.wfile.getvalue()
        self.wfile = connection
        at = len(head) if self.fault.at == "body" else int(self.fault.at)
        self.wfile.write((head + body)[:at])
        self.wfile.flush()
        self._hang_up()

    def _answer_in_chunks(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
        self._head(status, None, {**headers, "Transfer-Encoding": "chunked"})
        half = len(body) // 2
        for part in (body[:half], body[half:]):
            if part:
                self.wfile.write(b"%x\r\n%s\r\n" % (len(part), part))
        self._give_back()
        self.wfile.write(b"0\r\n\r\n")

    def _break_off(self, status: int, body: bytes, headers: Mapping[str, str], kind: str) -> None:
        """Half the body; where there is none, no answer at all."""
        if body:
            self._head(status, len(body), headers)
            self.wfile.write(body[: len(body) // 2])
            self.wfile.flush()
        else:
            self._log(None)
        if kind == "stall":
            self._wait_for_hang_up()
        self._hang_up()

    def _head(self, status: int, length: int | None, headers: Mapping[str, str]) -> None:
        self._log(status)
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if status != 204 and length is not None:
            self.send_header("Content-Length", str(length))
        self.end_headers()

    def _log(self, status: int | None) -> None:
        with self.answering.lock:
            self.log.append(replace(self.request_seen, status=status, code=self.code))

    def _hang_up(self) -> None:
        self.close_connection = True
        self._give_back()
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)

    def _wait_for_hang_up(self) -> None:
        end = time.monotonic() + STALL_LIMIT_S
        while time.monotonic() < end:
            if select.select([self.connection], [], [], 0.1)[0]:
                return


def _unframed(framed: bytes) -> tuple[bytes, dict[str, str]]:
    """The payload and the trailers of an ``aws-chunked`` body.

    A chunk is its size in hex, an optional signature, CR LF, data, CR LF; the last one is empty.
    """
    parts, at = [], 0
    while True:
        end = framed.index(b"\r\n", at)
        size = int(framed[at:end].split(b";")[0], 16)
        if size == 0:
            break
        parts.append(framed[end + 2 : end + 2 + size])
        at = end + 2 + size + 2
    lines = (line.decode().partition(":") for line in framed[end + 2 :].split(b"\r\n") if line)
    return b"".join(parts), {name: value.strip() for name, _, value in lines}


_CHECKSUMS: Mapping[str, Callable[[bytes], bytes]] = {
    "content-md5": lambda body: md5(body, usedforsecurity=False).digest(),
    "x-amz-checksum-crc32": lambda body: crc32(body).to_bytes(4),
    "x-amz-checksum-sha1": lambda body: sha1(body, usedforsecurity=False).digest(),
    "x-amz-checksum-sha256": lambda body: sha256(body).digest(),
}


def _checksum(headers: Mapping[str, str]) -> tuple[str, str]:
    """The name and the value of the checksum in ``headers``; both are empty if there is none."""
    found = ((n.lower(), v) for n, v in headers.items() if n.lower() in _CHECKSUMS)
    return next(found, ("", ""))


def _stored_encoding(header: str | None) -> str | None:
    kept = [part for part in (header or "").split(",") if part.strip() not in ("", "aws-chunked")]
    return ",".join(kept) or None


def _unmet(condition: str, stored: Stored | None) -> tuple[int, str] | None:
    """The refusal of a write whose condition does not hold."""
    name, _, value = condition.partition(": ")
    if name == "If-None-Match" and stored is not None:
        return 412, "PreconditionFailed"
    if name == "If-Match" and stored is None:
        return 404, "NoSuchKey"
    if name == "If-Match" and stored is not None and value != _etag(stored.body):
        return 412, "PreconditionFailed"
    return None


def _etag(body: bytes) -> str:
    return f'"{md5(body, usedforsecurity=False).hexdigest()}"'
