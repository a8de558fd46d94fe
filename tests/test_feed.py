"""The feed: limits, buffers, files and the account alone, then one run with all its faults."""

from __future__ import annotations

import base64
import json
import re
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import accumulate
from pathlib import Path
from random import Random
from typing import Any

import pytest
import requests
from fake_machine import FakeMachine

from harness.cli import main
from harness.feed import run as feed_run
from harness.feed.buffers import Buffers, Hint
from harness.feed.clock import date_of
from harness.feed.consumer import Consumer, read_arguments
from harness.feed.count import File, Found, Promise, account
from harness.feed.files import Place, body_of, key_of, place_of, texts_of
from harness.feed.hints import try_hint
from harness.feed.limits import LimitedKinesis, ShardLimits
from harness.feed.plan import FIRST_NUMBER, Recipe, make_messages, make_plan
from harness.feed.run import BY_ACCOUNT, NAIVE, Outcome, Request
from harness.feed.tables import render, to_json
from harness.fixtures.sources import source_day
from harness.fixtures.trail import find_trail
from harness.targets.local.loopback import open_session
from harness.terminal import to_stderr

SMALL = Recipe(seed=2, seconds=30, rate=5.0)


# ---- the plan ----


def test_a_plan_comes_from_its_seed() -> None:
    plan = make_plan(SMALL)
    assert plan == make_plan(SMALL)
    assert plan.messages != make_plan(replace(SMALL, seed=3)).messages
    assert len(plan.texts()) == len(plan.messages)
    assert [each.number for each in plan.messages] == list(
        range(FIRST_NUMBER, FIRST_NUMBER + len(plan.messages))
    )
    assert plan.dropped
    assert plan.doubles
    assert all(0 <= each.second <= SMALL.seconds for each in plan.messages)


# ---- the limits of a shard ----


def test_a_shard_takes_a_second_at_once_and_then_its_rate() -> None:
    now = [0.0]
    limits = ShardLimits(1, 0.01, lambda: now[0])  # 10 records and 10,000 bytes a second
    assert limits.admit([("k", 1)] * 12) == [True] * 10 + [False] * 2
    now[0] = 0.5
    assert limits.admit([("k", 1)] * 12).count(True) == 5
    now[0] = 100.0
    assert limits.admit([("k", 1)] * 12).count(True) == 10


def test_bytes_count_as_well_as_records() -> None:
    now = [0.0]
    limits = ShardLimits(1, 0.01, lambda: now[0])
    # more than a second has: it passes, and the next ones wait for its bytes
    assert limits.admit([("k", 25_000), ("k", 1)]) == [True, False]
    now[0] = 1.0
    assert limits.admit([("k", 1)]) == [False]
    now[0] = 1.7
    assert limits.admit([("k", 1)]) == [True]


def test_shards_have_limits_of_their_own() -> None:
    limits = ShardLimits(2, 0.001, lambda: 0.0)
    keys: dict[int, str] = {}
    for number in range(100):
        keys.setdefault(limits.shard_of(str(number)), str(number))
    assert set(keys) == {0, 1}
    assert limits.admit([(keys[0], 1), (keys[0], 1), (keys[1], 1)]) == [True, False, True]


