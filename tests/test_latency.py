"""The latency to S3: its notation, and the delay of answers."""

from __future__ import annotations

import http.client
import time
from contextlib import closing

import psutil
import pytest

from harness.model import UsageError
from harness.targets.interface import Latency
from harness.targets.local.latency import delayed, parse_latency
from harness.targets.local.s3server import S3Server


@pytest.mark.parametrize(
    ("text", "latency"),
    [
        ("20ms", Latency(20)),
        ("0ms", Latency(0)),
        ("20ms+-5ms", Latency(20, 5)),
        ("20ms±5ms", Latency(20, 5)),
        ("5ms+-5ms", Latency(5, 5)),
    ],
)
def test_forms_of_a_latency(text: str, latency: Latency) -> None:
    assert parse_latency(text) == latency
    assert parse_latency(str(latency)) == latency


@pytest.mark.parametrize("text", ["", "20", "20s", "-5ms", "20ms+5ms", "1.5ms", "20ms+-21ms"])
def test_a_wrong_latency_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="latency"):
        parse_latency(text)


def seconds(connection: http.client.HTTPConnection) -> float:
    begin = time.monotonic()
    connection.request("GET", "/health")
    answer = connection.getresponse()
    answer.read()
    assert answer.status == 200
    return time.monotonic() - begin


def to(port: int) -> closing[http.client.HTTPConnection]:
    return closing(http.client.HTTPConnection("127.0.0.1", port, timeout=10))


def test_every_answer_is_late_by_the_latency() -> None:
    with S3Server() as server:
        port = int(server.endpoint.rpartition(":")[2])
        with delayed(port, Latency(60, 10)) as late, to(port) as direct, to(late) as through:
            rounds = [(seconds(direct), seconds(through)) for _ in range(8)]
    # a busy machine can only add to a time
    assert all(slow >= 0.050 for _, slow in rounds)
    assert min(fast for fast, _ in rounds) < 0.050


def test_the_proxy_ends_with_its_context() -> None:
    with S3Server() as server:
        port = int(server.endpoint.rpartition(":")[2])
        with delayed(port, Latency(1)) as late:
            family = [each for each in psutil.Process().children() if "toxiproxy" in each.name()]
            assert len(family) == 1
        assert not family[0].is_running()
        with to(late) as connection, pytest.raises(OSError, match="refused"):
            seconds(connection)
