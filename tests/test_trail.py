"""The command `trail` on a hand-made folder with a known number of each oddity."""

from __future__ import annotations

import gzip
import json
import os
import socket
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from fake_machine import FakeMachine

from harness.cli import main
from harness.fixtures.survey import KINDS, Oddities, survey
from harness.fixtures.trail import find_trail, read_body
from harness.model import UsageError

DAY = date(2024, 2, 8)
SINGLE = "AWSLogs/111122223333/CloudTrail/eu-west-1/2024/02/08/"
ORGANISATION = "AWSLogs/o-abc/444455556666/CloudTrail/eu-west-1/2024/02/08/"


def record(number: int, extra: str = "", time: str = "2024-02-08T12:00:00Z") -> str:
    return f'{{"eventID":"{number}","eventTime":"{time}"{extra and "," + extra}}}'


def file(*records: str) -> bytes:
    return ('{"Records":[' + ",".join(records) + "]}").encode()


# key -> body; a comment beside it names its oddity
TREE: Mapping[str, bytes] = {
    f"{SINGLE}a-normal.json.gz": gzip.compress(file(record(1), record(2))),
    f"{SINGLE}b-redelivered.json.gz": gzip.compress(
        # 1 as it was; 2 with another text; a third time 1
        file(record(1), record(2, '"x":1'), record(1))
    ),
    f"{SINGLE}c-late.json.gz": gzip.compress(
        file(
            record(3, time="2024-02-07T23:59:54Z"),
            record(4, time="2024-02-06T21:58:00+00:00"),
            record(5, time="2024-02-08T00:30:00+01:00"),  # 2024-02-07T23:30:00Z
            record(6, time="2024-02-08T00:00:00Z"),
            record(7, time="2024-02-08T23:59:59Z"),
            record(8, time="2024-02-09T00:00:00Z"),
        )
    ),
    f"{SINGLE}d-escapes.json.gz": gzip.compress(
        file(
            record(10, r'"x":"\ud83d\ude00 \u00fc \n \\ud800"'),  # a pair, and no escape
            record(11, r'"x":"\ud800"'),
            record(12, r'"x":"\ude00\ud83d","y":"\uD800\\ude00"'),  # twice in one record
            record(13, r'"x":"\u0000"'),
            record(14, r'"x":"\u001F \u007f"'),
            record(15, '"x":"\u2028"'),
            record(16, '"x":"\u2029\x85"'),
        )
    ),
    f"{ORGANISATION}e-numbers.json.gz": gzip.compress(
        file(
            record(20, '"x":[9007199254740992,-9007199254740992,0.1,1.50,1E2,-0.0,1e-7]'),
            record(21, '"x":9007199254740993'),
            record(22, '"x":-' + "9" * 5000),
            record(23, '"x":0.1234567890123456789'),
            record(24, '"x":[1e999,-1e-999,0e9]'),
        )
    ),
    f"{ORGANISATION}f-members.json.gz": gzip.compress(
        file(
            record(30, r'"x":{"a":1,"\u0061":2}'),
            record(31, '"x":[{"a":1},{"a":1}]'),
            '{"eventTime":"2024-02-08T01:00:00Z","eventID":7}',
            '{"eventID":"33","eventTime":"yesterday","x":' + "[" * 97 + "]" * 97 + "}",
        )
    ),
    f"{ORGANISATION}g-pretty.json": b'{ "Records" : [\n {"eventID":"40",\r\n"eventTime":'
    b'"2024-02-08T01:00:00Z"}\n]}\n',
    f"{ORGANISATION}h-lines-between.json": b'{"Records":[\n' + record(41).encode() + b"\n]}\n",
    f"{ORGANISATION}i-empty.json.gz": gzip.compress(file()),
    f"{ORGANISATION}j-zero.json.gz": b"",
    f"{ORGANISATION}k-cut.json.gz": gzip.compress(file(record(1)))[:-1],
    f"{ORGANISATION}l-bad.json.gz": gzip.compress(b'{"Records":[{]}'),
    f"{ORGANISATION}m-none.json.gz": gzip.compress(b'{"records":[]}'),
    f"{ORGANISATION}n-large.json.gz": gzip.compress(b" " * 20_001),
    # not of the day
    "AWSLogs/111122223333/CloudTrail/eu-west-1/2024/02/07/x.json": file(record(1)),
    "AWSLogs/111122223333/CloudTrail-Digest/eu-west-1/2024/02/08/x.json.gz": b"{}",
    "AWSLogs/111122223333/CloudTrail-Digest/eu-west-1/2024/02/08/y.json.gz": b"{}",
    "AWSLogs/o-abc/444455556666/CloudTrail-Insight/eu-west-1/2024/02/08/x.json.gz": b"{}",
    "AWSLogs/111122223333/Config/eu-west-1/2024/02/09/x.json.gz": b"{}",
    "AWSLogs/111122223333/CloudTrail/eu-west-1/x.json.gz": b"{}",
}
COUNTS = {
    "TOO_LARGE": 1,
    "BAD_GZIP": 1,
    "BAD_JSON": 2,  # one has zero bytes
    "NO_RECORDS": 1,
    "zero_bytes": 1,
    "zero_records": 1,
    "plain": 2,
    "broken_lines": 1,
    "repeated_event_id": 3,
    "repeated_text": 2,
    "late": 3,
    "early": 1,
    "no_event_id": 1,
    "no_event_time": 1,
    "lone_surrogate": 2,
    "nul_escape": 1,
    "control_escape": 1,
    "raw_separator": 2,
    "big_integer": 2,
    "long_decimal": 2,
    "duplicate_key": 1,
}


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    for key, body in TREE.items():
        path = tmp_path / "dataset" / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)
    (tmp_path / "dataset" / SINGLE / "marker").mkdir()
    (tmp_path / "dataset/AWSLogs/111122223333/CloudTrail/us-east-1/2024/02/08").mkdir(parents=True)
    return tmp_path / "dataset"


