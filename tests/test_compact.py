"""``compact`` with a fake engine: interruptions, readers at every step, faults of days."""

from __future__ import annotations

import gzip
import json
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from fake_aws import FakeAws, FakeQuery, Refused
from fake_engine import FakeEngine

from harness.cli import main
from harness.compact.compact import Compactor, look_at
from harness.compact.places import Part, begun, new_run
from harness.compact.state import Done, State
from harness.compact.statements import columns_of_athena_sql
from harness.compact.store import Store, Stored
from harness.model import HarnessError
from harness.targets.local.s3_access import open_s3
from harness.targets.local.s3server import S3Server

DAY = date(2024, 2, 8)
COLUMNS = {"eventid": "eventID", "useridentity": "userIdentity"}
PREFIX = "day/"
LATER = timedelta(days=2)
_buckets = (f"lake-{number}" for number in count())


@cache
def client(s3: S3Server) -> Any:
    """boto3 takes a tenth of a second to make one."""
    return open_s3(s3)


class Killed(BaseException):
    """The process ends here."""


class WatchedStore(Store):
    """``before`` is called before each request."""

    before: Callable[[str], None]

    def list(self, prefix: str) -> Sequence[Stored]:
        self.before("list")
        return super().list(prefix)

    def get(self, key: str) -> bytes | None:
        self.before("get")
        return super().get(key)

    def put(self, key: str, body: bytes) -> None:
        self.before("put")
        super().put(key, body)

    def delete(self, keys: Iterable[str]) -> None:
        for key in keys:
            self.before("delete")
            super().delete([key])


@dataclass
class Lake:
    """A bucket with published days, and what compacts them. ``steps`` has the steps of all runs."""

    s3: S3Server
    bucket: str = field(default_factory=lambda: next(_buckets))
    watch: Callable[[str], None] = lambda _: None
    steps: list[str] = field(default_factory=list)
    now: datetime = field(default_factory=lambda: datetime.now(UTC))

    def __post_init__(self) -> None:
        self.s3.bucket_path(self.bucket)
        self.engine = FakeEngine(self.s3, COLUMNS, self._before)
        self.store = WatchedStore(client(self.s3), self.bucket, f"{PREFIX}parquet/")
        self.store.before = self._before

    def _before(self, step: str) -> None:
        self.steps.append(step)
        self.watch(step)

    @property
    def part(self) -> Part:
        return Part(self.bucket, PREFIX, DAY)

    def publish(self, *chunks: Sequence[str], part: Part | None = None) -> None:
        """Chunks of records with these ids, as a run publishes them."""
        folder = (part or self.part).chunks
        shutil.rmtree(self.s3.bucket_path(self.bucket) / folder, ignore_errors=True)
        listed = []
        for number, ids in enumerate(chunks, 1):
            key = f"{folder}{number:06d}.ndjson.gz"
            records = [{"eventID": each, "userIdentity": {"type": "Root"}} for each in ids]
            text = "".join(f"{json.dumps(each)}\n" for each in records).encode()
            self.put(key, gzip.compress(text, mtime=0))
            listed.append({"key": key, "records": len(ids), "bytes": len(text)})
        manifest = {"result": {"sources": 1, "bad": 0}, "chunks": listed}
        self.put(f"{folder}_manifest.json", json.dumps(manifest).encode())

    def put(self, key: str, body: bytes) -> None:
        self.s3.put_file(self.bucket, key, body)

    def compact(self, *parts: Part) -> list[Done]:
        made = Compactor(self.store, lambda: self.engine, COLUMNS, lambda _: None, lambda: self.now)
        return list(made.compact(parts or [self.part]))

    def only(self) -> Done:
        (done,) = self.compact()
        return done

    def seen(self) -> Sequence[str] | None:
        """The ids that a reader finds; ``None`` if there is no list. A missing file is an error."""
        tree = self.s3.read_tree(self.bucket)
        text = tree.get(self.part.list_key)
        if text is None:
            return None
        keys = [each.removeprefix(f"s3://{self.bucket}/") for each in text.decode().splitlines()]
        return sorted(json.loads(line)[0] for key in keys for line in tree[key].splitlines())

    def chunks(self) -> Mapping[str, bytes]:
        tree = self.s3.read_tree(self.bucket, PREFIX)
        return {key: body for key, body in tree.items() if "/parquet/" not in key}

    def files(self) -> Sequence[str]:
        return [*self.s3.read_tree(self.bucket, f"{PREFIX}parquet/files/")]


