"""Requests leave at once, also over a new TLS connection. Skip on first reading.

The plain version does nothing. The kernel then keeps the first request of a connection until the
server has acknowledged the end of the handshake (Nagle's algorithm), and a server that has nothing
to say acknowledges after 40 ms. awscrt 0.38 sets no TCP_NODELAY, and only its bindings for other
languages have the option. Gain: 0.93 of the CPU, and a run of 600 sources took 802 ms instead of
982 (docs/performance/python.md).
"""

import socket
from contextlib import suppress
from pathlib import Path


def send_at_once() -> None:
    """To be called when a connection is there; sets TCP_NODELAY on each TCP socket of the process.

    awscrt does not tell which one is new. The option harms no other.
    """
    for each in Path("/proc/self/fd").iterdir():
        with suppress(OSError):  # it is no socket, not of TCP, or closed by now
            found = socket.socket(socket.AF_INET, socket.SOCK_STREAM, 0, int(each.name))
            try:
                found.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            finally:
                found.detach()  # the descriptor is awscrt's
