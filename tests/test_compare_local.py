"""The main job as a user runs it: the real command, artefacts, emulator and S3 server."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from harness.build.choice import choose_clients
from harness.build.template import load_implementations
from harness.model import Role
from harness.targets.local.limits import support

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parent.parent
ROWS = [each.name for each in choose_clients(load_implementations(), ())]


def compare(*arguments: str, export: Path) -> tuple[str, dict[str, object]]:
    command = [sys.executable, "-m", "harness", "compare", "--require-all", "--cold", "1"]
    done = subprocess.run(
        [*command, "--warm", "1", "--export-json", str(export), *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    exported: dict[str, object] = json.loads(export.read_text())
    return done.stdout, exported


def check(table: str, exported: dict[str, object], **output: int) -> None:
    results = exported["results"]
    assert isinstance(results, list)
    assert [row["name"] for row in results] == [*ROWS, "floor obstore"]
    for row in results:
        assert row["verdict"] == "match", row["reason"]
        # the floor looks at no record
        seen = output if row["role"] != Role.FLOOR else {"sources": output["sources"]}
        assert {name: row["output"][name] for name in seen} == seen
        assert [sample["kind"] for sample in row["samples"]] == ["cold", "warm", "rerun"]
        assert all(sample["peak_rss_bytes"] > 0 for sample in row["samples"])
        assert row["language"] in table
        # a machine that can limit functions has to do it
        assert row["enforcement"]["mechanism"] == support()[0]


@pytest.mark.timeout(900)
def test_a_generated_day(tmp_path: Path) -> None:
    """With both layouts of keys: an account's and an organisation's."""
    small = ("--objects", "100", "--organisation")
    table, exported = compare(*small, export=tmp_path / "out.json")
    fixture = exported["fixture"]
    assert isinstance(fixture, dict)
    check(table, exported, sources=100, bad=0, records=fixture["records"], chunks=1)


@pytest.mark.timeout(900)
def test_two_runs_at_once_do_not_meet() -> None:
    command = [sys.executable, "-m", "harness", "compare", "--languages", "go,java"]
    small = ("--clients", "light", "--objects", "50", "--cold", "1", "--warm", "1")
    runs = [
        subprocess.Popen(
            [*command, *small],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for _ in range(2)
    ]
    for run in runs:
        out, _ = run.communicate()
        assert run.returncode == 0, out
        assert out.count(" match ") == 3


@pytest.mark.timeout(900)
def test_a_real_day(tmp_path: Path, real_logs: Path) -> None:
    table, exported = compare(
        "--source", str(real_logs), "--day", "2023-07-10", export=tmp_path / "out.json"
    )
    check(table, exported, sources=55, bad=0, records=2900)
