"""Signed HTTP requests of the client ``light`` (SPEC E5) by AWS's Common Runtime, a C library.

The runtime repeats nothing, follows no redirect and sends a path as it is given. Holds idle
connections, as many as were in flight at most; the oldest are closed when one is needed (E9).
"""

import asyncio
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import Future
from functools import cache, partial
from io import SEEK_END, BytesIO
from threading import Thread
from typing import Any

from awscrt.exceptions import AwsCrtError
from awscrt.http import HttpClientConnection, HttpHeaders, HttpProxyOptions, HttpRequest
from awscrt.io import (
    ClientBootstrap,
    ClientTlsContext,
    DefaultHostResolver,
    EventLoopGroup,
    SocketOptions,
    TlsContextOptions,
)

from aggregator.config import Config
from aggregator.s3.credentials import Keys
from aggregator.s3.endpoint import Address, address_of
from aggregator.s3.odd_answers import ask
from aggregator.s3.signer import Signer
from aggregator.store import AttemptError, Body
from aggregator.tuning.event_thread import settle_event_thread
from aggregator.tuning.no_delay import send_at_once

_CONNECT_S = 3
_SILENCE_S = 10
_IDLE_S = 5
_BODY_LIMIT = 1 << 20  # of an answer that only says how it went
_NO_UTF8 = "AWS_ERROR_UNKNOWN"  # what awscrt says of such headers
_NOTHING = BytesIO()

type _Idle = list[tuple[HttpClientConnection, float]]  #: and since when


class Answer:
    """One answer; the runtime's thread fills it. The runtime can't take one that ``is_odd``."""

    def __init__(self, limit: int, content: Body) -> None:
        self.status = 0
        self.too_large = False
        self.closes = False
        self.is_odd = False
        self.etag = ""
        self.parts: list[bytes] = []
        self._room = limit
        self._content = content
        self._before: object = None
        self._silent_s = 0

    @property
    def body(self) -> bytes:
        return b"".join(self.parts)

    @property
    def is_silent(self) -> bool:
        return self._silent_s >= _SILENCE_S

    def pass_second(self) -> None:
        """Count the seconds since anything was sent or has arrived."""
        now = (self.status, len(self.parts), self._content.tell())
        self._silent_s = self._silent_s + 1 if now == self._before else 0
        self._before = now

    def begin(
        self, http_stream: Any, status_code: int, headers: Sequence[tuple[str, str]], **_: object
    ) -> None:
        settle_event_thread()
        fields = {name.lower(): value for name, value in headers}
        self.status = status_code
        self.etag = fields.get("etag", "")
        self.closes = fields.get("connection", "").lower() == "close"
        if "content-length" not in fields and "transfer-encoding" not in fields:
            self.is_odd = status_code not in (204, 304)  # its body ends with the connection
        if status_code >= 300:
            self._room = max(self._room, _BODY_LIMIT)
        if int(fields.get("content-length", 0)) > self._room:
            self.too_large = True
            http_stream.connection.close()

    def add(self, http_stream: Any, chunk: bytes, **_: object) -> None:
        self.parts.append(chunk)
        self._room -= len(chunk)
        if self._room < 0:
            self.too_large = True
            http_stream.connection.close()


