"""Names that one process of this machine holds at a time."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def hold_name(name: str) -> Iterator[socket.socket | None]:
    """Hold ``name`` until the context ends; ``None`` if another process holds it.

    The address is abstract and no file, so the kernel frees it when the process ends.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as holder:
        try:
            holder.bind(f"\0rosetta-{name}")
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            yield None
        else:
            yield holder
