"""What only the light client does by itself: signing, hosts, silence."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from http.server import ThreadingHTTPServer
from io import BytesIO
from typing import Any

import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from memory_store import make_config
from test_clients import Blocking, Handler

from aggregator.errors import BadSourceError
from aggregator.s3 import light, light_http
from aggregator.s3.credentials import Keys
from aggregator.s3.endpoint import Address, address_of
from aggregator.s3.light import LightStore
from aggregator.s3.light_http import LightHttp
from aggregator.store import AttemptError

KEYS = Keys("key id", "secret/+=", "token/+=")


class Noting(Handler):
    seen = []  # noqa: RUF012  # emptied by the fixture
    methods: list[str] = []  # noqa: RUF012

    def do_GET(self) -> None:  # noqa: N802
        self.methods.append(self.command)
        super().do_GET()

    do_PUT = do_GET  # noqa: N815
    do_DELETE = do_GET  # noqa: N815


@pytest.fixture
def server() -> Iterator[ThreadingHTTPServer]:
    Noting.seen, Noting.methods = [], []
    with ThreadingHTTPServer(("127.0.0.1", 0), Noting) as http:
        threading.Thread(target=http.serve_forever, args=(0.01,), daemon=True).start()
        yield http
        http.shutdown()


class Light(Blocking):
    """The client at an endpoint, and the inside of its HTTP."""

    def __init__(self, server: ThreadingHTTPServer) -> None:
        endpoint = f"http://127.0.0.1:{server.server_address[1]}"
        config = make_config(AWS_ENDPOINT_URL_S3=endpoint, AWS_REGION="eu-central-1")
        self.http = LightHttp(config, given(KEYS))
        light = LightStore.__new__(LightStore)
        light._http = self.http
        super().__init__(light)


def given(*keys: Keys) -> Callable[[], Awaitable[Keys]]:
    """Each of the keys once, the last one from then on."""
    left = list(keys)

    async def current() -> Keys:
        return left.pop(0) if len(left) > 1 else left[0]

    return current


def test_signatures_are_the_sdks(server: ThreadingHTTPServer) -> None:
    store = Light(server)
    with pytest.raises(AttemptError, match="outside the prefix"):
        store.list_page("bucket", "a b+%/é*~'", "/", "token+/=")
    store.get("bucket", "a/../b//c d+%41é~'()\n/./", 99)
    store.put("bucket", "key", BytesIO(b"body"), "application/gzip")
    store.copy("bucket", "from +é\n", "to")
    store.delete("bucket", "/key/")
    assert Noting.methods == ["GET", "GET", "PUT", "PUT", "DELETE"]
    for method, (path, headers) in zip(Noting.methods, Noting.seen, strict=True):
        assert headers["x-amz-security-token"] == KEYS.token
        assert signature(headers) == sdk_signature(method, path, headers)


def signature(headers: dict[str, str]) -> str:
    return headers["authorization"].partition("Signature=")[2]


def sdk_signature(method: str, path: str, headers: dict[str, str]) -> str:
    signed = headers["authorization"].partition("SignedHeaders=")[2].partition(",")[0].split(";")
    request = AWSRequest(
        method, f"http://{headers['host']}{path}", {name: headers[name] for name in signed}
    )
    request.context["timestamp"] = headers["x-amz-date"]
    signer = S3SigV4Auth(Credentials(*KEYS), "s3", "eu-central-1")
    text = signer.string_to_sign(request, signer.canonical_request(request))
    return str(signer.signature(text, request))


def test_each_request_is_signed_with_the_keys_of_its_moment(server: ThreadingHTTPServer) -> None:
    store = Light(server)
    another = Keys("key id", "another", KEYS.token)
    store.http._keys = given(KEYS, another, Keys("id", "secret", None))
    for _ in range(3):
        store.get("bucket", "key", 99)
    signed = [headers for _, headers in Noting.seen]
    assert len({signature(headers) for headers in signed}) == 3
    assert [headers.get("x-amz-security-token") for headers in signed] == [KEYS.token] * 2 + [None]


@pytest.mark.parametrize(
    ("endpoint", "expected"),
    [
        ("http://127.0.0.1:9000", (False, "127.0.0.1", 9000, "127.0.0.1:9000")),
        ("https://S3.example/", (True, "S3.example", 443, "S3.example")),
        ("http://[::1]", (False, "::1", 80, "[::1]")),
        ("https://[::1]:65535/", (True, "::1", 65535, "[::1]:65535")),
        ("http://[::99999]", (False, "::99999", 80, "[::99999]")),
    ],
)
def test_an_endpoint_has_the_bucket_in_its_path(
    endpoint: str, expected: tuple[bool, str, int, str]
) -> None:
    config = make_config(AWS_ENDPOINT_URL_S3=endpoint)
    assert address_of(config, "bucket") == Address(*expected, "/bucket")


def test_silence_ends_an_attempt(
    server: ThreadingHTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(light_http, "_SILENCE_S", 1)
    silent = threading.Event()
    monkeypatch.setattr(Noting, "send_response", lambda *_: silent.wait(60))
    with pytest.raises(AttemptError, match="TimeoutError") as caught:
        Light(server).get("bucket", "key", 99)
    assert caught.value.again
    silent.set()


def test_connections_are_used_again(
    server: ThreadingHTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Light(server)
    clients = set()
    accept = server.process_request

    def process(request: Any, client: Any) -> None:
        clients.add(client)
        accept(request, client)

    server.process_request = process  # type: ignore[method-assign,assignment]
    for _ in range(3):
        store.get("bucket", "key", 99)
    assert len(clients) == 1
    monkeypatch.setattr(light_http, "_IDLE_S", 0)
    store.get("bucket", "key", 99)
    assert len(clients) == 2  # the first one was idle for too long (E9)
    monkeypatch.undo()
    with pytest.raises(AttemptError):
        store.get("bucket", "short", 99)
    store.get("bucket", "key", 99)
    assert len(clients) == 3


def test_a_failure_gives_up_all_idle_connections(server: ThreadingHTTPServer) -> None:
    """E9: they may all have died together."""
    store = Light(server)

    async def two_at_once() -> None:
        send = store.http.send
        await asyncio.gather(send("GET", "bucket", "/key"), send("GET", "bucket", "/key"))

    asyncio.run(two_at_once())
    [idle] = store.http._idle.values()
    assert len(idle) == 2
    with pytest.raises(AttemptError):
        store.get("bucket", "short", 99)
    assert not any(store.http._idle.values())


def test_a_failure_gives_up_the_connections_in_flight(
    server: ThreadingHTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """E9: they are closed when their answers have arrived, and wait for no garbage collection."""
    store, released = Light(server), threading.Event()
    send_response = Noting.send_response

    def hold(handler: Noting, *words: Any) -> None:
        if "held" in handler.path:
            released.wait(60)
        send_response(handler, *words)

    monkeypatch.setattr(Noting, "send_response", hold)

    async def fail_beside_another() -> Any:
        held = asyncio.create_task(store.http.send("GET", "bucket", "/held"))
        while not store.http._running:
            await asyncio.sleep(0.001)
        [connection] = store.http._running.values()
        with pytest.raises(AttemptError):
            await store.http.send("GET", "bucket", "/short")
        released.set()
        assert (await held).status == 200
        return connection

    assert not asyncio.run(fail_beside_another()).is_open()
    assert not any(store.http._idle.values())


def test_cancelling_closes_the_connection(
    server: ThreadingHTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.handle_error = lambda *_: None  # type: ignore[method-assign]  # the client hung up
    silent = threading.Event()
    store = Light(server)
    store.get("bucket", "key", 99)
    [connections] = store.http._idle.values()
    [(connection, _)] = connections
    monkeypatch.setattr(Noting, "send_response", lambda *_: silent.wait(60))

    async def cancelled() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await store.http.send("GET", "bucket", "/key")

    asyncio.run(cancelled())
    assert not connection.is_open()
    assert connections == []
    assert not store.http._running
    silent.set()


def test_a_connection_that_was_closed_is_not_used(server: ThreadingHTTPServer) -> None:
    store = Light(server)
    store.get("bucket", "key", 99)
    [idle] = store.http._idle.values()
    idle[0][0].close().result(5)
    assert store.get("bucket", "key", 99) == b"\x1f\x8bbody"


@pytest.mark.parametrize(
    "head",
    [
        b"Connection: close\r\n",
        b"ETag: x\r\n",
        b"x-amz-meta-note: caf\xe9 \xff\r\nContent-Length: 6\r\n",
        b"x-amz-meta-note: caf\xe9\r\nTransfer-Encoding: chunked\r\n",
    ],
)
def test_odd_answers_are_read(server: ThreadingHTTPServer, head: bytes) -> None:
    body = b"\x1f\x8bbody"
    if b"chunked" in head:
        body = b"2\r\n\x1f\x8b\r\n4\r\nbody\r\n0\r\n\r\n"
    with raw_answers(server, b"HTTP/1.1 200 OK\r\n" + head + b"\r\n" + body):
        store = Light(server)
        for _ in range(2):
            assert store.get("bucket", "key", 6) == b"\x1f\x8bbody"
        with pytest.raises(BadSourceError, match="TOO_LARGE"):
            store.get("bucket", "key", 5)


@pytest.mark.parametrize(
    "head",
    [
        b"Connection: clo",
        b"x-amz-meta-note: \xe9\r\nContent-Le",
        b"Note: \xe9\r\nContent-Length: 7",
    ],
)
def test_odd_answers_that_break_off_fail(server: ThreadingHTTPServer, head: bytes) -> None:
    end = b"" if head.endswith((b"o", b"e")) else b"\r\n\r\n123456"
    with raw_answers(server, b"HTTP/1.1 200 OK\r\n" + head + end):
        store = Light(server)
        for store.http._meets_odd_answers in (False, True):
            with pytest.raises(AttemptError) as caught:
                store.get("bucket", "key", 99)
            assert caught.value.again


@contextmanager
def raw_answers(server: ThreadingHTTPServer, answer: bytes) -> Iterator[None]:
    """In place of the handler: each connection gets this answer and is closed."""

    def handle(request: Any, client: Any, server: Any) -> None:
        request.recv(65536)
        request.sendall(answer)

    server.RequestHandlerClass = handle  # type: ignore[assignment]
    yield


@pytest.mark.parametrize(
    ("page", "code"),
    [(b"<Error><Code>SlowDown</Code></Error>", "SlowDown"), (b"<a><Code>SlowDown</Code></a>", "")],
)
def test_only_an_error_of_s3_has_a_code(page: bytes, code: str) -> None:
    answer = light_http.Answer(len(page), BytesIO())
    answer.status, answer.parts = 503, [page]
    assert light._error_code(answer) == code