@pytest.fixture(scope="module")
def s3() -> Iterator[S3Server]:
    with S3Server() as server:
        yield server
        client(server).close()  # else the server waits for its connections


@pytest.fixture
def lake(s3: S3Server) -> Lake:
    return Lake(s3)


# ---- a day ----


def test_a_day_is_compacted_once_and_again_when_it_was_published_again(lake: Lake) -> None:
    lake.publish(["a", "b"], ["c"])
    before = lake.chunks()
    done = lake.only()
    assert (done.state, done.records, done.files) == (State.COMPACTED, 3, 2)
    assert lake.seen() == ["a", "b", "c"]
    assert lake.engine.tables == {}
    steps = len(lake.steps)
    assert lake.only().state is State.CURRENT
    assert not [each for each in lake.steps[steps:] if each.startswith(("engine", "put", "del"))]
    lake.publish(["a", "b"], ["c"])  # a repeated run gives the same chunks
    assert lake.only().state is State.CURRENT
    assert lake.chunks() == before
    lake.publish(["a", "b"], ["c", "d"])
    assert lake.only().state is State.COMPACTED
    assert lake.seen() == ["a", "b", "c", "d"]


def test_replaced_files_stay_for_a_day(lake: Lake) -> None:
    lake.publish(["a"])
    lake.compact()
    old = lake.files()
    lake.now += LATER  # the old files are old when they are replaced
    lake.publish(["a", "b"])
    assert lake.only().state is State.COMPACTED
    assert set(old) < set(lake.files())
    lake.now = datetime.now(UTC)
    lake.compact()
    assert set(old) < set(lake.files())
    lake.now += LATER
    lake.compact()
    assert not set(old) & set(lake.files())
    assert lake.seen() == ["a", "b"]


def test_a_day_without_records_has_no_list(lake: Lake) -> None:
    lake.publish()
    assert lake.only().state is State.EMPTY
    lake.publish(["a"])
    assert lake.only().state is State.COMPACTED
    lake.publish()
    assert lake.only().state is State.EMPTY
    assert lake.seen() is None
    assert lake.files()
    lake.now += LATER
    assert lake.only().state is State.EMPTY
    assert not lake.files()


def test_a_file_that_was_deleted_is_made_again(lake: Lake) -> None:
    lake.publish(["a", "b"])
    lake.compact()
    (lake.s3.bucket_path(lake.bucket) / lake.files()[0]).unlink()
    assert lake.only().state is State.COMPACTED
    assert lake.seen() == ["a", "b"]


def test_an_accounts_part_of_a_day_has_its_own_files(lake: Lake) -> None:
    part = replace(lake.part, account="111122223333")
    lake.publish(["a"])
    lake.publish(["b", "c"], part=part)
    whole, of_account = lake.compact(lake.part, part)
    assert (whole.records, of_account.records) == (1, 2)
    assert lake.seen() == ["a"]
    assert f"{PREFIX}parquet/days/111122223333/2024/02/08/symlink.txt" in lake.s3.read_tree(
        lake.bucket
    )


# ---- interruptions and readers ----

OLD, NEW = ["a", "b", "c"], ["a", "b", "c", "d", "e"]


def prepared(s3: S3Server) -> Lake:
    """A day that was compacted and then published again."""
    lake = Lake(s3)
    lake.publish(OLD)
    lake.compact()
    lake.publish(NEW[:3], NEW[3:])
    lake.steps.clear()
    return lake


def steps_of(s3: S3Server) -> Sequence[str]:
    lake = prepared(s3)
    assert lake.only().state is State.COMPACTED
    return list(lake.steps)


def test_the_switch_is_one_put_after_all_checks(s3: S3Server) -> None:
    steps = steps_of(s3)
    assert steps.count("put") == 1
    assert "delete" not in steps
    after = steps[steps.index("put") :]
    assert not [each for each in after if each.startswith("engine")]
    before = steps[: steps.index("put")]
    assert [each for each in before if "file" in each] == ["engine: file 0", "engine: file 1"]
    assert before.count("engine: SELECT count") == 2


