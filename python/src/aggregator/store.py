"""Step: store (SPEC L4, R1, R3, E5). What the other steps ask of S3; each call is one attempt.

The package ``s3`` holds two clients with this interface. A call holds one body or page.
"""

from io import BytesIO, RawIOBase
from typing import NamedTuple, Protocol

type Body = BytesIO | RawIOBase  #: seekable


class AttemptError(Exception):
    """One attempt failed; ``again`` tells whether another one may succeed."""

    def __init__(self, cause: str, *, again: bool) -> None:
        super().__init__(cause)
        self.again = again


class Listed(NamedTuple):
    """An object in a listing; ``size`` is in bytes, as stored."""

    key: str
    size: int


class Page(NamedTuple):
    """One answer to a listing; ``next_token`` is ``None`` on the last page."""

    objects: list[Listed]
    prefixes: list[str]
    next_token: str | None


class Store(Protocol):
    """Five operations. Each makes one attempt and raises ``AttemptError`` when it fails."""

    async def list_page(
        self, bucket: str, prefix: str, delimiter: str, token: str | None
    ) -> Page: ...

    async def get(self, bucket: str, key: str, limit: int) -> bytes:
        """Raise ``BadSourceError``: ``MISSING``, or ``TOO_LARGE`` above ``limit`` bytes."""

    async def put(self, bucket: str, key: str, body: Body, content_type: str) -> None:
        """Send all of the body, wherever its position is."""

    async def copy(self, bucket: str, from_key: str, to_key: str) -> None: ...

    async def delete(self, bucket: str, key: str) -> None: ...


def refusal(status: int, code: str) -> AttemptError:
    """The failure for an HTTP status; after most of them no other attempt is made (E5)."""
    again = not 300 <= status < 500 or status in (408, 429)
    return AttemptError(f"{status} {code}", again=again)
