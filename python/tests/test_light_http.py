"""What only the light client does by itself: signing, hosts, silence."""

import os
import ssl
import threading
from collections.abc import Iterator
from http.server import ThreadingHTTPServer
from io import BytesIO
from queue import SimpleQueue
from typing import Any

import pytest
import trustme
from awscrt.io import ClientTlsContext, TlsContextOptions
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from test_store import Handler

from aggregator import light_http
from aggregator.attempts import Attempt, AttemptError
from aggregator.credentials import Keys
from aggregator.errors import BadSourceError
from aggregator.light_http import Address, LightHttp, address_of
from aggregator.light_store import LightStore

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


def store_at(endpoint: str) -> LightStore:
    store = LightStore.__new__(LightStore)
    store._http = LightHttp(endpoint, "eu-central-1", lambda: KEYS)
    store._keys_at_hand = True
    return store


def test_signatures_are_the_sdks(server: ThreadingHTTPServer) -> None:
    store = store_at(f"http://127.0.0.1:{server.server_address[1]}")
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
    keys = iter([KEYS, Keys("key id", "another", KEYS.token), Keys("id", "secret", None)])
    store = store_at(f"http://127.0.0.1:{server.server_address[1]}")
    store._http._keys = lambda: next(keys)
    for _ in range(3):
        store.get("bucket", "key", 99)
    signed = [headers for _, headers in Noting.seen]
    assert len({signature(headers) for headers in signed}) == 3
    assert [headers.get("x-amz-security-token") for headers in signed] == [KEYS.token] * 2 + [None]


def test_each_request_is_signed_at_its_second(
    server: ThreadingHTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = store_at(f"http://127.0.0.1:{server.server_address[1]}")
    for now in (1707350399.0, 1707350399.9, 1707350400.1):
        monkeypatch.setattr("aggregator.light_http.time.time", lambda now=now: now)
        store.get("bucket", "key", 99)
    dates = [headers["x-amz-date"] for _, headers in Noting.seen]
    assert dates == ["20240207T235959Z"] * 2 + ["20240208T000000Z"]


@pytest.mark.skipif(not hasattr(os, "SCHED_BATCH"), reason="only Linux has this policy")
def test_what_arrives_does_not_interrupt(
    server: ThreadingHTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError

    def policy() -> int:
        store = store_at(f"http://127.0.0.1:{server.server_address[1]}")
        store.get("bucket", "key", 99)
        policies: SimpleQueue[int] = SimpleQueue()
        store.begin_get("bucket", "key", 99, lambda _: policies.put(os.sched_getscheduler(0)))
        return policies.get(timeout=5)

    assert policy() == os.SCHED_BATCH
    assert os.sched_getscheduler(0) == os.SCHED_OTHER
    monkeypatch.setattr(os, "sched_setscheduler", refuse)
    assert policy() == os.SCHED_OTHER
    monkeypatch.delattr(os, "SCHED_BATCH")
    assert policy() == os.SCHED_OTHER


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
    assert address_of(endpoint, "eu-central-1", "bucket") == Address(*expected, "/bucket")


def test_silence_ends_an_attempt(
    server: ThreadingHTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(light_http, "_SILENCE_S", 1)
    silent = threading.Event()
    monkeypatch.setattr(Noting, "send_response", lambda *_: silent.wait(60))
    with pytest.raises(AttemptError, match="TimeoutError") as caught:
        store_at(f"http://127.0.0.1:{server.server_address[1]}").get("bucket", "key", 99)
    assert caught.value.again
    silent.set()


def test_connections_are_used_again(server: ThreadingHTTPServer) -> None:
    store = store_at(f"http://127.0.0.1:{server.server_address[1]}")
    clients = set()
    accept = server.process_request

    def process(request: Any, client: Any) -> None:
        clients.add(client)
        accept(request, client)

    server.process_request = process  # type: ignore[method-assign,assignment]
    for _ in range(3):
        store.get("bucket", "key", 99)
    assert len(clients) == 1
    with pytest.raises(AttemptError):
        store.get("bucket", "short", 99)
    store.get("bucket", "key", 99)
    assert len(clients) == 2


def test_a_known_authority_is_trusted(
    server: ThreadingHTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = trustme.CA()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost").configure_cert(context)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    options = TlsContextOptions()
    options.override_default_trust_store(authority.cert_pem.bytes())
    monkeypatch.setattr(light_http, "_tls", lambda: ClientTlsContext(options))
    store = store_at(f"https://localhost:{server.server_address[1]}")
    assert store.get("bucket", "key", 99) == b"\x1f\x8bbody"


def begun(store: LightStore, key: str, limit: int = 99) -> bytes:
    """The body by an attempt that has no thread."""
    outcomes: SimpleQueue[Attempt[bytes]] = SimpleQueue()
    assert store.begin_get("bucket", key, limit, outcomes.put)
    return outcomes.get(timeout=5)()


def test_what_can_begin_needs_an_idle_connection(server: ThreadingHTTPServer) -> None:
    store = store_at(f"http://127.0.0.1:{server.server_address[1]}")
    assert not store.begin_get("bucket", "key", 99, print)
    assert Noting.seen == []
    store.get("bucket", "key", 99)
    assert begun(store, "a b") == b"\x1f\x8bbody"
    assert Noting.seen[1][0] == "/bucket/a%20b"
    store._keys_at_hand = False
    assert not store.begin_get("bucket", "key", 99, print)


def test_faults_of_what_was_begun(server: ThreadingHTTPServer) -> None:
    store = store_at(f"http://127.0.0.1:{server.server_address[1]}")
    store.get("bucket", "key", 99)
    with pytest.raises(BadSourceError, match="MISSING"):
        begun(store, "NoSuchKey")
    with pytest.raises(AttemptError, match="404 NoSuchBucket") as caught:
        begun(store, "NoSuchBucket")
    assert not caught.value.again
    with pytest.raises(BadSourceError, match="TOO_LARGE"):
        begun(store, "key", 5)
    store.get("bucket", "key", 99)
    with pytest.raises(AttemptError) as caught:
        begun(store, "short")
    assert caught.value.again


def test_silence_ends_what_was_begun(
    server: ThreadingHTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = store_at(f"http://127.0.0.1:{server.server_address[1]}")
    store.get("bucket", "key", 99)
    monkeypatch.setattr(light_http, "_SILENCE_S", 1)
    silent = threading.Event()
    monkeypatch.setattr(Noting, "send_response", lambda *_: silent.wait(60))
    with pytest.raises(AttemptError, match="TimeoutError: nothing for 1 s") as caught:
        begun(store, "key")
    assert caught.value.again
    silent.set()


def test_a_connection_that_was_closed_is_not_used(server: ThreadingHTTPServer) -> None:
    store = store_at(f"http://127.0.0.1:{server.server_address[1]}")
    store.get("bucket", "key", 99)
    (idle,) = store._http._idle.values()
    idle[0].close().result(5)
    assert not store.begin_get("bucket", "key", 99, print)
    assert store.get("bucket", "key", 99) == b"\x1f\x8bbody"
