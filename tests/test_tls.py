"""Every artefact over TLS, as on AWS: with an authority that it trusts, another, or a proxy."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, suppress

import pytest
import trustme
from conftest import every_artefact
from handshakes import Watched
from tcp import Listener, forward

from harness.fixtures.recipe import Recipe, make_day
from harness.model import Artefact
from harness.targets.local.s3server import S3Server
from harness.targets.local.sandbox import LocalSandbox
from harness.verify.scripted_s3.server import ScriptedS3
from harness.verify.vectors.cases import SOURCE_BUCKET, load_cases
from harness.verify.vectors.judge import judge
from harness.verify.vectors.sandbox_pool import SandboxPool

pytestmark = pytest.mark.slow

(CASE,) = load_cases(glob="chunks-across-sources")
EVENT = CASE.steps[0].payload


class TlsS3(ScriptedS3):
    """The scripted S3 behind a certificate for ``localhost``."""

    def __init__(self, authority: trustme.CA) -> None:
        super().__init__()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("localhost").configure_cert(context)
        # the handshake is for the connection's thread: a refused one must not end the server
        self._server.socket = context.wrap_socket(
            self._server.socket, server_side=True, do_handshake_on_connect=False
        )

    @property
    def endpoint(self) -> str:
        return super().endpoint.replace("http://127.0.0.1", "https://localhost")


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def s3(authority: trustme.CA) -> Iterator[TlsS3]:
    with TlsS3(authority) as server:
        yield server


@pytest.fixture(scope="module")
def bundle(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, str]:
    """S17: the variable that makes a function trust this authority, and no other."""
    pem = tmp_path_factory.mktemp("authority") / "authority.pem"
    authority.cert_pem.write_to_path(str(pem))
    return {"AWS_CA_BUNDLE": str(pem)}


class Proxy:
    """Connects its clients to where they ask (CONNECT), and remembers it."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.listener = Listener(self._serve)

    def _serve(self, near: socket.socket) -> None:
        with near, suppress(OSError):
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                head += near.recv(1)
            method, target, _ = head.decode().split(" ", 2)
            self.asked.append(f"{method} {target}")
            host, _, port = target.rpartition(":")
            with socket.create_connection((host, int(port))) as far:
                near.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
                forward(near, far)


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    proxy = Proxy()
    yield proxy
    proxy.listener.stop()


def problems_of_a_day(artefact: Artefact, s3: TlsS3, more: Mapping[str, str]) -> list[str]:
    with SandboxPool(artefact) as functions:
        return judge(CASE, s3, lambda env, timeout_s: functions({**env, **more}, timeout_s))


def test_a_day_over_tls(artefact: Artefact, s3: TlsS3, bundle: Mapping[str, str]) -> None:
    assert not problems_of_a_day(artefact, s3, bundle)


@pytest.mark.parametrize("no_proxy", ["", "calhost,example.com"])
def test_a_proxy_is_used(  # S18, S19, S20
    artefact: Artefact, s3: TlsS3, bundle: Mapping[str, str], proxy: Proxy, no_proxy: str
) -> None:
    more = {**bundle, "HTTPS_PROXY": proxy.listener.url, "NO_PROXY": no_proxy}
    assert not problems_of_a_day(artefact, s3, more)
    port = s3.endpoint.rpartition(":")[2]
    assert set(proxy.asked) == {f"CONNECT localhost:{port}"}


@pytest.mark.parametrize("no_proxy", ["example.com , .LocalHost", "*"])
def test_hosts_that_need_no_proxy(
    artefact: Artefact, s3: TlsS3, bundle: Mapping[str, str], proxy: Proxy, no_proxy: str
) -> None:
    more = {**bundle, "HTTPS_PROXY": proxy.listener.url, "NO_PROXY": no_proxy}
    assert not problems_of_a_day(artefact, s3, more)
    assert proxy.asked == []


class TlsDay:
    """A day in a real S3 server over TLS, whose handshakes are watched."""

    def __init__(self, server: S3Server, objects: int = 60) -> None:
        for each in make_day(Recipe(objects=objects)):
            server.put_file("sources", each.key, each.body, each.content_encoding)
        server.bucket_path("chunks")
        self.watched = Watched(int(server.endpoint.rpartition(":")[2]))
        self._env = {
            **server.env(),
            "AWS_ENDPOINT_URL_S3": self.watched.endpoint,
            "SRC_BUCKET": "sources",
            "DST_BUCKET": "chunks",
        }

    def env_of(self, artefact: Artefact) -> Mapping[str, str]:
        return {**artefact.implementation.environment, **self._env}


@pytest.fixture(scope="module")
def day() -> Iterator[TlsDay]:
    with S3Server(tls=True) as server:
        found = TlsDay(server)
        yield found
        found.watched.stop()


#: They keep sessions, so a new connection continues one of them.
RESUMING = ("javascript", "java", "go")
#: The processor has instructions for AES, but Java's first compiler knows none of them.
CIPHERS = {"java": "TLS_CHACHA20_POLY1305_SHA256"}


def test_each_invocation_after_a_pause_opens_its_connections(day: TlsDay) -> None:  # E9
    """So the measured times of each client contain handshakes."""
    with ExitStack() as running:
        sandboxes = [
            (each.implementation, running.enter_context(LocalSandbox(each, day.env_of(each))))
            for each in every_artefact()
        ]
        for is_late in (False, True):
            for implementation, sandbox in sandboxes:
                invocation = sandbox.invoke({"year": 2024, "month": 2, "day": 8})
                assert invocation.error is None, invocation.error
                opened = day.watched.take()
                most = int(implementation.environment["CONCURRENCY"])
                assert 0 < len(opened) <= 3 * most, implementation.name  # fewer on a busy machine
                cipher = CIPHERS.get(implementation.language, "TLS_AES_128_GCM_SHA256")
                assert {each.cipher for each in opened} == {cipher}
                if is_late:
                    resumes = implementation.language in RESUMING
                    assert any(each.resumed for each in opened) == resumes, implementation.name
            time.sleep(0 if is_late else 5.5)


def test_a_server_that_is_not_trusted_gets_no_request(artefact: Artefact, s3: TlsS3) -> None:
    s3.begin({SOURCE_BUCKET: CASE.sources})
    env = {**s3.env(), **CASE.steps[0].settings, **artefact.implementation.choice}
    with LocalSandbox(artefact, {name: value for name, value in env.items() if value}) as sandbox:
        invocation = sandbox.invoke(EVENT)
    assert invocation.error is not None
    assert invocation.error.startswith("S3_ERROR: put ")
    assert s3.take_requests() == ([], 0)
