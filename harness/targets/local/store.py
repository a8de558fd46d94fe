"""The S3 of a comparison on this machine: one server for each transport, over the same files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set
from contextlib import ExitStack, contextmanager
from pathlib import Path

from harness.targets.local.s3server import S3Server


class LocalStore:
    """A ``Store``. The first server's folder has the objects, and the other server shares it."""

    def __init__(self, servers: Mapping[bool, S3Server]) -> None:
        self._servers = servers
        self._files = next(iter(servers.values()))

    def env(self, *, tls: bool) -> dict[str, str]:
        return self._servers[tls].env()

    def bucket_path(self, bucket: str) -> Path:
        return self._files.bucket_path(bucket)

    def put_file(
        self, bucket: str, key: str, body: bytes, content_encoding: str | None = None
    ) -> None:
        self._files.put_file(bucket, key, body, content_encoding)

    def read_tree(self, bucket: str, prefix: str = "") -> Mapping[str, bytes]:
        return self._files.read_tree(bucket, prefix)

    def clear(self, bucket: str) -> None:
        self._files.clear(bucket)

    def cpu_s(self) -> float | None:
        """The sum of both servers. Only one of them works at a time."""
        spent = [server.cpu_s() for server in self._servers.values()]
        return None if None in spent else sum(each for each in spent if each is not None)


@contextmanager
def serve(cores: frozenset[int] | None, transports: Set[bool]) -> Iterator[LocalStore]:
    """A running store, over TLS if ``transports`` has ``True``, and plain HTTP if ``False``."""
    with ExitStack() as running:
        servers: dict[bool, S3Server] = {}
        for tls in sorted(transports):
            folder = next((server.data for server in servers.values()), None)
            server = S3Server(folder, cores, tls=tls)
            servers[tls] = running.enter_context(server)
        yield LocalStore(servers)
