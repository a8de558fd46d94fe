"""A local S3 for one run: versitygw over a folder of plain files.

A bucket is a folder and an object is a file in it. So the harness writes fixtures and reads outputs
without S3 requests, even while the server runs. Headers of an object are in extended attributes of
its file.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import requests

from harness.model import HarnessError, NotReady, UsageError
from harness.targets.local import processes
from harness.targets.local.authority import certify
from harness.targets.local.loopback import open_session
from harness.targets.local.ports import free_ports
from harness.targets.local.s3_access import REGION
from harness.targets.local.server import Server
from harness.toolchain import tools

_START_TIMEOUT_S = 30
_HEALTH = "/health"
_ADDRESS = "127.0.0.1"
#: Characters that XML 1.0 lacks. The server's listing has another character in their place.
_NOT_IN_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
_SERVER_FOLDER = ".sgwtmp"  # the server's folder in each bucket for unfinished writes


@dataclass(frozen=True, slots=True)
class Site:
    """The place of a server, as AWS has it: ``domain`` has the name of a bucket before it.

    ``address`` is a loopback address, to which the domain and its buckets must lead.
    """

    region: str
    domain: str
    address: str
    port: int = 443


class S3Server(Server):
    """A server over ``folder``, which is kept; the default is a temporary one.

    Its file system must support user extended attributes (ext4, xfs, btrfs, tmpfs since Linux 6.6).
    The server runs on ``cores`` if given. With ``access_log`` it writes a line for each request, in
    the form of S3's own logs. With ``tls`` it has a certificate of an authority of its own, which
    is gone with the server. It has no name and any port, unless a ``site`` is given.
    """

    def __init__(
        self,
        folder: Path | None = None,
        cores: frozenset[int] | None = None,
        *,
        access_log: bool = False,
        tls: bool = False,
        site: Site | None = None,
    ) -> None:
        super().__init__("s3")
        self.access_key = "rosetta"
        self.secret_key = secrets.token_urlsafe(24)
        self._given = folder
        self._cores = cores
        self._logs = access_log
        self._tls = tls
        self._site = site
        self.ca_bundle: Path | None = None
        self._linked: list[Path] = []

    def _launch(self, work: Path) -> subprocess.Popen[bytes]:
        binary = tools.s3_server_binary()
        self.data.mkdir(parents=True, exist_ok=True)
        _require_attributes(self.data)
        site = self._site
        encrypted: list[str | Path] = []
        (self._port,) = free_ports(1) if site is None else (site.port,)
        if self._tls:
            made = certify(work, *([] if site is None else [site.domain, f"*.{site.domain}"]))
            self.ca_bundle = made.authority
            encrypted = ["--cert", made.chain, "--key", made.key]
        return processes.start_server(
            binary,
            [
                binary,
                "--quiet",
                "--keep-alive",  # else each request needs a new connection
                *("--port", f"{_ADDRESS if site is None else site.address}:{self._port}"),
                *("--health", _HEALTH),
                *("--region", self._region),
                *([] if site is None else ["--virtual-domain", site.domain]),
                *encrypted,
                *(("--access-log", self.access_log) if self._logs else ()),
                *("posix", self.data),
            ],
            self._healthy,
            cwd=work,
            env={
                "ROOT_ACCESS_KEY": self.access_key,
                "ROOT_SECRET_KEY": self.secret_key,
                "PATH": os.defpath,
                "HOME": str(work),
                "TMPDIR": str(work),
            },
            log=work / "log",
            timeout_s=_START_TIMEOUT_S,
            cores=self._cores,
        )

    @property
    def endpoint(self) -> str:
        # an address, not a name: then every SDK uses path-style requests by default
        host = _ADDRESS if self._site is None else self._site.domain
        return f"http{'s' if self._tls else ''}://{host}:{self._port}"

    @property
    def _region(self) -> str:
        return REGION if self._site is None else self._site.region

    def env(self) -> dict[str, str]:
        """The variables that point an AWS SDK to this server."""
        trusted = {} if self.ca_bundle is None else {"AWS_CA_BUNDLE": str(self.ca_bundle)}
        return {
            **trusted,
            "AWS_ENDPOINT_URL_S3": self.endpoint,
            "AWS_ACCESS_KEY_ID": self.access_key,
            "AWS_SECRET_ACCESS_KEY": self.secret_key,
            "AWS_REGION": self._region,
        }

    def cpu_s(self) -> float | None:
        """The server's CPU seconds since its start."""
        spent = processes.cpu_ms(self._process.pid) if self._process else None
        return None if spent is None else spent / 1000

    @property
    def access_log(self) -> Path:
        """A line for each request, if the server was asked for them."""
        if self._work is None:
            raise HarnessError("the S3 server is not started")
        return self._work / "requests"

    # ---- the data, as files ----

    @property
    def data(self) -> Path:
        if self._given is not None:
            return self._given.absolute()
        if self._work is None:
            raise HarnessError("the S3 server is not started")
        return self._work / "data"

    def bucket_path(self, bucket: str) -> Path:
        """The bucket's folder; makes the bucket."""
        path = self.data / bucket
        path.mkdir(exist_ok=True)
        return path

    def link_bucket(self, folder: Path) -> str:
        """Make a bucket of a folder of the user, with the folder's name."""
        _require_attributes(folder)
        (self.data / folder.name).symlink_to(folder)
        self._linked.append(folder)
        return folder.name

    def stop(self) -> None:
        super().stop()
        while self._linked:
            with suppress(OSError):  # it is absent, or another server uses it
                (self._linked.pop() / _SERVER_FOLDER).rmdir()

    def put_file(
        self, bucket: str, key: str, body: bytes, content_encoding: str | None = None
    ) -> None:
        """Write one object. Raises ``UsageError`` for a key that the server would not list."""
        root = self.bucket_path(bucket)
        path = root / key
        if os.path.normpath(f"{root}/{key}") != f"{root}/{key}":
            raise UsageError(f"the local S3 server can't store {key!r}: rename it to a plain path")
        if _NOT_IN_XML.search(key):
            raise UsageError(
                f"the local S3 server can't list {key!r}: XML has no such character, rename the key"
            )
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(body)
        except (NotADirectoryError, IsADirectoryError, FileExistsError) as error:
            raise UsageError(
                f"the local S3 server can't store {key!r}: one key is a folder of the other; "
                "rename one"
            ) from error
        except OSError as error:
            if error.errno != errno.ENAMETOOLONG:
                raise
            raise UsageError(
                f"the local S3 server can't store {key!r}: a file name has at most 255 bytes"
            ) from error
        etag = hashlib.md5(body, usedforsecurity=False).hexdigest()
        os.setxattr(path, "user.etag", f'"{etag}"'.encode())
        if content_encoding is not None:
            os.setxattr(path, "user.content-encoding", content_encoding.encode())

    def read_tree(self, bucket: str, prefix: str = "") -> Mapping[str, bytes]:
        """key -> stored bytes (not decompressed) of all objects under a prefix, in key order."""
        root = self.bucket_path(bucket)
        keys = sorted(
            (str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()),
            key=str.encode,
        )
        return {
            key: (root / key).read_bytes()
            for key in keys
            if key.startswith(prefix) and not key.startswith(f"{_SERVER_FOLDER}/")
        }

    def clear(self, bucket: str) -> None:
        """Remove every object of the bucket; the bucket stays."""
        for path in self.bucket_path(bucket).iterdir():
            if path.name == _SERVER_FOLDER:
                continue
            if path.is_dir():
                with suppress(FileNotFoundError):  # the server removes empty folders, too
                    shutil.rmtree(path)
            else:
                path.unlink()

    def _healthy(self) -> bool:
        with open_session() as session:
            if self.ca_bundle is not None:
                session.verify = str(self.ca_bundle)
            try:
                answer = session.get(f"{self.endpoint}{_HEALTH}", timeout=1)
            except requests.RequestException:
                return False
            return answer.status_code == 200


def _require_attributes(folder: Path) -> None:
    with tempfile.NamedTemporaryFile(dir=folder) as probe:
        try:
            os.setxattr(probe.name, "user.probe", b"1")
        except OSError as error:
            raise NotReady(
                f"the file system of {folder} lacks user extended attributes, which the local S3 "
                "server needs: set TMPDIR to a folder on ext4, xfs or btrfs"
            ) from error
