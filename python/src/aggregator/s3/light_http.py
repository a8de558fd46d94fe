"""Signed HTTP requests of the client ``light`` (SPEC E5) by AWS's Common Runtime, a C library.

The runtime repeats nothing, follows no redirect and sends a path as it is given. Holds idle
connections, as many as were in flight at most, for as long as the sandbox lives.
"""

import asyncio
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from datetime import UTC, datetime
from functools import cache
from io import SEEK_END, BytesIO
from threading import Thread
from typing import Any

from awscrt.auth import (
    AwsCredentialsProvider,
    AwsSignedBodyHeaderType,
    AwsSigningConfig,
    aws_sign_request,
)
from awscrt.exceptions import AwsCrtError
from awscrt.http import HttpClientConnection, HttpHeaders, HttpRequest
from awscrt.io import (
    ClientBootstrap,
    ClientTlsContext,
    DefaultHostResolver,
    EventLoopGroup,
    SocketOptions,
    TlsContextOptions,
)

from aggregator.s3.credentials import Keys
from aggregator.s3.endpoint import Address, address_of
from aggregator.store import AttemptError, Body
from aggregator.tuning.event_thread import settle_event_thread

_CONNECT_S = 3
_SILENCE_S = 10
_NOTHING = BytesIO()


class Answer:
    """One answer; the runtime's thread fills it."""

    def __init__(self, limit: int | None, content: Body) -> None:
        self.status = 0
        self.too_large = False
        self.closes = False
        self.etag = ""
        self._parts: list[bytes] = []
        self._limit = limit
        self._content = content
        self._before: object = None
        self._silent_s = 0

    @property
    def body(self) -> bytes:
        return b"".join(self._parts)

    @property
    def is_silent(self) -> bool:
        return self._silent_s >= _SILENCE_S

    def pass_second(self) -> None:
        """Count the seconds since anything was sent or has arrived."""
        now = (self.status, len(self._parts), self._content.tell())
        self._silent_s = self._silent_s + 1 if now == self._before else 0
        self._before = now

    def begin(
        self, http_stream: Any, status_code: int, headers: Sequence[tuple[str, str]], **_: object
    ) -> None:
        settle_event_thread()
        fields = {name.lower(): value for name, value in headers}
        self.status = status_code
        self.closes = fields.get("connection", "").lower() == "close"
        self.etag = fields.get("etag", "")
        size = int(fields.get("content-length", 0))
        if status_code == 200 and self._limit is not None and size > self._limit:
            self.too_large = True
            http_stream.connection.close()

    def add(self, chunk: bytes, **_: object) -> None:
        self._parts.append(chunk)


class LightHttp:
    """Sends requests over connections that it keeps for the next ones."""

    def __init__(
        self, endpoint: str | None, region: str, keys: Callable[[], Awaitable[Keys]]
    ) -> None:
        self._endpoint = endpoint
        self._region = region
        self._keys = keys
        loop = EventLoopGroup(1)
        self._bootstrap = ClientBootstrap(loop, DefaultHostResolver(loop))
        self._socket = SocketOptions()
        self._socket.connect_timeout_ms = _CONNECT_S * 1000
        self._idle: defaultdict[Address, list[HttpClientConnection]] = defaultdict(list)
        self._running: dict[Answer, HttpClientConnection] = {}
        Thread(target=self._close_silent, daemon=True).start()

    async def send(
        self,
        method: str,
        bucket: str,
        path: str,
        headers: dict[str, str] | None = None,
        body: Body = _NOTHING,
        limit: int | None = None,
    ) -> Answer:
        """One request; raise ``AttemptError`` unless a whole answer arrives.

        The path is percent-encoded. An answer whose body exceeds ``limit`` bytes is cut off.
        """
        address = address_of(self._endpoint, self._region, bucket)
        answer = Answer(limit, body)
        try:
            fields = {"host": address.authority, **(headers or {})}
            request = _request(method, address.root + path, fields, body)
            signing = _signing(self._region, await self._keys())
            aws_sign_request(request, signing).result()  # there at once: the keys are at hand
            connection = self._idle_connection(address) or await self._open(address)
            await self._exchange(connection, request, answer)
        except (AwsCrtError, TimeoutError) as error:
            cause = f"{type(error).__name__}: {error}"
            if answer.is_silent:
                cause = f"TimeoutError: nothing for {_SILENCE_S} s"
            if not answer.too_large:
                raise AttemptError(cause, again=True) from error
        else:
            if not answer.closes:
                self._idle[address].append(connection)
        return answer

    async def _exchange(
        self, connection: HttpClientConnection, request: HttpRequest, answer: Answer
    ) -> None:
        loop = asyncio.get_running_loop()
        completed: asyncio.Future[None] = loop.create_future()

        def complete(completion: Future[int]) -> None:  # in the runtime's thread
            with suppress(RuntimeError):  # the invocation is over, and its loop closed
                loop.call_soon_threadsafe(_settle, completed, completion.exception())

        stream = connection.request(request, answer.begin, answer.add)
        stream.completion_future.add_done_callback(complete)
        self._running[answer] = connection
        try:
            stream.activate()
            await completed
        except asyncio.CancelledError:
            connection.close()
            raise
        finally:
            del self._running[answer]

    def _close_silent(self) -> None:
        """A thread: once a second close the connections on which nothing moves."""
        while True:
            time.sleep(1)
            for answer, connection in list(self._running.items()):
                answer.pass_second()
                if answer.is_silent:
                    connection.close()

    def _idle_connection(self, address: Address) -> HttpClientConnection | None:
        idle = self._idle[address]
        while idle:
            connection = idle.pop()
            if connection.is_open():
                return connection
        return None

    async def _open(self, address: Address) -> HttpClientConnection:
        tls = None
        if address.secure:
            tls = _tls().new_connection_options()
            tls.set_server_name(address.host)
        opening = HttpClientConnection.new(
            address.host, address.port, self._bootstrap, self._socket, tls
        )
        try:
            async with asyncio.timeout(_CONNECT_S):
                return await asyncio.shield(asyncio.wrap_future(opening))
        except TimeoutError:
            raise TimeoutError(f"no connection in {_CONNECT_S} s") from None


def _settle(completed: asyncio.Future[None], error: BaseException | None) -> None:
    if completed.done():  # cancelled
        return
    if error is None:
        completed.set_result(None)
    else:
        completed.set_exception(error)


def _request(method: str, path: str, headers: dict[str, str], content: Body) -> HttpRequest:
    size = content.seek(0, SEEK_END)
    content.seek(0)
    if method == "PUT":
        headers["content-length"] = str(size)
    return HttpRequest(method, path, HttpHeaders(list(headers.items())), content if size else None)


def _signing(region: str, keys: Keys) -> AwsSigningConfig:
    return AwsSigningConfig(
        credentials_provider=AwsCredentialsProvider.new_static(*keys),
        region=region,
        service="s3",
        date=datetime.now(UTC),
        use_double_uri_encode=False,
        should_normalize_uri_path=False,
        signed_body_header_type=AwsSignedBodyHeaderType.X_AMZ_CONTENT_SHA_256,
    )


@cache
def _tls() -> ClientTlsContext:
    return ClientTlsContext(TlsContextOptions())
