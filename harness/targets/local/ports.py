"""Ports of 127.0.0.1 for the servers that the harness starts.

A port of the kernel's choice may be taken by any outgoing connection before its server binds it.
These lie outside the range of such connections, and each process of the harness has its own.
"""

from __future__ import annotations

import errno
import itertools
import socket
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from harness.model import NotReady

_OUTGOING = Path("/proc/sys/net/ipv4/ip_local_port_range")
_LOWEST = 10_000  # services have their customary ports below
_END = 65_536
_BLOCK = 200
_NONE = "no free ports on 127.0.0.1: end servers that listen there"


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens at and that no other process of the harness is given.

    Raises ``NotReady`` where there are none, and ``OSError`` where none may be opened.
    """
    ports = list(itertools.islice(filter(_is_free, itertools.islice(_own(), _BLOCK)), count))
    if len(ports) < count:
        raise NotReady(_NONE)
    return ports


def _own() -> Iterator[int]:
    """The process's ports in turn: one that was given comes again only after all others."""
    return _claim()[1]


@cache
def _claim() -> tuple[socket.socket, Iterator[int]]:
    # an abstract address is held by the socket alone, so the kernel frees it with the process
    claim = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    for start in _blocks():
        try:
            claim.bind(f"\0rosetta-ports-{start}")
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
        else:
            return claim, itertools.cycle(range(start, start + _BLOCK))
    claim.close()
    raise NotReady(_NONE)


def _blocks() -> Iterator[int]:
    """First ports of the blocks: those outside the range of outgoing connections come first."""
    low, high = (int(word) for word in _OUTGOING.read_text().split())
    yield from range(_LOWEST, low - _BLOCK + 1, _BLOCK)
    yield from range(high + 1, _END - _BLOCK + 1, _BLOCK)
    yield from range(max(low, _LOWEST), _END - _BLOCK + 1, _BLOCK)


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        # as servers do: what a closed connection leaves behind is no hindrance
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            return False
    return True
