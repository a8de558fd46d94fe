"""Access to an S3 server: its address and keys, and a client made of them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import boto3

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

REGION = "us-east-1"


class S3Access(Protocol):
    """An S3 server, such as ``S3Server``; over TLS it is known by ``ca_bundle``."""

    @property
    def endpoint(self) -> str: ...
    @property
    def access_key(self) -> str: ...
    @property
    def secret_key(self) -> str: ...
    @property
    def ca_bundle(self) -> Path | None: ...


def open_s3(server: S3Access) -> S3Client:
    """A client of ``server``. Close it before the server ends: the server waits for connections."""
    return boto3.client(
        "s3",
        endpoint_url=server.endpoint,
        region_name=REGION,
        aws_access_key_id=server.access_key,
        aws_secret_access_key=server.secret_key,
        verify=None if server.ca_bundle is None else str(server.ca_bundle),
    )
