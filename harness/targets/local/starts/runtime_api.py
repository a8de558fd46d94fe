"""Lambda's side of SnapStart, which the emulator lacks. It stands before the emulator's own API.

A runtime client that is told of SnapStart runs the hooks before the snapshot and asks for
``/restore/next``. The answer comes after the restore. Then it runs the hooks after the restore, and
asks for its first event. This server plays ``/restore/next`` and the endpoint of the credentials.
All other connections go to the emulator, byte for byte.
"""

from __future__ import annotations

import json
import select
import socket
import socketserver
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from harness.targets.local.ports import free_ports

_API = "/2018-06-01/runtime"
_NEXT = f"{_API}/invocation/next"
_RESTORE = f"{_API}/restore/next"
_RESTORE_FAULT = f"{_API}/restore/error"
_KEYS = "/2021-04-23/credentials"
_AUTHORIZATION = "snapshot"
#: How long keys live that were given before the snapshot: they expire while the function is frozen.
_BEFORE_S = 3
_AFTER_S = 6 * 3600
_PIECE = 1 << 16


@dataclass(slots=True)
class KeyService:
    """The endpoint that gives a function with SnapStart its credentials (SPEC S16).

    The keys are always ``key_id`` and ``secret``. Each answer has a token of its own that begins
    with ``token``; if that is empty, no answer has one, because the local S3 server refuses tokens.
    """

    key_id: str
    secret: str
    token: str
    before: list[str] = field(default_factory=list)  # tokens given before the snapshot
    after: list[str] = field(default_factory=list)
    is_restored: bool = False
    last_expires: float = 0.0  # of those before, by the monotonic clock

    def answer(self) -> Mapping[str, str]:
        given, seconds = (self.after, _AFTER_S) if self.is_restored else (self.before, _BEFORE_S)
        moment = "after" if self.is_restored else "before"
        token = self.token and f"{self.token}-{moment}-{len(given) + 1}"
        given.append(token)
        if not self.is_restored:
            self.last_expires = time.monotonic() + seconds
        expires = datetime.now(UTC) + timedelta(seconds=seconds)
        return {
            "AccessKeyId": self.key_id,
            "SecretAccessKey": self.secret,
            "Token": token,
            "Expiration": expires.strftime("%Y-%m-%dT%H:%M:%SZ"),
        }


@dataclass(frozen=True, slots=True)
class Moments:
    """Times of a start, by the monotonic clock in s."""

    snapshot: float  # the hooks before it have run
    restored: float
    ready: float  # the hooks after the restore have run


class RuntimeApi:
    """``snapshot`` is called while the runtime waits for its restore; its return is the restore.

    It serves until :meth:`close`. Every start of a runtime has its own ``moments``, which are
    ``None`` until it is ready.
    """

    def __init__(
        self, emulator_port: int, snapshot: Callable[[], None], keys: KeyService | None
    ) -> None:
        self._emulator_port = emulator_port
        self._snapshot = snapshot
        self._keys = keys
        self._begun: tuple[float, float] | None = None
        self.moments: Moments | None = None
        self.fault: Exception | None = None
        (self.port,) = free_ports(1)
        self._server = _Server(("127.0.0.1", self.port), _Connection)
        self._server.api = self
        threading.Thread(
            target=self._server.serve_forever, args=(0.05,), name="runtime-api", daemon=True
        ).start()

    def environment(self) -> dict[str, str]:
        """The variables that Lambda sets for a function with SnapStart."""
        found = {
            "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{self.port}",
            "AWS_LAMBDA_INITIALIZATION_TYPE": "snap-start",
        }
        if self._keys is not None:
            found["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = f"http://127.0.0.1:{self.port}{_KEYS}"
            found["AWS_CONTAINER_AUTHORIZATION_TOKEN"] = _AUTHORIZATION
        return found

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def serve(self, near: socket.socket) -> None:
        path = _peeked_path(near)
        if path == _RESTORE:
            _read_head(near)
            self._answer_restore(near)
        elif path == _RESTORE_FAULT:
            _read_head(near)
            _reply(near, "202 Accepted")
        elif path == _KEYS and self._keys is not None:
            is_allowed = f"\r\nauthorization: {_AUTHORIZATION}\r\n" in _read_head(near).lower()
            if is_allowed:
                _reply(near, "200 OK", json.dumps(self._keys.answer()).encode())
            else:
                _reply(near, "403 Forbidden")
        else:
            if path == _NEXT and self._begun is not None:
                self.moments = Moments(*self._begun, time.monotonic())
                self._begun = None
            self._forward(near)

    def _answer_restore(self, near: socket.socket) -> None:
        asked = time.monotonic()
        try:
            self._snapshot()
        except Exception as error:  # reported by the thread that invokes
            self.fault = error
            _reply(near, "500 Internal Server Error")
            return
        self._begun = asked, time.monotonic()
        _reply(near, "200 OK")

    def _forward(self, near: socket.socket) -> None:
        with socket.create_connection(("127.0.0.1", self._emulator_port)) as far:
            while True:
                for ready in select.select([near, far], [], [])[0]:
                    piece = ready.recv(_PIECE)
                    if not piece:
                        return
                    (far if ready is near else near).sendall(piece)


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False
    api: RuntimeApi


class _Connection(socketserver.BaseRequestHandler):
    server: _Server
    request: socket.socket

    def handle(self) -> None:
        with suppress(OSError):  # the runtime has ended
            self.server.api.serve(self.request)


def _peeked_path(near: socket.socket) -> str:
    """The path of a connection's first request, which is not taken from it."""
    while True:
        begun = near.recv(_PIECE, socket.MSG_PEEK)
        if not begun:
            return ""
        if b"\r\n" in begun:
            return begun.split(b"\r\n")[0].split(b" ")[1].decode("latin-1")
        time.sleep(0.001)


def _read_head(near: socket.socket) -> str:
    head = b""
    while b"\r\n\r\n" not in head:
        piece = near.recv(_PIECE)
        if not piece:
            break
        head += piece
    return head.decode("latin-1")


def _reply(near: socket.socket, status: str, body: bytes = b"") -> None:
    head = (
        f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    near.sendall(head.encode() + body)