@pytest.fixture
def oddities(dataset: Path) -> Oddities:
    return survey(find_trail(dataset), DAY, max_source_bytes=20_000)


def test_each_oddity_is_counted_once(oddities: Oddities) -> None:
    assert {kind: found.count for kind, found in oddities.found.items()} == COUNTS
    assert COUNTS.keys() == KINDS.keys()


def test_the_first_source_of_a_kind_is_named(oddities: Oddities) -> None:
    assert oddities.found["late"].first == f"{SINGLE}c-late.json.gz"
    assert oddities.found["BAD_JSON"].first == f"{ORGANISATION}j-zero.json.gz"
    assert [code for _, code in oddities.bad] == [
        *("BAD_JSON", "BAD_GZIP", "BAD_JSON", "NO_RECORDS", "TOO_LARGE")
    ]


def test_late_events_are_told_by_their_day_and_how_late(oddities: Oddities) -> None:
    assert oddities.late_days == {"2024-02-06": 1, "2024-02-07": 2}
    assert oddities.earliest == "2024-02-06T21:58:00+00:00"
    assert oddities.late_max_s == (26 * 60 + 2) * 60


def test_the_shape_of_the_day(oddities: Oddities) -> None:
    assert (oddities.sources, oddities.organisation_sources, oddities.layout) == (14, 10, "both")
    assert (oddities.accounts, oddities.regions, oddities.records) == (2, 1, 29)
    assert oddities.max_depth == 100
    assert oddities.neighbours == {"CloudTrail-Digest": 2, "CloudTrail-Insight": 1}
    assert oddities.empty_folders == 2


def test_the_sizes_of_the_day(oddities: Oddities) -> None:
    stored = sorted(
        len(body) for key, body in TREE.items() if key.startswith((SINGLE, ORGANISATION))
    )
    spread = oddities.stored_bytes
    assert (spread.sum, spread.median, spread.p95, spread.max) == (
        *(sum(stored), stored[6], stored[13], stored[13]),
    )
    assert oddities.small_sources == len(stored)
    records = oddities.records_per_source
    assert (records.sum, records.median, records.p95, records.max) == (29, 3, 7, 7)
    # all except the cut body and the too large one; zero bytes inflate to zero bytes
    assert oddities.inflated_bytes.max > 5000
    assert oddities.to_json()["small_share"] == 1.0


