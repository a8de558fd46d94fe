"""S16: where the keys come from, and that they are asked for again before they expire."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing import get_context

import pytest

from harness.model import Artefact, NotReady
from harness.targets.local.own_network import enter_own_network
from harness.targets.local.sandbox import LocalSandbox
from harness.verify.scripted_s3.scene import Stored
from harness.verify.scripted_s3.server import ScriptedS3
from harness.verify.vectors.cases import DESTINATION_BUCKET, SOURCE_BUCKET

pytestmark = pytest.mark.slow

AUTHORIZATION = "Bearer let-me-in"
ECS = "169.254.170.2"
LIFETIME_S = 3.0
#: For the way of a request on a busy machine.
GRACE_S = 2.0
SOURCES = 40
DELAY_S = 0.2
EVENT = {"year": 2024, "month": 2, "day": 8}
BODY = Stored(b'{"Records":[{"eventID":"1"}]}')


class KeyService:
    """Gives keys that live for ``LIFETIME_S``; knows which ones do, with some grace."""

    def __init__(self, address: str = "127.0.0.1", port: int = 0) -> None:
        self.paths: list[str] = []
        self.given: dict[tuple[str, str], float] = {}
        service = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, format: str, *args: object) -> None:
                pass

            def do_GET(self) -> None:
                service.paths.append(self.path)
                allowed = self.headers.get("Authorization") == AUTHORIZATION
                body = json.dumps(service.new_keys() if allowed else {}).encode()
                self.send_response(200 if allowed else 403)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        self.server = ThreadingHTTPServer((address, port), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def new_keys(self) -> dict[str, str]:
        number = len(self.given) + 1
        key, token = f"KEY{number:06d}", f"token-{number}"
        self.given[key, token] = time.monotonic() + LIFETIME_S + GRACE_S
        expiration = datetime.now(UTC) + timedelta(seconds=LIFETIME_S)
        return {
            "AccessKeyId": key,
            "SecretAccessKey": "secret",
            "Token": token,
            "Expiration": expiration.strftime("%Y-%m-%dT%H:%M:%SZ"),
        }

    def accepts(self, key: str, token: str) -> bool:
        return time.monotonic() < self.given.get((key, token), 0.0)


@pytest.fixture
def keys() -> Iterator[KeyService]:
    service = KeyService()
    yield service
    service.server.shutdown()
    service.server.server_close()


def day() -> dict[str, dict[str, Stored]]:
    folder = "AWSLogs/111122223333/CloudTrail/eu-west-1/2024/02/08"
    sources = {f"{folder}/{number:03d}.json": BODY for number in range(SOURCES)}
    return {SOURCE_BUCKET: sources, DESTINATION_BUCKET: {}}


def environment(artefact: Artefact, s3: ScriptedS3) -> dict[str, str]:
    return (
        s3.env()
        | artefact.implementation.choice
        | {
            "SRC_BUCKET": SOURCE_BUCKET,
            "DST_BUCKET": DESTINATION_BUCKET,
            "CONCURRENCY": "1",
        }
    )


def test_keys_that_expire_within_the_run_are_renewed(
    artefact: Artefact, s3: ScriptedS3, keys: KeyService
) -> None:
    s3.accepts = keys.accepts
    s3.delay_s = DELAY_S
    s3.begin(day())
    env = environment(artefact, s3)
    del env["AWS_ACCESS_KEY_ID"], env["AWS_SECRET_ACCESS_KEY"]
    env["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = (
        f"http://127.0.0.1:{keys.server.server_address[1]}/keys"
    )
    env["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"] = ""  # as if it were absent
    env["AWS_CONTAINER_AUTHORIZATION_TOKEN"] = AUTHORIZATION
    assert SOURCES * DELAY_S > LIFETIME_S + GRACE_S  # keys that stay would be refused
    with LocalSandbox(artefact, env) as sandbox:
        invocation = sandbox.invoke(EVENT)
    assert invocation.error is None
    assert isinstance(invocation.result, dict)
    assert invocation.result["sources"] == SOURCES
    assert len(keys.given) >= 3


@pytest.mark.parametrize("broken", ["down", "refused", "none at all"])
def test_missing_credentials_fail_every_attempt(
    artefact: Artefact, s3: ScriptedS3, keys: KeyService, broken: str
) -> None:
    """E5, S16: a key id without its secret is no pair."""
    s3.begin(day())
    env = environment(artefact, s3)
    del env["AWS_SECRET_ACCESS_KEY"]
    port = 9 if broken == "down" else keys.server.server_address[1]
    if broken != "none at all":
        env["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = f"http://127.0.0.1:{port}/keys"
    with LocalSandbox(artefact, env) as sandbox:
        invocation = sandbox.invoke(EVENT)
    assert invocation.error == "S3_ERROR: put 2024/02/08/_claim.json"
    retries = [line["attempt"] for line in invocation.log if line["event"] == "retry"]
    assert retries == [1, 2, 3, 4]
    assert s3.take_requests() == ([], 0)
    assert not keys.given
    assert bool(keys.paths) == (broken == "refused")


def test_a_session_token_of_the_environment_is_sent(artefact: Artefact, s3: ScriptedS3) -> None:
    s3.accepts = lambda key, token: (key, token) == ("KEY", "token/+=")
    s3.begin(day())
    env = environment(artefact, s3) | {"AWS_ACCESS_KEY_ID": "KEY", "AWS_SESSION_TOKEN": "token/+="}
    with LocalSandbox(artefact, env) as sandbox:
        assert sandbox.invoke(EVENT).error is None


def test_expired_keys_end_the_run_without_another_attempt(
    artefact: Artefact, s3: ScriptedS3
) -> None:
    s3.accepts = lambda _key, _token: False
    s3.begin(day())
    with LocalSandbox(artefact, environment(artefact, s3)) as sandbox:
        error = sandbox.invoke(EVENT).error
    assert error == "S3_ERROR: put 2024/02/08/_claim.json (ExpiredToken)"
    requests, _ = s3.take_requests()
    assert len(requests) == 1


@pytest.fixture(scope="module")
def own_network() -> Iterator[ProcessPoolExecutor]:
    """A process whose loopback has the address of ECS, which is nowhere else."""
    spawn = get_context("spawn")  # a process with threads may not leave its network
    with ProcessPoolExecutor(1, spawn) as process:
        try:
            process.submit(enter_own_network, [ECS]).result()
        except NotReady as error:
            pytest.skip(str(error))
        yield process


def test_ecs_is_asked_where_it_gives_a_path(
    artefact: Artefact, own_network: ProcessPoolExecutor
) -> None:
    """ECS sets no other variable. The path comes first, and no proxy is asked for keys."""
    error, paths = own_network.submit(run_as_on_ecs, artefact).result()
    assert (error, set(paths)) == (None, {"/v2/credentials/task-1"})


def run_as_on_ecs(artefact: Artefact) -> tuple[str | None, list[str]]:
    """The invocation's error, and the paths that were asked for keys."""
    service = KeyService(ECS, 80)
    with ScriptedS3() as s3:
        s3.accepts = service.accepts
        s3.begin(day())
        env = environment(artefact, s3)
        del env["AWS_ACCESS_KEY_ID"], env["AWS_SECRET_ACCESS_KEY"]
        env["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"] = "/v2/credentials/task-1"
        env["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = "http://127.0.0.1:9/keys"
        env["AWS_CONTAINER_AUTHORIZATION_TOKEN"] = AUTHORIZATION
        env["AWS_CONTAINER_SERVICE_ENDPOINT"] = "http://127.0.0.1:9"  # a variable of an SDK
        env |= dict.fromkeys(("HTTPS_PROXY", "HTTP_PROXY", "http_proxy"), "http://127.0.0.1:9")
        with LocalSandbox(artefact, env) as sandbox:
            invocation = sandbox.invoke(EVENT)
    service.server.shutdown()
    service.server.server_close()
    return invocation.error, service.paths