def test_a_reader_sees_the_old_or_the_new_day_at_each_step(s3: S3Server) -> None:
    lake = prepared(s3)
    seen: list[Sequence[str] | None] = []
    lake.watch = lambda _: seen.append(lake.seen())
    lake.compact()
    assert len(seen) > 20
    assert [each for each in seen if each not in (OLD, NEW)] == []
    assert seen[0] == OLD
    assert lake.seen() == NEW


@pytest.mark.slow
def test_after_a_kill_at_any_step_the_next_run_ends_the_work(s3: S3Server) -> None:
    names = steps_of(s3)
    for last in range(len(names)):
        lake = prepared(s3)
        chunks = lake.chunks()

        def kill(_: str, lake: Lake = lake, last: int = last) -> None:
            if len(lake.steps) > last:  # a dead process makes no step more
                raise Killed

        lake.watch = kill
        with pytest.raises(Killed):
            lake.compact()
        lake.watch = lambda _: None
        assert lake.seen() in (OLD, NEW), names[last]
        assert lake.only().state in (State.COMPACTED, State.CURRENT), names[last]
        assert lake.seen() == NEW, names[last]
        lake.now += LATER
        lake.publish(["z"])  # what the killed run has left is removed by runs of a later day
        assert lake.only().state is State.COMPACTED
        lake.now += LATER
        lake.compact()
        assert lake.engine.tables == {}, names[last]
        assert len(lake.files()) == 2, names[last]
        lake.publish(NEW[:3], NEW[3:])
        assert lake.chunks() == chunks, names[last]


@pytest.mark.slow
def test_an_error_at_any_step_leaves_the_day_to_the_next_run(s3: S3Server) -> None:
    names = steps_of(s3)
    for last, name in enumerate(names):
        lake = prepared(s3)

        def fail(_: str, lake: Lake = lake, last: int = last) -> None:
            if len(lake.steps) == last + 1:
                raise HarnessError("refused")

        lake.watch = fail
        (done,) = lake.compact()
        assert done == Done(lake.part, State.LEFT, reason="refused"), name
        assert lake.seen() == OLD, name
        assert lake.only().state is State.COMPACTED
        assert lake.seen() == NEW


@pytest.mark.slow
def test_two_runs_at_once_leave_one_right_day(s3: S3Server) -> None:
    for step in range(len(steps_of(s3))):
        lake = prepared(s3)

        def meet(_: str, lake: Lake = lake, step: int = step) -> None:
            if len(lake.steps) == step + 1:
                assert lake.only().state is State.COMPACTED
                assert lake.seen() == NEW

        lake.watch = meet
        assert lake.only().state in (State.COMPACTED, State.CURRENT)
        assert lake.seen() == NEW
        assert lake.engine.tables == {}
        assert lake.only().state is State.CURRENT
        lake.now += LATER
        lake.compact()
        assert len(lake.files()) == 2


def test_a_day_that_is_published_meanwhile_is_not_switched(lake: Lake) -> None:
    lake.publish(["a"])

    def publish(step: str) -> None:
        if step == "engine: file 1":
            lake.publish(["a", "b"])

    lake.watch = publish
    done = lake.only()
    assert done.state is State.LEFT
    lake.watch = lambda _: None
    assert lake.seen() is None
    assert lake.only().state is State.COMPACTED
    assert lake.seen() == ["a", "b"]


def test_a_day_of_the_same_size_that_is_published_meanwhile_is_not_switched(lake: Lake) -> None:
    lake.publish(["a"])
    lake.watch = lambda step: lake.publish(["b"]) if step.startswith("engine: DROP") else None
    assert "published again meanwhile" in str(lake.only().reason)
    assert lake.seen() is None


# ---- faults of a day ----


def claim(lake: Lake, expires: datetime) -> None:
    told = {"run": "1", "expires": f"{expires:%Y-%m-%dT%H:%M:%S.000Z}"}
    lake.put(f"{lake.part.chunks}_claim.json", json.dumps(told).encode())


def without_a_manifest(lake: Lake) -> None:
    (lake.s3.bucket_path(lake.bucket) / f"{lake.part.chunks}_manifest.json").unlink()


