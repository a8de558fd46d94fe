"""Free ports: no other process takes one between its choice and its use."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from harness.model import NotReady
from harness.targets.local import ports
from harness.targets.local.ports import free_ports

_OTHER = (
    "from harness.targets.local.ports import free_ports; "
    "print(free_ports(1)[0], flush=True); input()"
)


def test_a_port_comes_again_only_after_all_others() -> None:
    given = [free_ports(1)[0] for _ in range(100)]
    assert len(set(given)) == 100


def test_a_port_that_is_listened_at_is_left_out() -> None:
    (first,) = free_ports(1)
    with socket.socket() as server:
        server.bind(("127.0.0.1", first))
        server.listen()
        assert first not in {free_ports(1)[0] for _ in range(400)}


def test_no_outgoing_connection_can_take_one() -> None:
    low, high = map(int, Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split())
    if low < 11_000 and high > 64_000:
        pytest.skip("outgoing connections may have all ports of this machine")
    assert not any(low <= port <= high for port in free_ports(10))


def test_each_process_has_its_own() -> None:
    mine = set(free_ports(100)) | set(free_ports(100))
    command = [sys.executable, "-c", _OTHER]
    both = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    others = [int(each.stdout.readline()) for each in both if each.stdout]
    for each in both:
        each.communicate("")
    assert len({*others}) == 2
    assert not mine & {*others}


def test_a_block_that_others_use_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    (own,) = free_ports(1)
    taken = range(own - own % 200, own - own % 200 + 200)
    monkeypatch.setattr(ports, "_is_free", lambda port: port not in taken)
    monkeypatch.setattr(ports, "_claimed", [*ports._claimed])
    assert free_ports(1)[0] not in taken


def test_a_lack_of_ports_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ports, "_is_free", lambda _port: False)
    with pytest.raises(NotReady, match="no port is free"):
        free_ports(1)
