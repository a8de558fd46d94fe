"""Part of step store (SPEC E5, S10): signed requests over AWS's Common Runtime, a C library.

It repeats nothing, follows no redirect and sends a path as it is given. Holds idle connections, no
more than were ever in flight, for as long as the sandbox lives.
"""

import os
import re
import time
from collections import defaultdict, deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from ctypes import pythonapi
from datetime import UTC, datetime
from functools import cache, lru_cache
from io import SEEK_END, BytesIO
from threading import Semaphore, Thread, local
from typing import Any, NamedTuple, Self

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

from aggregator.attempts import AttemptError
from aggregator.credentials import Keys
from aggregator.store import Body

_CONNECT_S = 3
_SILENCE_S = 10
_ENDPOINT = re.compile(r"(https?)://(\[?([^/]+?)\]?(?::([0-9]+))?)/?")
_NO_HEADERS: dict[str, str] = {}
_NOTHING = BytesIO()
_thread = local()


class Address(NamedTuple):
    """Where a bucket's requests go; ``root`` stands before a path, ``authority`` is for Host."""

    secure: bool
    host: str
    port: int
    authority: str
    root: str


class Answer:
    """What has arrived; filled by the runtime's thread."""

    def __init__(self, limit: int | None, content: Body) -> None:
        self.status = 0
        self.too_large = False
        self.closes = False
        self.error: BaseException | None = None
        self._parts: list[bytes] = []
        self._limit = limit
        self._content = content
        self._before: object = None
        self._silent_s = 0

    @property
    def body(self) -> bytes:
        return b"".join(self._parts)

    def whole(self) -> Self:
        """Itself; raise ``AttemptError`` unless all of it has arrived, or is not wanted."""
        if self.error and not self.too_large:
            cause = f"{type(self.error).__name__}: {self.error}"
            if self.is_silent:
                cause = f"TimeoutError: nothing for {_SILENCE_S} s"
            raise AttemptError(cause, again=True) from self.error
        return self

    @property
    def is_silent(self) -> bool:
        return self._silent_s >= _SILENCE_S

    def pass_second(self) -> None:
        """Note whether anything has moved."""
        now = (self.status, len(self._parts), self._content.tell())
        self._silent_s = self._silent_s + 1 if now == self._before else 0
        self._before = now

    def begin(
        self,
        http_stream: Any,
        status_code: int,
        headers: Sequence[tuple[str, str]],
        **_: object,
    ) -> None:
        _settle_thread()
        fields = {name.lower(): value for name, value in headers}
        self.status = status_code
        self.closes = fields.get("connection", "").lower() == "close"
        size = int(fields.get("content-length", 0))
        if status_code == 200 and self._limit is not None and size > self._limit:
            self.too_large = True
            http_stream.connection.close()

    def add(self, chunk: bytes, **_: object) -> None:
        self._parts.append(chunk)


