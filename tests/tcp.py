"""Servers of plain TCP connections, for tests that stand between a function and its S3."""

from __future__ import annotations

import select
import socket
import threading
from collections.abc import Callable
from contextlib import suppress


class Listener:
    """Gives each connection to ``serve`` in a thread of its own, until it is stopped."""

    def __init__(self, serve: Callable[[socket.socket], None]) -> None:
        self._serve = serve
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=512)
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._socket.getsockname()[1]}"

    def stop(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._socket.accept()
                threading.Thread(target=self._serve, args=(near,), daemon=True).start()


def forward(
    near: socket.socket, far: socket.socket, is_silent: Callable[[], bool] = lambda: False
) -> None:
    """Pass on all bytes, both ways, until one side ends; close both then, unless it is silent."""
    with suppress(OSError, ValueError):
        while True:
            for ready in select.select([near, far], [], [])[0]:
                piece = ready.recv(1 << 16)
                if is_silent():
                    return
                if not piece:
                    near.close()
                    far.close()
                    return
                (far if ready is near else near).sendall(piece)
