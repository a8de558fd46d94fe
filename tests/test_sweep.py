"""Sweeps: their rows, the variables of each function, and the common rounds."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from fake_machine import FakeMachine, FakeSandbox

from harness.cli import main
from harness.model import Artefact
from harness.targets.interface import Latency, Limits, Placement, Target


@dataclass
class Sweep(FakeMachine):
    """A machine that records the variables of each sandbox and the open proxies."""

    environments: list[tuple[str, str, str]] = field(default_factory=list)
    asked: list[tuple[int | None, Limits | None]] = field(default_factory=list)
    proxies: list[str] = field(default_factory=list)
    placement: Placement = field(default_factory=lambda: Placement(None, None))
    cores: set[tuple[int | None, frozenset[int] | None]] = field(default_factory=set)

    def target(self) -> Target:
        return replace(super().target(), delay=self._delay, place=lambda: self.placement)

    @contextmanager
    def _delay(self, port: int, latency: Latency) -> Iterator[int]:
        self.proxies.append(f"open {latency} to {port}")
        yield 4242
        self.proxies.append("close")

    @contextmanager
    def _sandbox(
        self, artefact: Artefact, env: Mapping[str, str], *others: Any, **options: Any
    ) -> Iterator[FakeSandbox]:
        language = artefact.implementation.language
        self.asked.append((others[0], options["limits"]))
        self.cores.add((others[0], options["cores"]))
        self.environments.append(
            (language, env.get("CONCURRENCY", "-"), env["AWS_ENDPOINT_URL_S3"])
        )
        with super()._sandbox(artefact, env, *others, **options) as sandbox:
            yield sandbox


def compare(sweep: Sweep, tmp_path: Path, *arguments: str) -> list[dict[str, Any]]:
    file = tmp_path / "out.json"
    few = ("--objects", "20", "--languages", "go,java", "--cold", "0", "--warm", "1")
    assert main(["compare", *few, "--export-json", str(file), *arguments], sweep.target()) == 0
    results: list[dict[str, Any]] = json.loads(file.read_text())["results"]
    return results


def test_every_combination_is_a_row(tmp_path: Path) -> None:
    sweep = Sweep()
    rows = compare(sweep, tmp_path, "--concurrency", "1,4", "--s3-latency", "0ms,20ms+-5ms")
    assert [row["name"] for row in rows] == [
        f"{language} sdk c={concurrency} +{latency}"
        for latency in ("0ms", "20ms+-5ms")
        for concurrency in (1, 4)
        for language in ("java", "go")
    ]
    assert rows[-1]["variant"] == {
        "memory_mb": None,
        "concurrency": 4,
        "s3_latency": "20ms+-5ms",
        "snap_start": None,
        "start": None,
        "tls": None,
    }
    kinds = [[sample["kind"] for sample in row["samples"]] for row in rows]
    assert kinds == [["warm", "rerun"]] * 4 + [["warm", "rerun", "half"]] * 4


def test_functions_get_the_swept_values(tmp_path: Path) -> None:
    sweep = Sweep()
    compare(sweep, tmp_path, "--concurrency", "1,4", "--s3-latency", "0ms,20ms+-5ms")
    direct, late = "https://127.0.0.1:2", "https://127.0.0.1:4242"
    assert set(sweep.environments) == {
        (language, concurrency, endpoint)
        for language in ("go", "java")
        for concurrency in ("1", "4")
        for endpoint in (direct, late)
    }
    assert sweep.proxies == ["open 20ms+-5ms to 2", "close"]


def test_without_a_sweep_the_template_holds(tmp_path: Path) -> None:
    sweep = Sweep()
    rows = compare(sweep, tmp_path)
    assert [row["name"] for row in rows] == ["java sdk", "go sdk"]
    assert {each[1:] for each in sweep.environments} == {("-", "https://127.0.0.1:2")}
    assert sweep.proxies == []


def test_a_sweep_of_tls_measures_each_row_over_both(tmp_path: Path) -> None:
    sweep = Sweep()
    rows = compare(sweep, tmp_path, "--tls", "off,on", "--s3-latency", "20ms")
    assert [(row["name"], row["tls"]) for row in rows] == [
        ("java sdk +20ms plain HTTP", False),
        ("go sdk +20ms plain HTTP", False),
        ("java sdk +20ms TLS", True),
        ("go sdk +20ms TLS", True),
    ]
    late = {("-", "http://127.0.0.1:4242"), ("-", "https://127.0.0.1:4242")}
    assert {each[1:] for each in sweep.environments} == late
    assert sorted(sweep.proxies) == ["close", "close", "open 20ms to 1", "open 20ms to 2"]


def test_rows_are_over_tls_unless_it_is_switched_off(tmp_path: Path) -> None:
    assert [row["tls"] for row in compare(Sweep(), tmp_path)] == [True, True]
    plain = compare(Sweep(), tmp_path, "--tls", "off")
    assert [(row["name"], row["tls"]) for row in plain] == [
        ("java sdk plain HTTP", False),
        ("go sdk plain HTTP", False),
    ]


def test_a_sweep_of_memory_gives_each_its_size(tmp_path: Path) -> None:
    sweep = Sweep()
    rows = compare(sweep, tmp_path, "--memory", "512,3008")
    assert [row["name"] for row in rows] == [
        f"{language} sdk {memory} MB" for memory in (512, 3008) for language in ("java", "go")
    ]
    assert {memory for memory, _ in sweep.asked} == {512, 3008}
    vcpus = [row["enforcement"]["vcpus"] for row in rows]
    assert vcpus == pytest.approx([512 / 1769] * 2 + [3008 / 1769] * 2)


def test_more_than_one_vcpu_has_all_cores_and_not_those_of_the_harness(tmp_path: Path) -> None:
    harness = frozenset(os.sched_getaffinity(0))
    own = frozenset({max(harness) + 1})
    sweep = Sweep(placement=Placement(own, harness))
    compare(sweep, tmp_path, "--memory", "1769,3008")
    assert sweep.cores == {(1769, own), (3008, own | harness)}


def test_limits_are_asked_for_unless_refused(tmp_path: Path) -> None:
    usual, throttled, free = Sweep(), Sweep(), Sweep()
    compare(usual, tmp_path)
    compare(throttled, tmp_path, "--throttle-init")
    rows = compare(free, tmp_path, "--no-limits")
    assert {each for _, each in usual.asked} == {Limits()}
    assert {each for _, each in throttled.asked} == {Limits(throttle_init=True)}
    assert {each for _, each in free.asked} == {None}
    assert rows[0]["enforcement"]["mechanism"] is None


@pytest.mark.parametrize(
    ("ci", "may_limit", "mechanism", "arguments", "code"),
    [
        ("true", True, None, (), 1),
        ("true", True, None, ("--no-limits",), 0),
        ("true", True, "abacus", (), 0),
        ("true", False, None, (), 0),
        ("", True, None, (), 0),
    ],
)
def test_in_ci_limits_that_could_be_set_have_to_be(
    ci: str,
    may_limit: bool,
    mechanism: str | None,
    arguments: tuple[str, ...],
    code: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("CI", ci)
    machine = FakeMachine(may_limit=may_limit, mechanism=mechanism)
    few = ("compare", "--objects", "20", "--languages", "go", "--cold", "0", "--warm", "1")
    assert main([*few, *arguments], machine.target()) == code
    told = "can set limits, but go sdk ran without them" in capsys.readouterr().err
    assert told == (code == 1)


def test_a_value_given_twice_is_one_row(tmp_path: Path) -> None:
    assert len(compare(Sweep(), tmp_path, "--concurrency", "4,4")) == 2


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("--concurrency", "0"), "0 is not a whole number of at least 1"),
        (("--concurrency", "1,,2"), "is not a whole number"),
        (("--s3-latency", "20"), "20 is not a latency"),
        (("--memory", "512MB"), "512MB is not a whole number"),
        (("--memory", "512", "--no-limits"), "leave out --no-limits"),
        (("--tls", "yes"), "yes is neither on nor off"),
        (("--tls", "on", "--target", "aws", "--stack", "x"), "S3 on AWS is over TLS"),
    ],
)
def test_a_wrong_value_of_a_sweep_is_refused(
    arguments: tuple[str, ...], reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["compare", *arguments], FakeMachine().target()) == 2
    assert reason in capsys.readouterr().err
