"""toxiproxy between a client and a server: it delays, cuts and throttles connections."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import requests

from harness.model import NotReady
from harness.scratch import scratch
from harness.targets.local import processes
from harness.targets.local.loopback import open_session
from harness.targets.local.ports import free_ports
from harness.toolchain import tools

_START_TIMEOUT_S = 20
_TIMEOUT_S = 5


@dataclass(frozen=True, slots=True)
class Toxic:
    """A fault of connections, as toxiproxy names it.

    ``stream`` is ``downstream`` for answers and ``upstream`` for requests. ``toxicity`` is the
    share of connections that have the fault.
    """

    kind: str
    stream: str
    attributes: Mapping[str, int]
    toxicity: float = 1.0


class Proxy:
    """A running proxy before ``upstream``; both are ports of the loopback address."""

    def __init__(self, api: int, port: int, upstream: int, log: Path) -> None:
        self.port = port
        self._api = api
        self._upstream = upstream
        self._log = log

    def create(self) -> None:
        """Listen, without toxics."""
        addresses = {"listen": f"127.0.0.1:{self.port}", "upstream": f"127.0.0.1:{self._upstream}"}
        self._ask("POST", "/proxies", {"name": "s3", **addresses})

    def add(self, toxic: Toxic) -> None:
        """Raises ``NotReady`` if toxiproxy refuses it."""
        body = {
            "type": toxic.kind,
            "stream": toxic.stream,
            "attributes": toxic.attributes,
            "toxicity": toxic.toxicity,
        }
        self._ask("POST", "/proxies/s3/toxics", body)

    def begin_anew(self) -> None:
        """Cut all connections, and listen again without toxics.

        toxiproxy 2.12 can also take toxics away from open connections. It does not always take
        them away whole, and then dies when the next toxic is added (``ToxicLink.AddToxic``).
        """
        self.close()
        self.create()

    def close(self) -> None:
        """Cut all connections, and refuse new ones until :meth:`create`."""
        self._ask("DELETE", "/proxies/s3")

    def _ask(self, method: str, path: str, body: object = None) -> None:
        if not _asks(self._api, method, path, body):
            raise NotReady(f"toxiproxy refused {method} {path}: {self._log.read_text()[-2000:]}")


@contextmanager
def proxied(port: int) -> Iterator[Proxy]:
    """A proxy without toxics before ``port``, until the context ends.

    The calling thread must outlive the context. Raises ``NotReady`` if the proxy does not start.
    """
    binary = tools.toxiproxy_binary()
    api, listen = free_ports(2)
    with scratch("toxiproxy") as folder:
        log = folder / "log"
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
            log=log,
            timeout_s=_START_TIMEOUT_S,
        )
        try:
            proxy = Proxy(api, listen, port, log)
            proxy.create()
            yield proxy
        finally:
            processes.stop(process)


def _asks(api: int, method: str, path: str, body: object = None) -> bool:
    with open_session() as session:
        try:
            url = f"http://127.0.0.1:{api}{path}"
            return session.request(method, url, json=body, timeout=_TIMEOUT_S).status_code < 300
        except requests.RequestException:
            return False