def with_a_lost_record(lake: Lake) -> None:
    """A chunk of a run that died while it published (SPEC W4)."""
    lake.put(f"{lake.part.chunks}000001.ndjson.gz", gzip.compress(b'{"eventID":"a"}\n'))


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (without_a_manifest, "not published: there is no manifest"),
        (lambda lake: lake.put(f"{lake.part.chunks}_manifest.json", b"{}"), "is not a manifest"),
        (lambda lake: claim(lake, lake.now + LATER), "about to publish"),
        (with_a_lost_record, "has 1 records of 16 bytes, by the manifest 2 records of 102 bytes"),
        (
            lambda lake: lake.put(f"{lake.part.chunks}000002.ndjson.gz", b""),
            "not those of its manifest",
        ),
        (
            lambda lake: lake.put(f"{lake.part.chunks}notes.txt", b""),
            "notes.txt is no chunk, but queries would read it",
        ),
        (
            lambda lake: lake.put(f"{lake.part.list_folder}more.txt", b""),
            "parquet/days/2024/02/08/more.txt is not of this command",
        ),
        (
            lambda lake: lake.put(lake.part.list_key, b"s3://elsewhere/file\n"),
            "symlink.txt is not of this command",
        ),
        (
            lambda lake: lake.put(f"{lake.part.files}mine/1.parquet", b""),
            "mine/1.parquet is not of this command",
        ),
        (
            lambda lake: setattr(lake.engine, "change", lambda _, value: str(value)),
            "differ from the chunks' in: whole records, useridentity",
        ),
        (lambda lake: setattr(lake.engine, "loses", 1), "1 records were written in place of 2"),
    ],
)
def test_a_day_with_a_fault_is_left_and_the_next_one_is_compacted(
    lake: Lake, spoil: Callable[[Lake], None], words: str
) -> None:
    other = replace(lake.part, day=date(2024, 2, 9))
    lake.publish(["a", "b"])
    spoil(lake)
    before = lake.s3.read_tree(lake.bucket)
    (left,) = lake.compact()
    assert left.state is State.LEFT
    assert words in str(left.reason)
    tree = lake.s3.read_tree(lake.bucket)
    assert {k: v for k, v in tree.items() if not k.startswith(f"{lake.part.files}")} == {
        k: v for k, v in before.items() if not k.startswith(f"{lake.part.files}")
    }
    assert lake.engine.tables == {}
    lake.engine.change, lake.engine.loses = lambda _, value: value, 0
    lake.publish(["c"], part=other)
    assert [each.state for each in lake.compact(lake.part, other)][1] is State.COMPACTED


def test_an_expired_claim_hinders_nothing(lake: Lake) -> None:
    lake.publish(["a"])
    claim(lake, lake.now - LATER)
    assert lake.only().state is State.COMPACTED


def test_after_three_refused_days_the_run_ends(lake: Lake) -> None:
    parts = [replace(lake.part, day=DAY + timedelta(number)) for number in range(5)]
    for part in parts:
        lake.publish(["a"], part=part)

    def refuse(step: str) -> None:
        if "INSERT" in step:
            raise HarnessError("you may not")

    lake.watch = refuse
    with pytest.raises(HarnessError, match="you may not"):
        lake.compact(*parts)
    assert sum("INSERT" in each for each in lake.steps) == 3
    assert lake.engine.tables == {}


def test_nothing_outside_its_folder_is_written(lake: Lake) -> None:
    key = f"{lake.part.chunks}000001.ndjson.gz"
    with pytest.raises(AssertionError):
        lake.store.put(key, b"")
    with pytest.raises(AssertionError):
        lake.store.delete([key])


def test_a_look_changes_nothing(lake: Lake) -> None:
    lake.publish(["a"])
    assert [each.state for each in look_at(lake.store, [lake.part])] == [State.DUE]
    assert not lake.files()
    lake.compact()
    assert [each.state for each in look_at(lake.store, [lake.part])] == [State.CURRENT]


def test_a_name_tells_when_its_run_began() -> None:
    now = datetime(2024, 2, 8, 1, 2, 3, tzinfo=UTC)
    assert begun(f"{new_run(now).table}_lines") == now
    assert begun("rosetta_compact_of_somebody_else") is None


# ---- the command ----


class Athena:
    """AWS with an Athena that is the fake engine, and an S3 that is the local server."""

    def __init__(self, lake: Lake) -> None:
        self.aws = FakeAws(query=self._answer)
        self.aws.outputs |= {"DestinationBucket": lake.bucket, "DestinationPrefix": PREFIX}
        self.lake = lake

    def clients(self, _region: str | None) -> Any:
        return replace(self.aws.clients(), s3=client(self.lake.s3))

    def _answer(self, sql: str) -> FakeQuery:
        rows = self.lake.engine.run(sql)
        names = [f"_col{number}" for number in range(len(rows[0]) if rows else 1)]
        query = sql.startswith("SELECT")
        return FakeQuery([names, *rows] if query else (), states=[])


