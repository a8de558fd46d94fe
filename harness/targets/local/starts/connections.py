"""Cuts the TCP connections of another process, as a restore from a snapshot does.

The harness takes a copy of each socket (``pidfd_getfd(2)``) and disconnects it (``connect(2)`` with
``AF_UNSPEC``). So the peer gets a reset at once, and the process gets one at its next call. The
kernel allows that for the processes which the harness has started.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterable

import psutil

from harness.model import NotReady

_PIDFD_GETFD = 438  # the same number on every architecture
_ADDRESS_BYTES = 16
_libc = ctypes.CDLL(None, use_errno=True)


def cut_connections(pids: Iterable[int], kept_port: int) -> int:
    """Reset every TCP connection of the processes except those to ``kept_port``; their number.

    The processes must stand still. Raises ``NotReady`` if the kernel refuses it.
    """
    cut = 0
    for pid in pids:
        process = os.pidfd_open(pid)
        try:
            for each in psutil.Process(pid).net_connections("tcp"):
                if each.raddr and each.raddr.port != kept_port:
                    _cut(process, each.fd)
                    cut += 1
        finally:
            os.close(process)
    return cut


def _cut(process: int, descriptor: int) -> None:
    copy = _libc.syscall(_PIDFD_GETFD, process, descriptor, 0)
    if copy < 0:
        raise _refused("pidfd_getfd")
    try:
        nowhere = ctypes.create_string_buffer(_ADDRESS_BYTES)  # AF_UNSPEC is 0
        if _libc.connect(copy, nowhere, _ADDRESS_BYTES) != 0:
            raise _refused("connect")
    finally:
        os.close(copy)


def _refused(call: str) -> NotReady:
    reason = os.strerror(ctypes.get_errno())
    return NotReady(
        f"the kernel refuses to cut a function's connections ({call}: {reason}): leave out "
        "--start primed, or allow ptrace of one's own processes"
    )
