"""E9: Lambda freezes a sandbox between invocations, and its connections end without a word."""

from __future__ import annotations

import json
import signal
import socket
import struct
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import psutil
import pytest
from tcp import Listener, forward

from harness.model import Artefact, Invocation
from harness.targets.local.sandbox import LocalSandbox
from harness.verify.scripted_s3.scene import Stored
from harness.verify.scripted_s3.server import ScriptedS3
from harness.verify.vectors.cases import DESTINATION_BUCKET, SOURCE_BUCKET

pytestmark = pytest.mark.slow

SOURCES = 12
IDLE_S = 5.0  # E9
BODY = Stored(b'{"Records":[{"eventID":"1"}]}')
FOLDER = "AWSLogs/111122223333/CloudTrail/eu-west-1/2024/02/08"


class Wire:
    """Forwards connections to ``port``, until it ends all of those that are open."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._open: list[tuple[socket.socket, socket.socket]] = []
        self._made: list[socket.socket] = []
        self._silent: set[socket.socket] = set()
        self._listener = Listener(self._serve)
        self.endpoint = self._listener.url

    def _serve(self, near: socket.socket) -> None:
        far = socket.create_connection(("127.0.0.1", self._port))
        self._open.append((near, far))
        self._made += (near, far)
        forward(near, far, lambda: near in self._silent)

    def end(self, how: str) -> None:
        """``close``, ``reset`` or ``silence`` all open connections; new ones work."""
        for near, far in self._open:
            with suppress(OSError):
                if how == "silence":
                    self._silent.add(near)
                    continue
                if how == "reset":  # which wakes no thread that waits for the socket
                    near.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                else:
                    near.shutdown(socket.SHUT_RDWR)
                near.close()
                far.shutdown(socket.SHUT_RDWR)
        self._open.clear()

    def stop(self) -> None:
        self._listener.stop()
        for each in self._made:
            each.close()


@pytest.fixture
def wire(s3: ScriptedS3) -> Iterator[Wire]:
    s3.begin(
        {
            SOURCE_BUCKET: {f"{FOLDER}/{number:02d}.json": BODY for number in range(SOURCES)},
            DESTINATION_BUCKET: {},
        }
    )
    wire = Wire(int(s3.endpoint.rpartition(":")[2]))
    yield wire
    wire.end("close")
    wire.stop()


@contextmanager
def sandbox(artefact: Artefact, s3: ScriptedS3, wire: Wire) -> Iterator[LocalSandbox]:
    env = {
        **s3.env(),
        "SRC_BUCKET": SOURCE_BUCKET,
        "DST_BUCKET": DESTINATION_BUCKET,
        "AWS_ENDPOINT_URL_S3": wire.endpoint,
        **artefact.implementation.choice,
    }
    with LocalSandbox(artefact, env, timeout_s=120) as running:
        yield running


def aggregate(running: LocalSandbox) -> Invocation:
    invocation = running.invoke(json.dumps({"year": 2024, "month": 2, "day": 8}).encode())
    assert invocation.error is None, invocation
    assert isinstance(invocation.result, dict)
    assert invocation.result["records"] == SOURCES
    return invocation


@contextmanager
def frozen() -> Iterator[None]:
    """All processes below this one stand still."""
    children = psutil.Process().children(recursive=True)
    for child in children:
        child.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        for child in children:
            child.send_signal(signal.SIGCONT)


def retries(invocation: Invocation) -> Counter[tuple[str, str]]:
    """How often each request was tried again."""
    return Counter(
        (str(line["operation"]), str(line["key"]))
        for line in invocation.log
        if line.get("event") == "retry"
    )


def is_light(artefact: Artefact) -> bool:
    return artefact.implementation.name.endswith(" light")


@pytest.mark.parametrize("how", ["close", "reset", "silence"])
def test_connections_that_end_in_a_long_freeze(
    artefact: Artefact, s3: ScriptedS3, wire: Wire, how: str
) -> None:
    with sandbox(artefact, s3, wire) as running:
        aggregate(running)
        with frozen():
            wire.end(how)
            time.sleep(IDLE_S + 1)
        after = aggregate(running)
    repeated = retries(after)
    if is_light(artefact):
        assert not repeated  # no connection is used that has been idle for so long
    assert all(times == 1 for times in repeated.values()), repeated


def test_connections_that_die_in_a_short_freeze(
    artefact: Artefact, s3: ScriptedS3, wire: Wire
) -> None:
    """They are too young to be given up, so an attempt fails after 10 s; its repeat does not."""
    repeated: Counter[tuple[str, str]] = Counter()
    with sandbox(artefact, s3, wire) as running:
        for _ in range(5):  # a busy machine may take so long that they are given up
            aggregate(running)
            with frozen():
                wire.end("silence")
            if repeated := retries(aggregate(running)):
                break
    assert repeated
    assert all(times == 1 for times in repeated.values()), repeated
