"""What a function and its S3 server agree on when they open connections over TLS.

Both hellos of TLS 1.3 travel in plain text: https://www.rfc-editor.org/rfc/rfc8446#section-4.1
"""

from __future__ import annotations

import socket
from contextlib import suppress
from dataclasses import dataclass

from tcp import Listener, forward

_CIPHERS = {
    0x1301: "TLS_AES_128_GCM_SHA256",
    0x1302: "TLS_AES_256_GCM_SHA384",
    0x1303: "TLS_CHACHA20_POLY1305_SHA256",
}
_GROUPS = {0x0017: "secp256r1", 0x001D: "x25519", 0x11EC: "X25519MLKEM768"}
_SESSION, _VERSIONS, _KEY_SHARE = 41, 43, 51
_TLS_1_3 = 0x0304
_HANDSHAKE = 22
_HELLO_RETRY = bytes.fromhex("cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c")


@dataclass(frozen=True, slots=True)
class Handshake:
    """The server's choice; ``resumed`` tells that it knew the client's session already."""

    cipher: str
    group: str
    resumed: bool


class Watched:
    """A port that leads to ``port``, and the handshakes that were seen there."""

    def __init__(self, port: int) -> None:
        self.handshakes: list[Handshake] = []
        self._port = port
        self._listener = Listener(self._serve)

    @property
    def endpoint(self) -> str:
        return self._listener.url.replace("http:", "https:")

    def take(self) -> list[Handshake]:
        """The handshakes since the last call."""
        taken, self.handshakes = self.handshakes, []
        return taken

    def stop(self) -> None:
        self._listener.stop()

    def _serve(self, near: socket.socket) -> None:
        with near, suppress(OSError), socket.create_connection(("127.0.0.1", self._port)) as far:
            near.settimeout(30)
            far.settimeout(30)
            hello = _HELLO_RETRY
            while _HELLO_RETRY in hello[:34]:
                _pass_hello(near, far)
                hello = _pass_hello(far, near)
            self.handshakes.append(read_hello(hello))
            near.settimeout(None)
            far.settimeout(None)
            forward(near, far)


def _pass_hello(source: socket.socket, target: socket.socket) -> bytes:
    """Pass records on until one has a hello; give it without its type and length."""
    while True:
        record = _record(source)
        target.sendall(record)
        if record[0] == _HANDSHAKE:
            return record[9 : 9 + int.from_bytes(record[6:9])]


def _record(side: socket.socket) -> bytes:
    """One record of TLS with its header."""
    head = _exactly(side, 5)
    body = _exactly(side, int.from_bytes(head[3:5]))
    return head + body


def _exactly(side: socket.socket, count: int) -> bytes:
    found = b""
    while len(found) < count:
        piece = side.recv(count - len(found))
        if not piece:
            raise OSError("the connection ended within a hello")
        found += piece
    return found


def read_hello(hello: bytes) -> Handshake:
    """From the server's hello, without its type and length."""
    at = 2 + 32
    at += 1 + hello[at]
    cipher = int.from_bytes(hello[at : at + 2])
    at += 2 + 1 + 2
    extensions = {}
    while at < len(hello):
        kind, size = int.from_bytes(hello[at : at + 2]), int.from_bytes(hello[at + 2 : at + 4])
        extensions[kind] = hello[at + 4 : at + 4 + size]
        at += 4 + size
    assert int.from_bytes(extensions[_VERSIONS]) == _TLS_1_3
    group = int.from_bytes(extensions[_KEY_SHARE][:2])
    return Handshake(
        _CIPHERS.get(cipher, hex(cipher)), _GROUPS.get(group, hex(group)), _SESSION in extensions
    )