class LightHttp:
    """Safe to share between threads."""

    def __init__(self, endpoint: str | None, region: str, keys: Callable[[], Keys]) -> None:
        self._endpoint = endpoint
        self._region = region
        self._keys = keys
        loop = EventLoopGroup(1)
        self._bootstrap = ClientBootstrap(loop, DefaultHostResolver(loop))
        self._socket = SocketOptions()
        self._socket.connect_timeout_ms = _CONNECT_S * 1000
        self._idle: defaultdict[Address, deque[HttpClientConnection]] = defaultdict(deque)
        self._running: dict[Answer, HttpClientConnection] = {}
        Thread(target=self._watch, daemon=True).start()

    def begin(self, bucket: str, path: str, limit: int, done: Callable[[Answer], None]) -> bool:
        """Send a GET if there is an idle connection; ``done`` is told by the runtime's thread."""
        address = address_of(self._endpoint, self._region, bucket)
        connection = self._idle_connection(address)
        if connection is None:
            return False
        try:
            request = self._signed("GET", address, path)
            self._send(connection, address, request, Answer(limit, _NOTHING), done)
        except AwsCrtError:  # it was closed meanwhile
            return False
        return True

    def exchange(
        self,
        method: str,
        bucket: str,
        path: str,
        headers: dict[str, str] = _NO_HEADERS,
        body: Body = _NOTHING,
        limit: int | None = None,
    ) -> Answer:
        """Send one request; raise ``AttemptError`` unless a whole answer arrives.

        The path is percent-encoded. An answer whose body exceeds ``limit`` bytes is cut off.
        """
        address = address_of(self._endpoint, self._region, bucket)
        ended = Semaphore(0)
        answer = Answer(limit, body)
        try:
            request = self._signed(method, address, path, headers, body)
            connection = self._idle_connection(address) or self._open(address)
            self._send(connection, address, request, answer, lambda _: ended.release())
        except (AwsCrtError, TimeoutError) as error:
            raise AttemptError(f"{type(error).__name__}: {error}", again=True) from error
        ended.acquire()
        return answer.whole()

    def _send(
        self,
        connection: HttpClientConnection,
        address: Address,
        request: HttpRequest,
        answer: Answer,
        done: Callable[[Answer], None],
    ) -> None:
        def end(completion: Future[int]) -> None:
            del self._running[answer]
            if not answer.closes:
                self._idle[address].append(connection)
            answer.error = completion.exception()
            done(answer)

        stream = connection.request(request, answer.begin, answer.add)
        stream.completion_future.add_done_callback(end)
        self._running[answer] = connection
        try:
            stream.activate()
        except AwsCrtError:  # then nothing completes
            del self._running[answer]
            raise

    def _watch(self) -> None:
        """End what is silent for too long."""
        while True:
            time.sleep(1)
            for answer, connection in list(self._running.items()):
                answer.pass_second()
                if answer.is_silent:
                    connection.close()

    def _signed(
        self,
        method: str,
        address: Address,
        path: str,
        headers: dict[str, str] = _NO_HEADERS,
        content: Body = _NOTHING,
    ) -> HttpRequest:
        size = content.seek(0, SEEK_END)
        content.seek(0)
        fields = {"host": address.authority, **headers}
        if method == "PUT":
            fields["content-length"] = str(size)
        sent = HttpHeaders(list(fields.items()))
        request = HttpRequest(method, address.root + path, sent, content if size else None)
        aws_sign_request(request, _signing(self._region, self._keys(), int(time.time()))).result()
        return request

    def _idle_connection(self, address: Address) -> HttpClientConnection | None:
        idle = self._idle[address]
        with suppress(IndexError):  # another thread may take the last one
            while not (connection := idle.pop()).is_open():
                pass
            return connection
        return None

    def _open(self, address: Address) -> HttpClientConnection:
        tls = None
        if address.secure:
            tls = _tls().new_connection_options()
            tls.set_server_name(address.host)
        opening: Future[HttpClientConnection] = HttpClientConnection.new(
            address.host, address.port, self._bootstrap, self._socket, tls
        )
        try:
            return opening.result(_CONNECT_S)
        except TimeoutError:
            raise TimeoutError(f"no connection in {_CONNECT_S} s") from None


@lru_cache(maxsize=1)
def _signing(region: str, keys: Keys, second: int) -> AwsSigningConfig:
    """What all signatures of a second have in common: their date is a whole second."""
    return AwsSigningConfig(
        credentials_provider=AwsCredentialsProvider.new_static(*keys),
        region=region,
        service="s3",
        date=datetime.fromtimestamp(second, UTC),
        use_double_uri_encode=False,
        should_normalize_uri_path=False,
        signed_body_header_type=AwsSignedBodyHeaderType.X_AMZ_CONTENT_SHA_256,
    )


def _settle_thread() -> None:
    """Let the runtime's thread keep what Python allots to a thread that calls it.

    Python frees that after each call from a thread which it has not started, and there are three
    calls a GET: a third of its CPU went there. What is asked for once more is not freed.

    And let it not interrupt the consumer whenever something arrives, but take turns with it.
    """
    if not hasattr(_thread, "is_settled"):
        pythonapi.PyGILState_Ensure()
        _thread.is_settled = True
        with suppress(AttributeError, OSError):  # Linux has it, but a sandbox may refuse
            os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))


@cache
def _tls() -> ClientTlsContext:
    return ClientTlsContext(TlsContextOptions())


@cache
def address_of(endpoint: str | None, region: str, bucket: str) -> Address:
    """The bucket below an endpoint that is set, or its own host at AWS."""
    if endpoint is None:
        host = f"s3.{region}.amazonaws.com{'.cn' if region.startswith('cn-') else ''}"
        if "." in bucket:  # AWS's certificate covers no further dot
            return Address(True, host, 443, host, f"/{bucket}")
        return Address(True, f"{bucket}.{host}", 443, f"{bucket}.{host}", "")
    match = _ENDPOINT.fullmatch(endpoint)
    assert match, "config lets no other endpoint pass"
    scheme, authority, host, port = match.groups()
    secure = scheme == "https"
    return Address(secure, host, int(port or (443 if secure else 80)), authority, f"/{bucket}")