class LightHttp:
    """Sends requests over connections that it keeps for the next ones."""

    def __init__(self, config: Config, keys: Callable[[], Awaitable[Keys]]) -> None:
        self._ca_bundle = config.ca_bundle
        self._address_of = cache(partial(address_of, config))
        self._keys = keys
        loop = EventLoopGroup(1)
        self._bootstrap = ClientBootstrap(loop, DefaultHostResolver(loop))
        self._socket = SocketOptions()
        self._socket.connect_timeout_ms = _CONNECT_S * 1000
        self._meets_odd_answers = False
        self._signer = Signer(config.region)
        self._idle: defaultdict[Address, _Idle] = defaultdict(list)
        self._running: dict[Answer, HttpClientConnection] = {}
        Thread(target=self._close_silent, daemon=True).start()

    async def send(
        self,
        method: str,
        bucket: str,
        path: str,
        headers: dict[str, str] | None = None,
        body: Body = _NOTHING,
        limit: int = _BODY_LIMIT,
    ) -> Answer:
        """One request; raise ``AttemptError`` unless a whole answer arrives.

        The path is percent-encoded. An answer whose body exceeds ``limit`` bytes is cut off.
        """
        address = self._address_of(bucket)
        fields = {"host": address.authority, **(headers or {})}
        request = _request(method, address.root + path, fields, body)
        keys = await self._keys()
        try:
            self._signer.sign(request, keys)
        except AwsCrtError as error:
            raise AttemptError(str(error), again=True) from error
        if not self._meets_odd_answers:
            answer = Answer(limit, body)
            await self._send_by_runtime(address, request, answer)
            if not answer.is_odd:
                return answer
            self._meets_odd_answers = True
        return await self._send_by_http_client(address, request, body, limit)

    async def _send_by_runtime(
        self, address: Address, request: HttpRequest, answer: Answer
    ) -> None:
        idle = self._idle[address]
        try:
            connection = _youngest(idle) or await self._open(address)
            await self._exchange(connection, request, answer)
        except (AwsCrtError, TimeoutError) as error:
            if isinstance(error, AwsCrtError) and error.name == _NO_UTF8 and not answer.status:
                answer.is_odd = True
                return
            cause = f"{type(error).__name__}: {error}"
            if answer.is_silent:
                cause = f"TimeoutError: nothing for {_SILENCE_S} s"
            if not answer.too_large:
                # Those in flight find their list given up and are closed at their end.
                for each, _ in self._idle.pop(address, ()):
                    each.close()
                raise AttemptError(cause, again=True) from error
        else:
            if answer.closes or self._idle[address] is not idle:
                connection.close()
            else:
                idle.append((connection, time.monotonic()))

    async def _send_by_http_client(
        self, address: Address, request: HttpRequest, body: Body, limit: int
    ) -> Answer:
        answer = Answer(limit, body)
        times_s = _CONNECT_S, _SILENCE_S
        answer.status, fields, answer.parts = await ask(
            address, self._ca_bundle, request, body, limit, times_s
        )
        answer.etag = fields.get("etag", "")
        answer.too_large = sum(map(len, answer.parts)) > limit
        return answer

    async def _exchange(
        self, connection: HttpClientConnection, request: HttpRequest, answer: Answer
    ) -> None:
        loop = asyncio.get_running_loop()
        completed: asyncio.Future[None] = loop.create_future()

        def complete(completion: Future[int]) -> None:  # in the runtime's thread
            try:
                loop.call_soon_threadsafe(_settle, completed, completion.exception())
            except RuntimeError:
                return  # the invocation is over, and its loop closed

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

    async def _open(self, address: Address) -> HttpClientConnection:
        tls = proxy = None
        if address.secure:
            tls = _tls(self._ca_bundle).new_connection_options()
            tls.set_server_name(address.host)
        if address.proxy:
            proxy = HttpProxyOptions(address.proxy.host, address.proxy.port)
        opening = HttpClientConnection.new(
            address.host, address.port, self._bootstrap, self._socket, tls, proxy
        )
        try:
            async with asyncio.timeout(_CONNECT_S):
                connection: HttpClientConnection = await asyncio.shield(
                    asyncio.wrap_future(opening)
                )
        except TimeoutError:
            raise TimeoutError(f"no connection in {_CONNECT_S} s") from None
        send_at_once()
        return connection


def _youngest(idle: _Idle) -> HttpClientConnection | None:
    """An idle connection, unless even the youngest is too old (E9)."""
    while idle:
        connection, since = idle.pop()
        if time.monotonic() - since < _IDLE_S and connection.is_open():
            return connection
        connection.close()
    return None


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


@cache
def _tls(ca_bundle: str | None) -> ClientTlsContext:
    options = TlsContextOptions()
    if ca_bundle is not None:
        options.override_default_trust_store_from_path(ca_filepath=ca_bundle)
    return ClientTlsContext(options)
