"""A proxy before the S3 of a local AWS. It refuses, delays or watches a function's requests.

A request passes on byte by byte with its Host header, so its signature still holds, and the S3
behind checks it and the rights of its sender.
"""

from __future__ import annotations

import http.client
import re
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

_HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length"}
_TIMEOUT_S = 60


@dataclass(frozen=True, slots=True)
class Asked:
    """A request: ``operation`` is a word of SPEC E4, ``key`` of a list its prefix."""

    operation: str
    bucket: str
    key: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """The answer of S3 to a request that it does not carry out."""

    status: int
    code: str


#: Answers a request in place of S3, or returns ``None``. It may wait, or act, before it returns.
Rule = Callable[[Asked], Refusal | None]


def refuses(operation: str, pattern: str, status: int, code: str) -> Rule:
    """Requests of the operation whose keys match get this answer."""

    def rule(asked: Asked) -> Refusal | None:
        meant = asked.operation == operation and re.fullmatch(pattern, asked.key)
        return Refusal(status, code) if meant else None

    return rule


class Front:
    """``rules`` hold for every request from now on; the first refusal counts.

    ``changed`` is called after each write that S3 has carried out, before any other write is.
    """

    def __init__(self, port: int) -> None:
        self.rules: list[Rule] = []
        self.changed: Callable[[Asked], None] = lambda _asked: None
        self._behind = port
        self._write = threading.Lock()
        handler = type("BoundHandler", (_Handler,), {"front": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True

    @property
    def endpoint(self) -> str:
        return f"http://localhost:{self._server.server_port}"

    def serve(self) -> None:
        self._server.serve_forever(poll_interval=0.05)

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def refusal(self, asked: Asked) -> Refusal | None:
        return next((each for rule in list(self.rules) if (each := rule(asked))), None)

    def passed_on(
        self, method: str, path: str, headers: list[tuple[str, str]], body: bytes
    ) -> _Answer:
        """The answer of the S3 behind."""
        connection = http.client.HTTPConnection("127.0.0.1", self._behind, timeout=_TIMEOUT_S)
        try:
            connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
            for name, value in headers:
                connection.putheader(name, value)
            connection.endheaders(body)
            answer = connection.getresponse()
            return _Answer(answer.status, answer.getheaders(), answer.read())
        finally:
            connection.close()

    def written(self, asked: Asked, write: Callable[[], _Answer]) -> _Answer:
        """One write at a time, so that ``changed`` sees the bucket after each of them."""
        with self._write:
            answer = write()
            if answer.status < 300:
                self.changed(asked)
            return answer


@contextmanager
def front_of(port: int) -> Iterator[Front]:
    """A front before the S3 that listens on a port of this machine."""
    front = Front(port)
    thread = threading.Thread(target=front.serve, daemon=True)
    thread.start()
    try:
        yield front
    finally:
        front.close()
        thread.join()


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    headers: list[tuple[str, str]]
    body: bytes


class _Handler(BaseHTTPRequestHandler):
    """``front`` is bound by a subclass."""

    front: Front
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_GET(self) -> None:
        self._serve()

    def do_PUT(self) -> None:
        self._serve()

    def do_DELETE(self) -> None:
        self._serve()

    def do_HEAD(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        asked = self._identified()
        with suppress(OSError):  # the client may be killed
            if refusal := self.front.refusal(asked):
                return self._answer(_refused(refusal))
            if asked.operation in ("put", "copy", "delete"):
                return self._answer(self.front.written(asked, lambda: self._pass_on(body)))
            return self._answer(self._pass_on(body))
        self.close_connection = True
        return None

    def _identified(self) -> Asked:
        url = urlsplit(self.path)
        bucket, _, key = unquote(url.path).lstrip("/").partition("/")
        query = parse_qs(url.query, keep_blank_values=True)
        if self.command == "GET" and "list-type" in query:
            return Asked("list", bucket, query.get("prefix", [""])[0])
        if self.command == "PUT" and "x-amz-copy-source" in self.headers:
            return Asked("copy", bucket, key)
        return Asked(self.command.lower(), bucket, key)

    def _pass_on(self, body: bytes) -> _Answer:
        # Expect was answered here, and the hop to S3 is a connection of its own
        headers = [
            (name, value)
            for name, value in self.headers.items()
            if name.lower() not in ("expect", "connection")
        ]
        return self.front.passed_on(self.command, self.path, headers, body)

    def _answer(self, answer: _Answer) -> None:
        self.send_response(answer.status)
        for name, value in answer.headers:
            if name.lower() not in _HOP_BY_HOP:
                self.send_header(name, value)
        if answer.status != 204:
            self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body)
        self.wfile.flush()

    def finish(self) -> None:
        with suppress(OSError):
            super().finish()

    def handle(self) -> None:
        with suppress(ConnectionError, socket.timeout):
            super().handle()


def _refused(refusal: Refusal) -> _Answer:
    body = (
        '<?xml version="1.0" encoding="UTF-8"?>'
        f"<Error><Code>{escape(refusal.code)}</Code><Message>by the drill</Message></Error>"
    )
    return _Answer(refusal.status, [("Content-Type", "application/xml")], body.encode())
