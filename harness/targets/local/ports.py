"""Ports of 127.0.0.1 for the servers that the harness starts.

If the kernel chose a port, an outgoing connection could take it before the server binds it. These
ports lie outside the range of such connections, and each process of the harness has its own.
"""

from __future__ import annotations

import errno
import itertools
import socket
from collections.abc import Iterator
from pathlib import Path

from harness.model import NotReady
from harness.reservation import hold_name

_OUTGOING = Path("/proc/sys/net/ipv4/ip_local_port_range")
_LOWEST = 10_000  # most services use ports below
_END = 65_536
_BLOCK = 200


def free_ports(count: int) -> list[int]:
    """Free ports that no other process of the harness gets.

    Raises ``NotReady`` if there are too few, and ``OSError`` if the system forbids to open one.
    """
    for turn in _claimed:
        if len(ports := _take(turn, count)) == count:
            return ports
    for start in _blocks():
        with hold_name(f"ports-{start}") as holder:
            if holder is None:
                continue
            turn = itertools.cycle(range(start, start + _BLOCK))
            if len(ports := _take(turn, count)) == count:
                holder.detach()  # held until the process ends
                _claimed.append(turn)
                return ports
    raise NotReady("no port is free on 127.0.0.1: end servers that listen there")


#: The ports of each block of this process, in turn: one comes again only after all others.
_claimed: list[Iterator[int]] = []


def _take(turn: Iterator[int], count: int) -> list[int]:
    """Up to ``count`` free ports of a block; fewer where others listen at the rest."""
    return list(itertools.islice(filter(_is_free, itertools.islice(turn, _BLOCK)), count))


def _blocks() -> Iterator[int]:
    """The first port of each block. Blocks outside the outgoing connections' range come first."""
    low, high = (int(word) for word in _OUTGOING.read_text().split())
    yield from range(_LOWEST, low - _BLOCK + 1, _BLOCK)
    yield from range(high + 1, _END - _BLOCK + 1, _BLOCK)
    yield from range(max(low, _LOWEST), _END - _BLOCK + 1, _BLOCK)


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        # as servers do: a port with closed connections in TIME_WAIT counts as free
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            return False
    return True
