"""A latency to S3 like that on AWS: toxiproxy runs between the function and the server.

It delays every answer by the latency, plus or minus an evenly distributed jitter. New and kept
connections have the same delay. Bandwidth is not limited.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import requests

from harness.model import NotReady, UsageError
from harness.scratch import scratch
from harness.targets.interface import Latency
from harness.targets.local import processes
from harness.targets.local.loopback import open_session
from harness.targets.local.ports import free_ports
from harness.toolchain import tools

_FORM = re.compile(r"(\d+)ms(?:(?:\+-|±)(\d+)ms)?")
_START_TIMEOUT_S = 20
_TIMEOUT_S = 5


def parse_latency(text: str) -> Latency:
    """From ``20ms`` or ``20ms+-5ms``; raises ``UsageError`` for anything else."""
    found = _FORM.fullmatch(text)
    if found is None:
        raise UsageError(f"{text} is not a latency: write it like 20ms or 20ms+-5ms")
    latency = Latency(int(found[1]), int(found[2] or 0))
    if latency.jitter_ms > latency.latency_ms:
        raise UsageError(f"{text}: make the jitter smaller than the latency")
    return latency


@contextmanager
def delayed(port: int, latency: Latency) -> Iterator[int]:
    """A loopback port that forwards to ``port`` with the latency, until the context ends.

    The calling thread must outlive the context. Raises ``NotReady`` if the proxy does not start.
    """
    binary = tools.toxiproxy_binary()
    api, listen = free_ports(2)
    with scratch("toxiproxy") as folder:
        process = processes.start_server(
            binary,
            [binary, "-host", "127.0.0.1", "-port", str(api)],
            lambda: _asks(api, "GET", "/version"),
            cwd=folder,
            env={
                "PATH": os.defpath,
                "HOME": str(folder),
                "TMPDIR": str(folder),
                "LOG_LEVEL": "error",
            },
            log=folder / "log",
            timeout_s=_START_TIMEOUT_S,
        )
        try:
            _set_up(api, listen, port, latency, folder / "log")
            yield listen
        finally:
            processes.stop(process)


def _set_up(api: int, listen: int, port: int, latency: Latency, log: Path) -> None:
    proxy = {"name": "s3", "listen": f"127.0.0.1:{listen}", "upstream": f"127.0.0.1:{port}"}
    late = {"latency": latency.latency_ms, "jitter": latency.jitter_ms}
    toxic = {"name": "late", "type": "latency", "stream": "downstream", "attributes": late}
    for path, body in (("/proxies", proxy), ("/proxies/s3/toxics", toxic)):
        if not _asks(api, "POST", path, body):
            raise NotReady(f"toxiproxy refused {path}: {log.read_text()[-2000:]}")


def _asks(api: int, method: str, path: str, body: object = None) -> bool:
    with open_session() as session:
        try:
            url = f"http://127.0.0.1:{api}{path}"
            return session.request(method, url, json=body, timeout=_TIMEOUT_S).status_code < 300
        except requests.RequestException:
            return False
