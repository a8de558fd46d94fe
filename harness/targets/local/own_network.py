"""A network of a process's own: a loopback with addresses of its choice, and no way out."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from harness.model import NotReady


def enter_own_network(addresses: Sequence[str]) -> None:
    """Move this process, which may have one thread only, and what it starts from now on.

    127.0.0.1 and ``addresses`` are there. It needs no right of the superuser where the kernel
    allows user namespaces; else ``NotReady`` is raised.
    """
    user, group = os.getuid(), os.getgid()
    try:
        os.unshare(os.CLONE_NEWUSER | os.CLONE_NEWNET)
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"0 {user} 1")
        Path("/proc/self/gid_map").write_text(f"0 {group} 1")
        _ip("link", "set", "lo", "up")
        for address in addresses:
            _ip("address", "add", f"{address}/32", "dev", "lo")
    except OSError as error:
        raise NotReady(f"a network of one's own can't be made: {error}") from error


def _ip(*words: str) -> None:
    made = subprocess.run(["ip", *words], capture_output=True, text=True, check=False)
    if made.returncode:
        raise OSError(f"ip {' '.join(words)}: {made.stderr.strip()}")
