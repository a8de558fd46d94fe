import socket
from pathlib import Path

import pytest

from aggregator.tuning.no_delay import send_at_once

pytestmark = pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="only Linux has it")


def waits(connection: socket.socket) -> bool:
    return not connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_no_socket_waits_and_nothing_else_changes(tmp_path: Path) -> None:
    near, far = socket.socketpair()  # not of TCP
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_connection(server.getsockname()) as first,
        socket.create_connection(server.getsockname()) as second,
        (tmp_path / "file").open("w") as file,
        near,
        far,
    ):
        assert waits(first)
        assert waits(second)
        send_at_once()
        assert not waits(first)
        assert not waits(second)
        file.write("still open")
        near.sendall(b"x")
        assert far.recv(1) == b"x"
        accepted, _ = server.accept()
        with accepted:
            first.sendall(b"y")
            assert accepted.recv(1) == b"y"
