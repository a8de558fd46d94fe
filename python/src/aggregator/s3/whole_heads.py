"""An answer that breaks off in its status line or headers fails (SPEC E5).

http.client, which is below boto3, takes the end of the connection for the end of the headers. So an
object's answer that is cut there looks like an empty object. No option of boto3 changes that.
"""

from http.client import HTTPResponse, RemoteDisconnected
from io import BufferedReader
from typing import Any


class WholeHead(HTTPResponse):
    """The class of a connection's answers (``response_class``)."""

    fp: Any

    def begin(self) -> None:
        """Read the status line and the headers."""
        connection = self.fp
        self.fp = _WholeLines(connection)
        try:
            super().begin()
        finally:
            self.fp = connection


class _WholeLines:
    """The part of a connection that ``begin`` uses."""

    def __init__(self, connection: BufferedReader) -> None:
        self.close = connection.close
        self._readline = connection.readline

    def readline(self, limit: int) -> bytes:
        line = self._readline(limit)
        if not line.endswith(b"\n") and len(line) < limit:
            raise RemoteDisconnected("the answer broke off in its head")
        return line