@pytest.fixture
def kinesis_behind() -> Iterator[tuple[int, list[dict[str, object]]]]:
    """The port of a Kinesis that takes all, and what it was asked."""
    asked: list[dict[str, object]] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            asked.append(body)
            taken = [{"SequenceNumber": each["Data"]} for each in body.get("Records", ())]
            answer = json.dumps({"FailedRecordCount": 0, "Records": taken}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.server_port, asked
    server.shutdown()
    server.server_close()
    thread.join()


def post(port: int, operation: str, body: Mapping[str, object]) -> requests.Response:
    with open_session() as session:
        return session.post(
            f"http://127.0.0.1:{port}/",
            json=body,
            headers={"X-Amz-Target": f"Kinesis_20131202.{operation}"},
            timeout=30,
        )


def record(text: bytes) -> dict[str, str]:
    return {"Data": base64.b64encode(text).decode(), "PartitionKey": "k"}


def test_a_refused_record_is_answered_as_by_kinesis(
    kinesis_behind: tuple[int, list[dict[str, object]]],
) -> None:
    port, asked = kinesis_behind
    records = [record(text) for text in (b"1", b"2", b"3")]
    limits = ShardLimits(1, 0.002, lambda: 0.0)  # two records
    with LimitedKinesis(port, limits) as limited:
        many = post(limited.port, "PutRecords", {"StreamName": "s", "Records": records})
        one = post(limited.port, "PutRecord", {"StreamName": "s", **record(b"4")})
        other = post(limited.port, "ListShards", {"StreamName": "s"})
    answer = many.json()
    assert answer["FailedRecordCount"] == 1
    assert [each.get("SequenceNumber") for each in answer["Records"]] == ["MQ==", "Mg==", None]
    assert answer["Records"][2]["ErrorCode"] == "ProvisionedThroughputExceededException"
    assert "shardId-000000000000" in answer["Records"][2]["ErrorMessage"]
    assert one.status_code == 400
    assert one.json()["__type"] == "ProvisionedThroughputExceededException"
    assert other.status_code == 200
    assert asked[0]["Records"] == records[:2]
    assert limited.counts == {"requests": 2, "throttled": 2}


# ---- buffers and files ----


def test_a_buffer_ends_by_its_size_or_its_time() -> None:
    buffers = Buffers[str, int](Hint(1, 60))
    half = b"x" * 2**19
    assert buffers.add("a", half, 1, 0.0) is None
    assert buffers.add("b", b"x", 2, 30.0) is None
    full = buffers.add("a", half, 3, 59.0)
    assert full is not None
    assert (full.marks, full.size) == ([1, 3], 2**20)
    assert list(buffers.due(89.0)) == []
    (late,) = buffers.due(90.0)
    assert late.marks == [2]
    assert len(buffers) == 0


def test_files_have_the_layout_of_cloudtrail(tmp_path: Path) -> None:
    texts = [each.text for each in make_plan(SMALL).messages[:5]]
    place = place_of(texts[0])
    body = body_of(texts)
    path = tmp_path / key_of(place, date_of(0), body)
    path.parent.mkdir(parents=True)
    path.write_bytes(body)
    assert texts_of(body) == texts
    assert re.fullmatch(
        rf"{place.account}_CloudTrail_{place.region}_20240208T1200Z_\w{{16}}\.json\.gz", path.name
    )
    (source,) = source_day(tmp_path, date_of(0).date())
    assert source.records == tuple(texts)


def test_a_place_is_read_from_the_record() -> None:
    for each in make_plan(SMALL).messages[:50]:
        assert place_of(each.text) == Place(each.key, each.region)


@pytest.mark.parametrize("by_place", [False, True])
def test_larger_hints_make_fewer_files_and_later_records(by_place: bool) -> None:
    messages = list(make_messages(SMALL))
    short = try_hint(messages, Hint(128, 5), by_place=by_place)
    long = try_hint(messages, Hint(128, 900), by_place=by_place)
    assert short.files > long.files
    assert short.delay_p99_s <= 5
    assert long.delay_median_s > 800
    assert long.files == (len({(each.key, each.region) for each in messages}) if by_place else 1)
    for each in (short, long):
        assert each.records_per_file == pytest.approx(len(messages) / each.files, abs=0.06)


# ---- the consumer ----


class Killed(Exception):
    """The consumer ends here, as by SIGKILL."""


class Shards:
    """A Kinesis in memory: what each shard has, by its name."""

    def __init__(self, texts: Mapping[str, Sequence[bytes]]) -> None:
        self._texts = texts

    def list_shards(self, **_: str) -> object:
        return {"Shards": [{"ShardId": name} for name in self._texts]}

    def get_shard_iterator(self, **asked: str) -> object:
        start = int(asked["StartingSequenceNumber"]) + 1 if len(asked) == 4 else 0
        return {"ShardIterator": f"{asked['ShardId']} {start}"}

    def get_records(self, **asked: str) -> object:
        name, start = asked["ShardIterator"].split()
        first = int(start)
        found = self._texts[name][first : first + 7]
        return {
            "NextShardIterator": f"{name} {first + len(found)}",
            "Records": [
                {"SequenceNumber": str(n), "Data": text} for n, text in enumerate(found, first)
            ],
        }


class Bucket:
    """An S3 in memory. Three puts are the last act of a consumer, before or after they are done."""

    def __init__(self, seed: int) -> None:
        self._rng = Random(seed)
        self._last = set(accumulate(self._rng.randint(5, 15) for _ in range(3)))
        self._puts = 0
        self.files: dict[str, bytes] = {}

    def put_object(self, **asked: Any) -> None:
        self._puts += 1
        is_last = self._puts in self._last
        if not is_last or self._rng.random() < 0.5:
            self.files[asked["Key"]] = asked["Body"]
        if is_last:
            raise Killed


@pytest.mark.parametrize("seed", range(5))
def test_a_killed_consumer_reads_twice_and_loses_nothing(seed: int, tmp_path: Path) -> None:
    texts = [each.text for each in make_messages(Recipe(seed + 1, seconds=40, rate=5.0))]
    shards, bucket = Shards({"a": texts[::2], "b": texts[1::2]}), Bucket(seed)
    given = ["--stream", "s", "--bucket", "b", "--checkpoints", str(tmp_path / "checkpoints")]
    # the time hint is never reached, and the names of files differ: only the seed decides
    given += ["--size-mib", "1", "--seconds", str(10**12)]
    given += ["--began", str(time.time()), "--speed", "1000000"]
    for _ in range(3):
        with pytest.raises(Killed):
            Consumer(read_arguments(given), shards, bucket).finish()
    Consumer(read_arguments(given), shards, bucket).finish()
    delivered = [text for body in bucket.files.values() for text in texts_of(body)]
    assert set(delivered) == set(texts)
    assert len(delivered) > len(texts)
    known = json.loads((tmp_path / "checkpoints").read_text())
    assert known == {"a": str(len(texts[::2]) - 1), "b": str(len(texts[1::2]) - 1)}


# ---- the account ----


def found(**changed: object) -> Found:
    """A run in which all is as it should be: the dropped ones are told, the rest is in a file."""
    plan = make_plan(SMALL)
    texts = [each.text for each in plan.messages if each.number not in plan.dropped]
    whole = Found(
        plan=plan,
        sent_at={each.number: each.second for each in plan.messages},
        stream=texts,
        files=[File(100.0, 10, texts)],
        promises=[Promise(plan.newest, plan.dropped)],
        told=plan.dropped,
        forgotten=frozenset(),
        counts={},
    )
    return replace(whole, **changed)  # type: ignore[arg-type]


def test_an_account_without_a_fault() -> None:
    counted = account("client", found())
    assert counted.problems() == []
    assert counted.messages == counted.delivered + counted.dropped
    assert counted.acknowledged == counted.delivered == counted.in_stream
    assert (counted.doubled, counted.overtaken, counted.too_late) == (0, 0, 0)
    assert counted.delay_median_s > 70


def without_one(texts: Sequence[bytes]) -> list[File]:
    return [File(100.0, 10, texts[1:])]


def test_a_record_that_is_in_no_file_is_a_problem() -> None:
    texts = found().stream
    counted = account("client", found(files=without_one(texts)))
    assert counted.problems() == [
        "client: 1 messages acknowledged, and in no file",
        "client: 1 messages in no file, and no gap was told",
    ]
    behind = found(files=without_one(texts), promises=[Promise(FIRST_NUMBER - 1, frozenset())])
    assert account("client", behind).problems() == [
        "client: 1 messages in no file, and no gap was told"
    ]


def test_a_gap_is_a_problem_unless_the_third_party_knows_of_it() -> None:
    told = found().told | {FIRST_NUMBER}
    late = {
        "files": without_one(found().stream),
        "told": told,
        "promises": [Promise(make_plan(SMALL).newest, told)],
    }
    forgotten = account("client", found(**late, forgotten=frozenset({FIRST_NUMBER})))
    assert (forgotten.too_late, forgotten.invented, forgotten.problems()) == (1, 0, [])
    invented = account("client", found(**late))
    assert (invented.too_late, invented.invented) == (0, 1)
    assert invented.problems() == [
        "client: 1 messages told as a gap, but neither dropped nor forgotten"
    ]


def test_a_gap_that_is_told_after_the_acknowledgement_hides_no_loss() -> None:
    told = found().told | {FIRST_NUMBER}
    newest = make_plan(SMALL).newest
    counted = account(
        "client",
        found(
            files=without_one(found().stream),
            told=told,
            forgotten=frozenset({FIRST_NUMBER}),
            promises=[Promise(FIRST_NUMBER, frozenset()), Promise(newest, told)],
        ),
    )
    assert counted.problems() == ["client: 1 messages acknowledged, and in no file"]


def test_a_changed_record_is_a_problem() -> None:
    first, *rest = found().stream
    changed = json.dumps(json.loads(first)).encode()
    assert changed != first
    counted = account("client", found(files=[File(1.0, 10, [changed, *rest])]))
    assert counted.changed == 1
    assert "client: 1 messages with another text in the files" in counted.problems()


def test_doubles_and_overtaken_records_are_counted() -> None:
    plan = make_plan(SMALL)
    own = [each.text for each in plan.messages if each.key == plan.messages[0].key][:3]
    texts = [each.text for each in plan.messages if each.number not in plan.dropped]
    swapped = [own[1], own[0], own[1], own[2]]
    files = [File(1.0, 10, texts), File(2.0, 10, texts[:4])]
    counted = account("client", found(stream=swapped, files=files))
    assert counted.overtaken == 1
    assert counted.doubled == 4
    assert counted.problems() == []


# ---- the command ----


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        (("--hint", "0/60"), "a size is from 1 to 128 MiB"),
        (("--hints", "5/60,5/901"), "a time is from 1 to 900 s"),
        (("--shard-share", "2"), "is no share above 0 and up to 1"),
        (("--clients", "mine"), "unknown client mine; known are naive, account, number"),
        (("--clients", "naive", "--out", "x"), "keeps the files of a client that keeps account"),
        (("--out", "."), ". is not empty: name a new folder"),
    ],
)
def test_wrong_usage_starts_nothing(
    given: tuple[str, ...],
    complaint: str,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(feed_run, "measure", lambda *_: pytest.fail("it runs"))
    assert main(["feed", *given], FakeMachine().target()) == 2
    assert complaint in capsys.readouterr().err


@pytest.mark.parametrize("lost", [False, True])
def test_a_lost_message_is_the_exit_code(
    lost: bool, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    changed = {"files": without_one(found().stream)} if lost else {}

    def measure(request: Request, *_: object) -> Outcome:
        counted = account(BY_ACCOUNT.name, found(**changed))
        rows = [try_hint(make_messages(SMALL), each, by_place=True) for each in request.hints]
        return Outcome(request, [counted], rows)

    monkeypatch.setattr(feed_run, "measure", measure)
    export, page = tmp_path / "feed.json", tmp_path / "feed.md"
    files = ("--export-json", str(export), "--markdown", str(page))
    arguments = ["feed", "--clients", "account", "--hints", "5/300", *files]
    assert main(arguments, FakeMachine().target()) == int(lost)
    assert ("acknowledged, and in no file" in capsys.readouterr().out) is lost
    exported = json.loads(export.read_text())
    assert exported["accounts"][0]["lost"] == int(lost)
    assert exported["hints"][0]["hint"] == {"size_mib": 5, "seconds": 300}
    assert "| 5 MiB, 300 s" in page.read_text()


# ---- one run with cuts, outages, throttles, and both kills ----


@pytest.mark.slow
def test_a_run_loses_nothing_in_silence(tmp_path: Path) -> None:
    recipe = Recipe(seed=5, seconds=60, rate=10.0)
    request = Request(
        recipe=recipe, speed=20.0, replay=120, hint=Hint(1, 20), contenders=(NAIVE, BY_ACCOUNT)
    )
    outcome = feed_run.measure(request, tmp_path, to_stderr)
    naive, counted = outcome.accounts
    assert outcome.problems() == []
    assert naive.untold > 0  # the same account finds the losses of a client that has some
    assert "naive client: " in naive.problems()[0]
    assert counted.messages == counted.delivered + counted.told - counted.told_and_delivered
    assert counted.told >= counted.dropped > 0
    assert counted.too_late > 0
    assert counted.delivered > 0
    assert counted.connections > 1
    assert counted.throttled > 0
    assert counted.repeated > 0
    rendered = render(outcome)
    assert "LOST, and nobody told" in rendered
    assert to_json(outcome, {})["problems"] == []

    trail = find_trail(tmp_path)
    (day,) = trail.days
    assert len(trail.days[day].sources) == counted.files
    arguments = ("compare", "--source", str(tmp_path), "--day", day, "--cold", "1", "--warm", "1")
    assert main(arguments, FakeMachine().target()) == 0