COMMAND = ("compact", "--from", "2024-02-08", "--to", "2024-02-09")


def test_a_stacks_days_are_compacted_by_athena(
    lake: Lake, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    athena = Athena(lake)
    lake.engine.columns = columns_of_athena_sql()
    monkeypatch.setattr("harness.compact.destination.open_clients", athena.clients)
    lake.publish(["a", "b"])
    asked = (*COMMAND, "--stack", "rosetta", "--database", "trails", "--output", "s3://results/")
    assert main([*asked, "--dry-run"]) == 1  # the second day is not published
    assert "due       2024-02-08: 2 records\n" in capsys.readouterr().out
    assert not lake.files()
    assert main(asked) == 1
    out = capsys.readouterr().out
    assert "compacted 2024-02-08: 2 records in 2 files" in out
    assert "left      2024-02-09: it is not published: there is no manifest\n" in out
    assert out.endswith("1 compacted, 1 left\n")
    asked_of = athena.aws.asked("StartQueryExecution")
    assert {each["QueryExecutionContext"]["Database"] for each in asked_of} == {"trails"}
    lake.publish(["c"], part=replace(lake.part, day=date(2024, 2, 9)))
    assert main(asked) == 0
    assert main([*asked, "--by-account"]) == 1
    assert "has no folder of an account" in capsys.readouterr().err


def test_a_missing_right_is_named(
    lake: Lake, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    athena = Athena(lake)
    athena.aws.refuse["StartQueryExecution"] = Refused("AccessDeniedException")
    monkeypatch.setattr("harness.compact.destination.open_clients", athena.clients)
    lake.publish(["a"])
    assert main([*COMMAND, "--stack", "rosetta"]) == 1
    assert "give yourself athena:StartQueryExecution" in capsys.readouterr().out


def test_wrong_arguments_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    named = tmp_path / "A_Copy"
    named.mkdir()
    lake = tmp_path / "lake"
    lake.mkdir()
    for more, words in (
        ((), "--stack NAME or --destination DIR"),
        (("--stack", "a", "--destination", "b"), "one of them only"),
        (("--destination", str(tmp_path / "none")), "is not a folder"),
        (("--destination", str(named)), "give the copy the name of its bucket"),
        (("--destination", str(lake), "--prefix", "it's/"), "has a quote"),
    ):
        assert main([*COMMAND, *more]) == 2
        assert words in capsys.readouterr().err


def test_a_copy_without_due_days_needs_no_engine(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "lake/day/2024/02/08"
    folder.mkdir(parents=True)
    manifest = {"result": {"sources": 0, "bad": 0}, "chunks": []}
    (folder / "_manifest.json").write_text(json.dumps(manifest))
    before = list(tmp_path.rglob("*"))
    copy = ("--destination", str(tmp_path / "lake"), "--prefix", "day/")
    assert main(["compact", "--from", "2024-02-08", "--to", "2024-02-08", *copy]) == 0
    assert capsys.readouterr().out == "empty     2024-02-08: 0 records\n1 empty\n"
    assert list(tmp_path.rglob("*")) == before


def test_days_in_a_row_with_one_reason_take_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for account in ("111122223333", "444455556666"):
        day = tmp_path / "lake" / account / "2024/02/10"
        day.mkdir(parents=True)
        (day / "_manifest.json").write_text("[]")
    command = ("compact", "--from", "2024-02-08", "--to", "2024-02-12", "--by-account")
    assert main([*command, "--destination", str(tmp_path / "lake")]) == 1
    missing = "it is not published: there is no manifest"
    key = "2024/02/10/_manifest.json is not a manifest: aggregate the day again"
    assert capsys.readouterr().out.splitlines() == [
        f"left      2024-02-08 111122223333 to 2024-02-09: {missing}",
        f"left      2024-02-10 111122223333: 111122223333/{key}",
        f"left      2024-02-11 111122223333 to 2024-02-12: {missing}",
        f"left      2024-02-08 444455556666 to 2024-02-09: {missing}",
        f"left      2024-02-10 444455556666: 444455556666/{key}",
        f"left      2024-02-11 444455556666 to 2024-02-12: {missing}",
        "10 left",
    ]
