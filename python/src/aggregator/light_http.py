"""Part of step store (SPEC E5, S10): signed requests over AWS's Common Runtime, a C library.

It repeats nothing, follows no redirect and sends a path as it is given. Holds idle connections, no
more than were ever in flight, for as long as the sandbox lives.
"""

import re
from collections import defaultdict, deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from functools import cache
from io import BytesIO
from typing import Any, NamedTuple

from awscrt.auth import (
    AwsCredentialsProvider,
    AwsSignedBodyHeaderType,
    AwsSigningConfig,
    aws_sign_request,
)
from awscrt.exceptions import AwsCrtError
from awscrt.http import HttpClientConnection, HttpClientStream, HttpHeaders, HttpRequest
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

_CONNECT_S = 3
_SILENCE_S = 10
_ENDPOINT = re.compile(r"(https?)://(\[?([^/]+?)\]?(?::([0-9]+))?)/?")
_NO_HEADERS: dict[str, str] = {}


class Address(NamedTuple):
    """Where a bucket's requests go; ``root`` stands before a path, ``authority`` is for Host."""

    secure: bool
    host: str
    port: int
    authority: str
    root: str


class Answer:
    """What has arrived; filled by the runtime's thread."""

    def __init__(self, limit: int | None) -> None:
        self.status = 0
        self.too_large = False
        self.closes = False
        self.parts: list[bytes] = []
        self._limit = limit

    @property
    def body(self) -> bytes:
        return b"".join(self.parts)

    def begin(
        self,
        http_stream: Any,
        status_code: int,
        headers: Sequence[tuple[str, str]],
        **_: object,
    ) -> None:
        fields = {name.lower(): value for name, value in headers}
        self.status = status_code
        self.closes = fields.get("connection", "").lower() == "close"
        size = int(fields.get("content-length", 0))
        if status_code == 200 and self._limit is not None and size > self._limit:
            self.too_large = True
            http_stream.connection.close()

    def add(self, chunk: bytes, **_: object) -> None:
        self.parts.append(chunk)


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

    def exchange(
        self,
        method: str,
        bucket: str,
        path: str,
        headers: dict[str, str] = _NO_HEADERS,
        body: bytes = b"",
        limit: int | None = None,
    ) -> Answer:
        """Send one request; raise ``AttemptError`` unless a whole answer arrives.

        The path is percent-encoded. An answer whose body exceeds ``limit`` bytes is cut off.
        """
        address = address_of(self._endpoint, self._region, bucket)
        fields = {"host": address.authority, **headers}
        if method == "PUT":
            fields["content-length"] = str(len(body))
        content = BytesIO(body)
        sent = HttpHeaders(list(fields.items()))
        request = HttpRequest(method, address.root + path, sent, content if body else None)
        answer = Answer(limit)
        try:
            aws_sign_request(request, self._signing()).result()
            connection = self._connection(address)
            stream = connection.request(request, answer.begin, answer.add)
            stream.activate()
            if not _completes(stream, lambda: (answer.status, len(answer.parts), content.tell())):
                connection.close()
                raise TimeoutError(f"nothing for {_SILENCE_S} s")
        except (AwsCrtError, TimeoutError) as error:
            if not answer.too_large:
                raise AttemptError(f"{type(error).__name__}: {error}", again=True) from error
        if not answer.closes:
            self._idle[address].append(connection)
        return answer

    def _signing(self) -> AwsSigningConfig:
        return AwsSigningConfig(
            credentials_provider=AwsCredentialsProvider.new_static(*self._keys()),
            region=self._region,
            service="s3",
            use_double_uri_encode=False,
            should_normalize_uri_path=False,
            signed_body_header_type=AwsSignedBodyHeaderType.X_AMZ_CONTENT_SHA_256,
        )

    def _connection(self, address: Address) -> HttpClientConnection:
        idle = self._idle[address]
        while idle:
            connection = idle.pop()
            if connection.is_open():
                return connection
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


def _completes(stream: HttpClientStream, progress: Callable[[], object]) -> bool:
    """Whether the answer arrives whole: not when nothing moves for too long."""
    before, silent_s = progress(), 0
    while silent_s < _SILENCE_S:
        try:
            stream.completion_future.result(1)
        except TimeoutError:
            now = progress()
            silent_s = silent_s + 1 if now == before else 0
            before = now
        else:
            return True
    return False


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
