"""Answers that break off in their status line or headers fail (SPEC E5), also for the SDK.

http.client, which is below boto3, takes the end of the connection for the end of the headers. Then
a read that was cut off is an object without a byte. No option of boto3 changes that.
"""

from http.client import HTTPResponse, RemoteDisconnected
from io import BufferedReader
from typing import Any

from botocore.awsrequest import AWSHTTPConnection, AWSHTTPSConnection


class _WholeHead(HTTPResponse):
    fp: Any

    def begin(self) -> None:
        """Read the status line and the headers."""
        connection = self.fp
        self.fp = _WholeLines(connection)
        super().begin()
        self.fp = connection


class _WholeLines:
    """What ``begin`` uses of a connection."""

    def __init__(self, connection: BufferedReader) -> None:
        self.close = connection.close
        self._readline = connection.readline

    def readline(self, limit: int) -> bytes:
        line = self._readline(limit)
        if not line.endswith(b"\n") and len(line) < limit:
            raise RemoteDisconnected("the answer broke off in its head")
        return line


def require_whole_heads() -> None:
    """From now on, for all of boto3's connections."""
    for connection in (AWSHTTPConnection, AWSHTTPSConnection):
        connection.response_class = _WholeHead  # type: ignore[assignment]
