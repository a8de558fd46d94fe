"""Peers: another tool's output is judged by its records' values, and its row has no rank."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from conftest import IMPLEMENTATIONS
from fake_machine import FakeMachine

from harness.cli import main
from harness.compare.companions import DUCKDB, prepare
from harness.compare.staged_day import StagedDay, staged
from harness.fixtures.recipe import Recipe, make_day
from harness.fixtures.sources import inflate
from harness.model import Artefact, Invocation, NotReady, Role, VerdictKind
from harness.report.json_export import read_export
from harness.targets.interface import Placement
from harness.targets.local.sandbox import LocalSandbox
from harness.targets.local.store import serve

pytestmark = pytest.mark.slow

DAY = date(2024, 2, 8)
EVENT = {"year": 2024, "month": 2, "day": 8}
SETTINGS = {"CHUNK_BYTES": "20000", "MAX_SOURCE_BYTES": "1000000", "CONCURRENCY": "3"}
FEW = ("compare", "--objects", "12", "--cold", "2", "--rerun", "0", "--languages", "go")


def exported(path: Path) -> dict[str, dict[str, object]]:
    return {row["name"]: row for row in json.loads(path.read_text())["results"]}


def test_a_peer_is_a_row_of_its_own_verdict_and_in_no_rank(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, page, text = (tmp_path / name for name in ("out.json", "out.html", "out.md"))
    files = ("--export-json", str(file), "--html", str(page), "--markdown", str(text))
    assert main([*FEW, "--peers", *files], FakeMachine(companions=True).target()) == 0
    rows = exported(file)
    assert [(name, row["role"]) for name, row in rows.items()] == [
        ("go sdk", "language"),
        ("floor obstore", "floor"),
        ("peer duckdb", "peer"),
    ]
    peer = rows["peer duckdb"]
    assert peer["verdict"] == "values"
    assert "the same JSON values, in another text" in str(peer["reason"])
    assert (peer["rank"], peer["ratio_to_fastest"]) == (None, None)
    assert peer["ratio_to_floor"] == rows["go sdk"]["ratio_to_floor"]
    assert isinstance(peer["ratio_to_floor"], dict)
    assert peer["ratio_to_floor"]["warm"]["estimate"] == 1
    assert json.loads(file.read_text())["again"]["name"] == "go sdk"
    for shown in (capsys.readouterr().out, page.read_text(), text.read_text()):
        assert "peer duckdb" in shown
        assert "in another text" in shown
    assert '<td class="values">values</td>' in page.read_text()
    again = {row.name: row for row in read_export(file).rows}["peer duckdb"]
    assert (again.role, again.verdict.kind) == (Role.PEER, VerdictKind.VALUES)
    # another release of it is no slowdown of a language
    assert (
        main([*FEW, "--peers", "--baseline", str(file)], FakeMachine(companions=True).target()) == 0
    )
    assert "peer duckdb:" not in capsys.readouterr().out.partition("against the baseline")[2]


def test_without_being_asked_there_is_no_peer(tmp_path: Path) -> None:
    file = tmp_path / "out.json"
    assert main([*FEW, "--export-json", str(file)], FakeMachine(companions=True).target()) == 0
    assert list(exported(file)) == ["go sdk", "floor obstore"]


def test_each_named_peer_has_its_row_and_a_server_has_warm_samples_only(tmp_path: Path) -> None:
    file = tmp_path / "out.json"
    names = ("--peers", "trino,duckdb", "--rerun", "1", "--export-json", str(file))
    assert main([*FEW, *names], FakeMachine(companions=True).target()) == 0
    rows = exported(file)
    assert list(rows) == ["go sdk", "floor obstore", "peer trino", "peer duckdb"]

    def kinds(name: str) -> set[str]:
        samples = rows[name]["samples"]
        assert isinstance(samples, list)
        return {each["kind"] for each in samples}

    assert kinds("peer trino") == {"warm"}
    assert kinds("peer duckdb") == kinds("go sdk") == {"cold", "warm", "rerun"}
    ratio = rows["peer trino"]["ratio_to_floor"]
    assert isinstance(ratio, dict)
    assert ratio["warm"]["estimate"] == 1


def test_an_unknown_peer_is_a_wrong_argument(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*FEW, "--peers", "duckdb,spark"], FakeMachine().target()) == 2
    assert "spark is no peer: choose of duckdb, trino" in capsys.readouterr().err


def test_one_line_leaves_no_line_break_in_a_generated_source() -> None:
    broken = {}
    for flags in ((), ("--one-line",)):
        machine = FakeMachine()
        few = ("compare", "--objects", "200", "--cold", "0", "--warm", "0", "--languages", "go")
        assert main([*few, *flags], machine.target()) == 0
        texts = [inflate(body) for body in machine.store.buckets["source-bucket"].values()]
        broken[flags] = sum(b"\n" in text.rstrip(b"\n") for text in texts)
    assert broken[()] > 0
    assert broken["--one-line",] == 0


def test_one_line_is_for_generated_days(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    day = ("--source", str(tmp_path), "--day", "2024-02-08", "--one-line")
    assert main(["compare", *day], FakeMachine().target()) == 2
    assert "--one-line describe a generated day" in capsys.readouterr().err


def lose(records: Sequence[bytes]) -> list[bytes]:
    return list(records[1:])


def double(records: Sequence[bytes]) -> list[bytes]:
    return [*records[1:], records[1]]


def round_off(records: Sequence[bytes]) -> list[bytes]:
    changed = [re.sub(rb'"eventVersion":"1', b'"eventVersion":"2', each) for each in records]
    assert changed != list(records)
    return changed


@pytest.mark.parametrize("spoil", [lose, double, round_off])
def test_a_peer_that_changes_a_value_gets_no_times(tmp_path: Path, spoil: object) -> None:
    file = tmp_path / "out.json"
    machine = FakeMachine(companions=True, spoil={"peer": spoil})  # type: ignore[dict-item]
    # it is no failure of a language
    assert main([*FEW, "--peers", "--export-json", str(file)], machine.target()) == 0
    peer = exported(file)["peer duckdb"]
    assert (peer["verdict"], peer["samples"]) == ("mismatch", [])
    assert "not the same records" in str(peer["reason"])


def test_a_peer_that_was_asked_for_has_to_be_there(tmp_path: Path) -> None:
    file = tmp_path / "out.json"
    machine = FakeMachine(companions=NotReady("no wheel: install it"))
    assert main([*FEW, "--peers", "--export-json", str(file)], machine.target()) == 3
    peer = exported(file)["peer duckdb"]
    assert (peer["verdict"], peer["reason"]) == ("skipped", "no wheel: install it")


def test_peers_run_on_this_machine_only(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ("--peers", "--target", "aws", "--stack", "rosetta")
    assert main([*FEW, *arguments], FakeMachine().target()) == 2
    assert "leave out --target aws" in capsys.readouterr().err


@pytest.fixture(scope="module")
def artefact() -> Artefact:
    made = prepare(DUCKDB.beside(IMPLEMENTATIONS["go"]), lambda _: None)
    if isinstance(made, NotReady):
        pytest.skip(f"DuckDB can't be installed: {made}")
    return made


@pytest.fixture(params=[False, True], ids=["one layout", "both layouts"])
def staged_day(request: pytest.FixtureRequest) -> Iterator[StagedDay]:
    target = replace(FakeMachine().target(), serve=serve)
    day = make_day(Recipe(objects=40, organisation=request.param))
    placement = Placement(None, None)
    with staged(target, {DAY: day}, SETTINGS, placement, lambda _: None, {True}) as found:
        yield found


def invoke(artefact: Artefact, staged_day: StagedDay, times: int = 1) -> list[Invocation]:
    env = {**artefact.implementation.environment, **staged_day.envs[True], **SETTINGS}
    found = []
    with LocalSandbox(artefact, env) as sandbox:
        for _ in range(times):
            staged_day.clear()
            found.append(sandbox.invoke(EVENT))
    return found


def test_duckdb_writes_every_record_of_the_day_by_its_value(
    artefact: Artefact, staged_day: StagedDay
) -> None:
    cold, warm = invoke(artefact, staged_day, times=2)
    for invocation in (cold, warm):
        assert invocation.error is None, invocation.error
        verdict = staged_day.judge(invocation, role=Role.PEER)
        assert verdict.kind is VerdictKind.VALUES, verdict.reason
    assert (cold.cold, warm.cold) == (True, False)
    stored = staged_day.store.read_tree("destination-bucket")
    assert list(stored) == ["2024/02/08/000001.ndjson.gz"]
    lines = gzip.decompress(stored["2024/02/08/000001.ndjson.gz"]).splitlines()
    assert len(lines) == staged_day.expected.records > 0
    # a language's output would be another thing
    assert staged_day.judge(warm).kind is VerdictKind.MISMATCH


FOLDER = "AWSLogs/111122223333/CloudTrail/eu-west-1/2024/02/08/"
TEXT = json.dumps({"Records": [{"eventID": str(n), "n": n * 7919} for n in range(300)]}).encode()


def test_duckdb_lets_one_bad_source_fail_the_day(artefact: Artefact, staged_day: StagedDay) -> None:
    staged_day.store.put_file("source-bucket", f"{FOLDER}cut.json.gz", gzip.compress(TEXT[:-50]))
    (invocation,) = invoke(artefact, staged_day)
    assert "cut.json.gz" in str(invocation.error)
    assert not staged_day.store.read_tree("destination-bucket")


def test_duckdb_takes_a_body_whose_checksum_is_wrong(
    artefact: Artefact, staged_day: StagedDay
) -> None:
    body = bytearray(gzip.compress(TEXT, mtime=0))
    body[-6] ^= 0xFF  # the contract's BAD_GZIP (R5)
    staged_day.store.put_file("source-bucket", f"{FOLDER}crc.json.gz", bytes(body))
    (invocation,) = invoke(artefact, staged_day)
    assert isinstance(invocation.result, dict)
    assert invocation.result["records"] == staged_day.expected.records + 300
    verdict = staged_day.judge(invocation, role=Role.PEER)
    assert verdict.kind is VerdictKind.MISMATCH