# ---- the command ----


def exported(*arguments: str, file: Path) -> dict[str, Any]:
    assert main([*arguments, "--export-json", str(file)]) == 0
    found: dict[str, Any] = json.loads(file.read_text())
    return found


def test_the_days_are_listed_without_a_day(
    dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = exported("trail", "--source", str(dataset), file=tmp_path / "out.json")
    assert list(found["days"]) == ["2024-02-07", "2024-02-08", "2024-02-09"]
    assert [day["sources"] for day in found["days"].values()] == [1, 14, 0]
    assert found["elsewhere"] == 1
    out = capsys.readouterr().out
    assert "2024-02-08       14" in " ".join(out.splitlines())
    assert "2 in CloudTrail-Digest, 1 in CloudTrail-Insight, 1 in Config" in out
    assert "1 in no day's folder" in out


def test_counts_of_zero_are_in_the_export_and_not_on_the_screen(
    dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ("trail", "--source", str(dataset), "--day", "2024-02-08")
    found = exported(*arguments, file=tmp_path / "out.json")["oddities"]["found"]
    assert found["TOO_LARGE"] == {"count": 0, "first": None}  # the contract's own limit here
    assert {kind: each["count"] for kind, each in found.items()} == {
        **COUNTS,
        **{"TOO_LARGE": 0, "BAD_JSON": 3},
    }
    out = capsys.readouterr().out
    assert "TOO_LARGE" not in out
    assert "3 of 14 sources BAD_JSON" in out
    assert "3 of 29 records an eventTime before the day of the key" in out
    assert "2 of 2024-02-07, 1 of 2024-02-06; the earliest 26 h 2 min before midnight" in out
    assert "first in c-late.json.gz" in out
    assert "2 files in CloudTrail-Digest, not read" in " ".join(out.split())


def test_a_day_without_oddities_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / SINGLE / "a.json.gz"
    path.parent.mkdir(parents=True)
    path.write_bytes(TREE[f"{SINGLE}a-normal.json.gz"])
    assert main(["trail", "--source", str(tmp_path), "--day", "2024-02-08"]) == 0
    assert "no oddities: none of the 21 kinds occurs" in capsys.readouterr().out


def test_a_day_that_the_trail_lacks_is_wrong_usage(
    dataset: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["trail", "--source", str(dataset), "--day", "2024-02-09"]) == 2
    err = capsys.readouterr().err
    assert "days that exist: 2024-02-07, 2024-02-08" in err
    assert main(["trail", "--source", str(dataset / "none")]) == 2


def test_a_comparison_of_a_source_lists_its_oddities(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / SINGLE / "a.json.gz"
    path.parent.mkdir(parents=True)
    path.write_bytes(gzip.compress(file(record(1), record(1, time="2024-02-07T23:00:00Z"))))
    export = tmp_path / "out.json"
    arguments = ("--source", str(tmp_path), "--day", "2024-02-08", "--export-json", str(export))
    assert main(["compare", *arguments], FakeMachine().target()) == 0
    out = capsys.readouterr().out
    assert out.index(" match ") < out.index("1 of 2 records an eventTime before")
    found = json.loads(export.read_text())["oddities"]["found"]
    assert (found["late"]["count"], found["repeated_event_id"]["count"]) == (1, 1)


def test_a_generated_day_has_no_such_section(tmp_path: Path) -> None:
    export = tmp_path / "out.json"
    small = ("compare", "--objects", "30", "--cold", "1", "--warm", "1")
    assert main([*small, "--export-json", str(export)], FakeMachine().target()) == 0
    assert "oddities" not in json.loads(export.read_text())


def test_real_trails(real_logs: Path) -> None:
    trail = find_trail(real_logs)

    def odd(day: str) -> dict[str, int]:
        found = survey(trail, date.fromisoformat(day)).found
        return {kind: each.count for kind, each in found.items() if each.count}

    assert sum(len(day.sources) for day in trail.days.values()) == 98
    assert odd("2023-07-10") == {}
    assert odd("2020-09-30") == {"zero_records": 1, "plain": 3, "broken_lines": 2}
    assert odd("2020-10-01") == {"plain": 1, "broken_lines": 2, "late": 3}


# ---- nothing is left out in silence ----


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that another user can open, which pytest's own folders forbid."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@contextmanager
def without_rights() -> Iterator[None]:
    """Be a user without rights; root may read everything."""
    own = os.geteuid()
    if own == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(own)


def good(folder: Path) -> Path:
    path = folder / SINGLE / "a.json.gz"
    path.parent.mkdir(parents=True)
    path.write_bytes(TREE[f"{SINGLE}a-normal.json.gz"])
    return path


@pytest.mark.parametrize(
    ("place", "mode"),
    [
        (ORGANISATION, 0o000),
        (ORGANISATION, 0o444),  # the names can be read, the files can't
        ("AWSLogs/notes/", 0o000),
        ("beside/", 0o000),  # another AWSLogs may lie in it
    ],
)
def test_a_folder_that_cannot_be_read_is_an_error(place: str, mode: int, open_folder: Path) -> None:
    good(open_folder)
    shut = open_folder / place
    shut.mkdir(parents=True)
    (shut / "b.json.gz").write_bytes(b"")
    shut.chmod(mode)
    refusal = f"{shut}.* can't be read: Permission denied: let this user read it"
    try:
        with without_rights(), pytest.raises(UsageError, match=refusal):
            find_trail(open_folder)
    finally:
        shut.chmod(0o755)


def socket_at(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as made:
        here = Path.cwd()
        os.chdir(path.parent)  # an address has at most 107 bytes
        try:
            made.bind(path.name)
        finally:
            os.chdir(here)


@pytest.mark.parametrize(
    ("make", "kind"),
    [
        (os.mkfifo, "a named pipe"),
        (socket_at, "a socket"),
        (lambda path: path.symlink_to("nowhere"), "a link that leads nowhere"),
        (lambda path: path.symlink_to("/dev/null"), "a device"),
    ],
)
def test_a_source_that_is_no_file_is_named(
    make: Callable[[Path], None], kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    odd = good(tmp_path).with_name("b.json.gz")
    make(odd)
    machine = FakeMachine()
    source = ("--source", str(tmp_path))
    for command in ("trail", "compare"):
        assert main([command, *source, "--day", "2024-02-08"], machine.target()) == 2
        assert f"{odd} is {kind}, and no file: remove it" in capsys.readouterr().err
    assert machine.done == []
    found = exported("trail", *source, file=tmp_path / "out.json")
    assert found["not_files"] == {str(odd): kind}
    assert f"{odd} is {kind}" in "".join(capsys.readouterr().out.split("\n"))


def test_links(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = good(tmp_path / "trail")
    kept = path.rename(tmp_path / "kept")
    path.symlink_to(kept)
    (found,) = find_trail(tmp_path).day(DAY).sources
    assert read_body(found) == kept.read_bytes()

    link = tmp_path / "trail" / ORGANISATION
    link.parent.mkdir(parents=True)
    link.symlink_to(path.parent)
    assert main(["trail", "--source", str(tmp_path)]) == 2
    assert f"{link} is a link to a folder: put a copy" in capsys.readouterr().err


def test_each_entry_of_a_tree_is_counted_once(dataset: Path) -> None:
    os.mkfifo(dataset / SINGLE / "pipe")
    os.mkfifo(dataset / "AWSLogs/pipe")
    trail = find_trail(dataset)
    counted = trail.elsewhere + sum(
        len(day.sources) + day.neighbours.total() + len(day.not_files)
        for day in trail.days.values()
    )
    there = [path for path in (dataset / "AWSLogs").rglob("*") if not path.is_dir()]
    assert counted == len(there)
