"""The floor: it moves all texts of the day, and the other rows are divided by its row."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from conftest import IMPLEMENTATIONS
from fake_machine import FakeMachine

from harness.cli import main
from harness.compare.companions import FLOOR, prepare
from harness.compare.staged_day import StagedDay, staged
from harness.fixtures.staging import StagedObject
from harness.model import Artefact, NotReady, Role, Verdict, VerdictKind
from harness.targets.interface import Placement
from harness.targets.local.sandbox import LocalSandbox
from harness.targets.local.store import serve

DAY = date(2024, 2, 8)
FOLDER = "AWSLogs/111122223333/CloudTrail/eu-west-1/2024/02/08/"
EVENT = {"year": 2024, "month": 2, "day": 8}
SETTINGS = {"CHUNK_BYTES": "2000", "MAX_SOURCE_BYTES": "5000", "CONCURRENCY": "3"}


def text(name: str, size: int = 700) -> bytes:
    return f'{{"Records":[],"{name}":"'.encode().ljust(size - 2, b"x") + b'"}'


def body(name: str, size: int = 700) -> bytes:
    return gzip.compress(text(name, size), mtime=0)


def with_byte(data: bytes, at: int, value: int) -> bytes:
    changed = bytearray(data)
    changed[at] = value
    return bytes(changed)


GOOD = {
    f"{FOLDER}plain.json": text("plain"),
    f"{FOLDER}not json": b"not json",
    f"{FOLDER}%2F+ü &?#[]~'.gz": body("odd key"),
    f"{FOLDER}deep-er/x.gz": body("before its neighbour"),
    f"{FOLDER}deep/er/x.gz": body("deeper"),
    f"{FOLDER}members.gz": body("one") + body("other"),
    f"{FOLDER}empty": b"",
    f"{FOLDER}empty.gz": gzip.compress(b"", mtime=0),
    f"{FOLDER}at the limit.gz": body("limit", 5000),
    FOLDER.replace("eu-west-1", "eu-west-1-x") + "a.gz": body("another region"),
    FOLDER.replace("AWSLogs/", "AWSLogs/o-abc1/") + "a.gz": body("an organisation's"),
}
BAD = {
    f"{FOLDER}cut.gz": body("cut")[:-3],
    f"{FOLDER}crc.gz": with_byte(body("crc"), -6, 0),
    f"{FOLDER}flag.gz": with_byte(body("flag"), 3, 0x80),
    f"{FOLDER}tail.gz": body("tail") + b"\0",
    f"{FOLDER}large.gz": body("large", 5001),
    f"{FOLDER}large": text("large", 5001),
}
NEIGHBOUR = FOLDER.replace("CloudTrail", "CloudTrail-Digest") + "a.gz"


def odd_day() -> Iterator[StagedObject]:
    yield StagedObject(NEIGHBOUR, body("neighbour"), None, None)
    for key, stored in sorted({**GOOD, **BAD}.items(), key=lambda each: each[0].encode()):
        yield StagedObject(key, stored, None, ())


@pytest.fixture(scope="module")
def artefact() -> Artefact:
    made = prepare(FLOOR.beside(IMPLEMENTATIONS["go"]), lambda _: None)
    assert isinstance(made, Artefact), str(made)
    return made


@pytest.fixture
def staged_day() -> Iterator[StagedDay]:
    target = replace(FakeMachine().target(), serve=serve)
    days = {DAY: odd_day()}
    placement = Placement(None, None)
    with staged(target, days, SETTINGS, placement, lambda _: None, {True}) as found:
        yield found


def test_every_text_that_inflates_is_moved_in_key_order(
    artefact: Artefact, staged_day: StagedDay
) -> None:
    env = {**artefact.implementation.environment, **staged_day.envs[True], **SETTINGS}
    with LocalSandbox(artefact, env) as sandbox:
        for cold in (True, False):
            staged_day.clear()
            invocation = sandbox.invoke(EVENT)
            assert invocation.error is None, invocation.error
            assert invocation.cold == cold
            assert staged_day.judge(invocation, role=Role.FLOOR) == Verdict(VerdictKind.MATCH)
    assert isinstance(invocation.result, dict)
    assert invocation.result["bad"] == len(BAD)
    assert invocation.result["sources"] == len(GOOD) + len(BAD)
    stored = staged_day.store.read_tree("destination-bucket")
    chunks = [gzip.decompress(each) for key, each in stored.items() if key.endswith(".gz")]
    ordered = sorted(GOOD.items(), key=lambda each: each[0].encode())
    texts = [gzip.decompress(each) if each[:1] == b"\x1f" else each for _, each in ordered]
    assert b"".join(chunks) == b"".join(texts)
    assert len(chunks) == 3
    assert all(len(each) >= 2000 for each in chunks[:-1])
    assert all(len(each) < 2000 + 5000 for each in chunks)
    # the output of a language is another one
    assert "chunk" in str(staged_day.judge(invocation).reason)


def test_a_text_that_is_lost_is_found(artefact: Artefact, staged_day: StagedDay) -> None:
    lost = next(key for key in GOOD if key.endswith("members.gz"))
    staged_day.store.put_file("source-bucket", lost, body("one"))
    env = {**artefact.implementation.environment, **staged_day.envs[True], **SETTINGS}
    with LocalSandbox(artefact, env) as sandbox:
        invocation = sandbox.invoke(EVENT)
    assert invocation.error is None
    assert "differs" in str(staged_day.judge(invocation, role=Role.FLOOR).reason)


FEW = ("compare", "--objects", "12", "--cold", "2", "--rerun", "0")


def exported(path: Path) -> dict[str, dict[str, object]]:
    return {row["name"]: row for row in json.loads(path.read_text())["results"]}


def test_the_floor_is_a_row_and_no_language(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "out.json"
    machine = FakeMachine(languages=["java", "go"], companions=True)
    assert main([*FEW, "--export-json", str(file)], machine.target()) == 0
    rows = exported(file)
    assert list(rows) == ["java sdk", "go sdk", "floor obstore"]
    floor = rows["floor obstore"]
    assert floor["verdict"] == "match"
    assert (floor["rank"], floor["package_zip_bytes"]) == (None, None)
    assert floor["ratio_to_floor"] == {"warm": None, "first": None}
    assert rows["go sdk"]["rank"] == 1
    ratio = {"low": 1, "high": 1, "estimate": 1, "n": 8}
    first = {"low": 5.5, "high": 5.5, "estimate": 5.5, "n": 2}
    assert rows["go sdk"]["ratio_to_floor"] == {"warm": ratio, "first": first}
    again = json.loads(file.read_text())["again"]["name"]
    assert again != "floor obstore"
    table = capsys.readouterr().out
    assert "against the floor" in table
    assert "5.50 [5.50-5.50]" in table


def test_every_variant_has_a_floor_of_its_own(tmp_path: Path) -> None:
    file = tmp_path / "out.json"
    machine = FakeMachine(languages=["go"], companions=True)
    sweep = ("--concurrency", "1,4", "--export-json", str(file))
    assert main([*FEW, *sweep], machine.target()) == 0
    assert list(exported(file)) == [
        *("go sdk c=1", "floor obstore c=1", "go sdk c=4", "floor obstore c=4")
    ]
    assert main([*FEW, *sweep[:2], "--baseline", str(file)], machine.target()) == 0


def test_without_the_floor_nothing_is_divided_by_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "out.json"
    arguments = (*FEW, "--export-json", str(file))
    assert main([*arguments, "--no-floor"], FakeMachine(companions=True).target()) == 0
    rows = exported(file)
    assert "floor obstore" not in rows
    assert rows["go sdk"]["ratio_to_floor"] == {"warm": None, "first": None}
    assert "against the floor" not in capsys.readouterr().out

    assert main(arguments, FakeMachine(companions=NotReady("no uv: install it")).target()) == 0
    floor = exported(file)["floor obstore"]
    assert (floor["verdict"], floor["reason"]) == ("skipped", "no uv: install it")


def test_a_floor_that_does_less_gets_no_times(tmp_path: Path) -> None:
    file = tmp_path / "out.json"
    machine = FakeMachine(
        languages=["go"], companions=True, spoil={"floor": lambda texts: texts[1:]}
    )
    assert main([*FEW, "--export-json", str(file)], machine.target()) == 1
    rows = exported(file)
    assert rows["floor obstore"]["verdict"] == "mismatch"
    assert rows["floor obstore"]["samples"] == []
    assert rows["go sdk"]["ratio_to_floor"] == {"warm": None, "first": None}
