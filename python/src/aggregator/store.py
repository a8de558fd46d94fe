"""Step: store (SPEC L4, R1, R3, E5). The narrow door to S3: each call is one attempt.

Behind it are two clients, of which a sandbox loads one. Holds a body or page per call.
"""

import sys
from collections.abc import Callable
from io import BytesIO, RawIOBase
from typing import NamedTuple, Protocol

from aggregator.attempts import Attempt, AttemptError
from aggregator.config import Config

type Body = BytesIO | RawIOBase  #: seekable


class Listed(NamedTuple):
    """An object as a listing tells it; the size is in bytes, as stored."""

    key: str
    size: int


class Page(NamedTuple):
    """One answer to a listing; ``next_token`` is ``None`` on the last page."""

    objects: list[Listed]
    prefixes: list[str]
    next_token: str | None


class Store(Protocol):
    """Five operations, one attempt each; any may raise ``AttemptError``."""

    def list_page(self, bucket: str, prefix: str, delimiter: str, token: str | None) -> Page: ...

    def get(self, bucket: str, key: str, limit: int) -> bytes:
        """Raise ``BadSourceError``: ``MISSING``, or ``TOO_LARGE`` above ``limit`` bytes."""

    def begin_get(
        self, bucket: str, key: str, limit: int, done: Callable[[Attempt[bytes]], None]
    ) -> bool:
        """``get`` without a thread, if the client can do that now; ``done`` is told from any."""

    def put(self, bucket: str, key: str, body: Body, content_type: str) -> None:
        """Send all of the body, wherever it stands."""

    def copy(self, bucket: str, from_key: str, to_key: str) -> None: ...

    def delete(self, bucket: str, key: str) -> None: ...


def open_store(config: Config) -> Store:
    """The client that ``S3_CLIENT`` names (S12); the other one's modules stay unloaded."""
    if config.s3_client == "light":
        from aggregator.light_store import LightStore

        return LightStore(config)
    # botocore loads the light client's library where it finds it, and has no use for it here.
    sys.modules.setdefault("awscrt", None)  # type: ignore[arg-type]  # None: not to be found
    from aggregator.sdk_store import SdkStore

    return SdkStore(config)


def refusal(status: int, code: str) -> AttemptError:
    """The failure that an HTTP status tells of; most refusals are final (E5)."""
    again = not 300 <= status < 500 or status in (408, 429)
    return AttemptError(f"{status} {code}", again=again)
