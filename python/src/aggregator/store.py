"""Step: store (SPEC S12, R1, R2, R9, W12, E5). What the other steps ask of S3.

Each call is one attempt. The package ``s3`` holds two clients with this interface. A call holds
one body or page.
"""

import re
from io import BytesIO, RawIOBase
from typing import NamedTuple, Protocol

PAGE_LIMIT = 16 << 20  #: no page is larger (L8)

_LARGEST = 2**53
_CODE = re.compile("[A-Za-z][A-Za-z0-9.]*")

type Body = BytesIO | RawIOBase  #: seekable


class AttemptError(Exception):
    """One attempt failed; ``again`` tells whether another one may succeed.

    ``code`` is S3's, and empty if it gave none.
    """

    def __init__(self, cause: str, *, again: bool, code: str = "") -> None:
        super().__init__(cause)
        self.again = again
        self.code = code if _CODE.fullmatch(code) else ""

    @property
    def is_slow_down(self) -> bool:
        """Whether S3 asks for fewer requests, instead of refusing this one (E8)."""
        return self.again and self.code == "SlowDown"


class Listed(NamedTuple):
    """An object in a listing; ``size`` is in bytes, as stored."""

    key: str
    size: int


class Page(NamedTuple):
    """One answer to a listing; ``next_token`` is ``None`` on the last page."""

    objects: list[Listed]
    prefixes: list[str]
    next_token: str | None


class Tagged(NamedTuple):
    """An object that may be written on the condition that it has not changed."""

    body: bytes
    etag: str


class Store(Protocol):
    """Five operations: get also gives the ETag, put and delete also take a condition.

    Each makes one attempt and raises ``AttemptError`` when it fails.
    """

    async def list_page(self, bucket: str, prefix: str, delimiter: str, token: str | None) -> Page:
        """One page, its keys decoded (L4). ``delimiter`` may be empty."""

    async def get(self, bucket: str, key: str, limit: int) -> bytes:
        """The body as stored (R3).

        Raise ``BadSourceError``: ``MISSING``, ``ARCHIVED``, ``TOO_LARGE`` above ``limit`` bytes.
        """

    async def get_tagged(self, bucket: str, key: str, limit: int) -> Tagged | None:
        """``None`` if there is no such object. A body above ``limit`` bytes is left empty."""

    async def put(self, bucket: str, key: str, body: Body, content_type: str) -> None:
        """Send the body from its first byte: an attempt before may have read some of it."""

    async def put_if(
        self, bucket: str, key: str, body: Body, content_type: str, etag: str | None
    ) -> str | None:
        """Replace the object with this ETag, or with ``None`` make one where there is none.

        The new ETag, or ``None`` if S3 refuses the condition.
        """

    async def copy(self, bucket: str, from_key: str, to_key: str) -> None: ...

    async def delete(self, bucket: str, key: str) -> None: ...

    async def delete_if(self, bucket: str, key: str, etag: str) -> None:
        """Delete the object with this ETag; do nothing if there is another one or none."""


def refusal(status: int, code: str) -> AttemptError:
    """The failure that S3 has answered. Most of 3xx and 4xx are final (E5)."""
    passing = status in (408, 409, 429) or (status, code) == (400, "RequestTimeout")
    return AttemptError(f"{status} {code}", again=passing or not 300 <= status < 500, code=code)


def is_missing(status: int, code: str) -> bool:
    """Whether S3 answers that there is no such object; its bucket may be missing instead."""
    return (status, code) == (404, "NoSuchKey")


def is_archived(status: int, code: str) -> bool:
    """Whether S3 answers that the object must be restored first."""
    return (status, code) == (403, "InvalidObjectState")


def is_unmet(status: int, code: str) -> bool:
    """Whether S3 refuses the condition of a write: the object has changed, or is gone."""
    return status == 412 or is_missing(status, code)


def whole_page(
    prefix: str, objects: list[Listed], prefixes: list[str], token: str | None, *, truncated: bool
) -> Page:
    """The page of a listing below ``prefix``; ``AttemptError`` if it breaks L8."""
    if truncated and not token:
        raise AttemptError("200 truncated without a token", again=True)
    if not all(0 <= found.size <= _LARGEST for found in objects):
        raise AttemptError("200 with an impossible size", again=True)
    keys = [found.key for found in objects]
    if not all(key.startswith(prefix) for key in keys + prefixes):
        raise AttemptError("200 with a key outside the prefix", again=True)
    return Page(objects, prefixes, token if truncated else None)
