"""S3_CLIENT in every command: the known clients, and the variables that each function gets."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from fake_machine import FakeMachine, FakeSandbox, implementation

from harness.build.choice import by_client, choose_clients
from harness.build.template import load_implementations
from harness.cli import main
from harness.model import Artefact, NotReady, UsageError
from harness.targets.interface import Target

pytestmark = pytest.mark.slow

TWO = ("sdk", "light")
FEW = ("--objects", "20", "--languages", "go,java", "--cold", "1", "--warm", "1", "--rerun", "0")


@dataclass
class TwoClients(FakeMachine):
    """A machine whose template allows both clients; it records each sandbox's variables."""

    told: set[tuple[str, str]] = field(default_factory=set)

    def target(self) -> Target:
        functions = [replace(implementation(name), clients=TWO) for name in self.languages]
        return replace(super().target(), load=lambda: functions)

    @contextmanager
    def _sandbox(
        self, artefact: Artefact, env: Mapping[str, str], *others: Any, **options: Any
    ) -> Iterator[FakeSandbox]:
        self.told.add((artefact.implementation.language, env["S3_CLIENT"]))
        with super()._sandbox(artefact, env, *others, **options) as sandbox:
            yield sandbox


def rows(machine: FakeMachine, tmp_path: Path, *arguments: str) -> list[str]:
    file = tmp_path / "out.json"
    assert main(["compare", *FEW, "--export-json", str(file), *arguments], machine.target()) == 0
    exported = json.loads(file.read_text())
    assert "S3_CLIENT" not in exported["settings"]
    return [row["name"] for row in exported["results"]]


def test_each_client_is_a_row_of_one_build(tmp_path: Path) -> None:
    machine = TwoClients()
    assert rows(machine, tmp_path) == ["java sdk", "java light", "go sdk", "go light"]
    assert machine.told == {(name, client) for name in ("java", "go") for client in TWO}
    assert [line for line in machine.done if line.startswith("build")] == ["build java go"]


def test_one_client_may_be_chosen(tmp_path: Path) -> None:
    machine = TwoClients()
    assert rows(machine, tmp_path, "--clients", "light") == ["java light", "go light"]
    assert {client for _, client in machine.told} == {"light"}


@pytest.mark.parametrize("command", ["compare", "verify", "fuzz", "disturb", "task run"])
def test_an_unknown_client_is_refused_before_anything_is_built(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    machine = TwoClients()
    words = [*command.split(), "--languages", "go", "--clients", "curl"]
    assert main(words, machine.target()) == 2
    assert "go has no client curl; known: sdk, light" in capsys.readouterr().err
    assert not machine.done


def test_the_contracts_default_is_left_to_the_function() -> None:
    go = replace(implementation("go"), clients=TWO)
    sdk, light = choose_clients([go], ())
    assert (sdk.name, sdk.choice) == ("go sdk", {})
    assert (light.name, light.choice) == ("go light", {"S3_CLIENT": "light"})
    assert light.environment["CHUNK_BYTES"] == sdk.environment["CHUNK_BYTES"]
    with pytest.raises(UsageError):
        choose_clients([go], ("sdk", "curl"))


def test_a_failed_build_counts_for_every_client() -> None:
    each_client = choose_clients([replace(implementation("go"), clients=TWO)], ())
    reason = NotReady("no Go")
    assert by_client(each_client, {"go": reason}) == {"go sdk": reason, "go light": reason}


@pytest.mark.parametrize(
    ("variable", "clients"),
    [
        ("S3_CLIENT: !Ref Client", ("sdk", "light")),
        ("S3_CLIENT: light", ("light",)),
        ("LOG_LEVEL: INFO", ("sdk",)),
    ],
)
def test_the_template_says_which_clients_there_are(
    tmp_path: Path, variable: str, clients: tuple[str, ...]
) -> None:
    template = tmp_path / "template.yaml"
    template.write_text(f"""
Transform: AWS::Serverless-2016-10-31
Parameters:
  Client: {{Type: String, Default: sdk, AllowedValues: [sdk, light]}}
Resources:
  OnlyFunction:
    Type: AWS::Serverless::Function
    Metadata: {{Language: forth}}
    Properties:
      Runtime: provided.al2023
      CodeUri: forth/
      Handler: bootstrap
      MemorySize: 512
      Timeout: 3
      Environment: {{Variables: {{{variable}}}}}
""")
    (only,) = load_implementations(template)
    assert only.clients == clients
