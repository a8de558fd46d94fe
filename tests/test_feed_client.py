"""The client of the feed: its parts, and the whole against a seeded third party without AWS."""

from __future__ import annotations

import ast
import asyncio
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from tcp import Listener, forward
from test_feed_template import deployed
from websockets.sync.server import ServerConnection, serve

from harness.drill.metrics import LogFilter
from harness.drill.timeline import LogLine
from harness.feed.client.__main__ import run
from harness.feed.client.backoff import Backoff
from harness.feed.client.buffer import MOST_BYTES, Buffer, Entry, partition_key
from harness.feed.client.follower import NumberingError
from harness.feed.client.position import InFile, InParameter, Position
from harness.feed.client.protocol import Heartbeat, Welcome, encode
from harness.feed.client.putter import Put, Putter, put_into
from harness.feed.client.sequence import Numbers, Watermark
from harness.feed.client.settings import BadSettingError, Settings
from harness.feed.clock import Clock
from harness.feed.plan import FIRST_NUMBER, Plan, Planned, Recipe, make_plan
from harness.feed.third_party import ThirdParty

ROOT = Path(__file__).parent.parent
CLIENT = ROOT / "harness/feed/client"
THROTTLED = "ProvisionedThroughputExceededException"


def entry(number: int, size: int = 10, key: str = "k") -> Entry:
    return Entry(number, key, b"x" * (size - len(key)))


# ---- its parts ----


def test_numbers_find_doubles_and_gaps() -> None:
    numbers = Numbers(10)
    assert numbers.arrive(11) == range(0)
    assert numbers.arrive(11) is None
    assert numbers.arrive(9) is None
    assert numbers.arrive(14) == range(12, 14)
    assert numbers.reach(14) == range(0)
    assert numbers.reach(16) == range(15, 17)
    assert numbers.arrive(16) is None


def test_a_watermark_waits_for_the_slowest() -> None:
    watermark = Watermark(0)
    for number in (1, 2, 5):
        watermark.begin(number)
    watermark.end(5)
    watermark.end(2)
    assert watermark.value == 0
    watermark.end(1)
    assert watermark.value == 5


@pytest.mark.parametrize("key", ["", "k" * 257, "\u20ac" * 100, "\U0001f600" * 256])
def test_a_key_that_kinesis_may_refuse_is_hashed(key: str) -> None:
    hashed = partition_key(key)
    assert 1 <= len(hashed.encode()) <= 256
    assert hashed == partition_key(key) != partition_key(f"{key}k" * 257)


@pytest.mark.parametrize("key", ["k", "k" * 256, "\u20ac" * 85])
def test_other_keys_stay(key: str) -> None:
    assert partition_key(key) == key


class Parameters:
    """The parameters of Systems Manager in memory. A new one needs a type."""

    def __init__(self) -> None:
        self.values: dict[str, str] = {}

    def get_parameter(self, **asked: str) -> object:
        if asked["Name"] not in self.values:
            raise ClientError({"Error": {"Code": "ParameterNotFound"}}, "GetParameter")
        return {"Parameter": {"Value": self.values[asked["Name"]]}}

    def put_parameter(self, **asked: Any) -> None:
        assert asked["Type"] == "String"
        assert asked["Overwrite"] or asked["Name"] not in self.values
        self.values[asked["Name"]] = asked["Value"]


def test_the_client_makes_its_parameter() -> None:
    position = InParameter(Parameters(), "/p")
    assert position.read() == 0
    position.write(5)
    position.write(7)
    assert position.read() == 7


def test_waits_grow_up_to_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(random, "uniform", lambda _low, high: high)
    backoff = Backoff(0.5, 3.0)
    assert [backoff.next() for _ in range(5)] == [0.5, 1.0, 2.0, 3.0, 3.0]
    backoff.begin_anew()
    assert backoff.next() == 0.5
    for _ in range(5000):
        assert backoff.next() <= 3.0


def batches(entries: Sequence[Entry]) -> list[list[int]]:
    async def take_all() -> list[list[int]]:
        buffer = Buffer(10**9, 0.0)
        for each in entries:
            await buffer.add(each)
        await buffer.close()
        taken = []
        while batch := await buffer.take():
            taken.append([each.number for each in batch])
        return taken

    return asyncio.run(take_all())


def test_a_batch_has_at_most_500_records() -> None:
    assert [len(each) for each in batches([entry(n) for n in range(1201)])] == [500, 500, 201]


def test_a_batch_has_at_most_5_mb() -> None:
    found = batches([entry(n, 10**6) for n in range(12)])
    assert [len(each) for each in found] == [5, 5, 2]
    assert [number for batch in found for number in batch] == list(range(12))
    assert MOST_BYTES == 5 * 10**6


def test_a_full_buffer_waits_until_kinesis_has_taken_some() -> None:
    async def fill() -> None:
        buffer = Buffer(25, 0.0)
        for number in range(3):
            await buffer.add(entry(number))
        adding = asyncio.create_task(buffer.add(entry(3)))
        batch = await buffer.take()
        assert len(batch) == 3
        assert not adding.done()  # taken, but not accepted
        assert buffer.held_bytes == 30
        await buffer.release(batch)
        await adding
        assert buffer.held_bytes == 10

    asyncio.run(fill())


def test_a_batch_does_not_wait_longer_than_its_linger_time() -> None:
    async def linger() -> int:
        buffer = Buffer(10**9, 0.05)
        await buffer.add(entry(1))
        taking = asyncio.create_task(buffer.take())
        await asyncio.sleep(0)
        await buffer.add(entry(2))
        return len(await taking)

    assert asyncio.run(linger()) == 2


def test_only_the_refused_records_are_put_again() -> None:
    asked: list[list[int]] = []
    accepted: list[int] = []

    def put(batch: Sequence[Entry]) -> Sequence[str | None]:
        asked.append([each.number for each in batch])
        return [THROTTLED if each.number > len(asked) else None for each in batch]

    async def note(entries: Sequence[Entry]) -> None:
        accepted.extend(each.number for each in entries)

    putter = Putter(put, Backoff(0.001, 0.001), note, lambda *_, **__: None)
    asyncio.run(putter.put_all([entry(n) for n in (1, 2, 3)]))
    assert asked == [[1, 2, 3], [2, 3], [3]]
    assert accepted == [1, 2, 3]
    assert putter.counts["repeated"] == 3


@pytest.mark.parametrize(
    ("changed", "complaint"),
    [
        ({"FEED_URL": ""}, "FEED_URL is not set"),
        ({"FEED_URL": "https://x"}, "FEED_URL does not begin with wss:// or ws://"),
        ({"STREAM_NAME": ""}, "STREAM_NAME is not set"),
        ({"POSITION": "elsewhere"}, "write it like ssm:NAME or file:PATH"),
        ({"POSITION": "ssm:"}, "write it like ssm:NAME or file:PATH"),
        ({"PARTITION_KEY": "account"}, "set it to message or number"),
        ({"LINGER_MS": "0"}, "LINGER_MS is '0', and no whole number above 0 such as 200"),
    ],
)
def test_a_bad_setting_is_named(changed: dict[str, str], complaint: str) -> None:
    env = {"FEED_URL": "ws://x", "STREAM_NAME": "s", "POSITION": "ssm:/p", **changed}
    with pytest.raises(BadSettingError, match=complaint):
        Settings.from_env(env)


def test_settings_have_defaults_and_can_be_changed() -> None:
    env = {"FEED_URL": "ws://x", "STREAM_NAME": "s", "POSITION": "ssm:/p", "STOP_MS": "5"}
    settings = Settings.from_env(env)
    assert (settings.stop_ms, settings.linger_ms, settings.key) == (5, 200, "message")


# ---- what the SDK makes of answers ----


@contextmanager
def answering(status: int, body: bytes, monkeypatch: pytest.MonkeyPatch) -> Iterator[Put]:
    """A put into a Kinesis that always gives this answer."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    for name, value in (
        ("AWS_ENDPOINT_URL_KINESIS", f"http://127.0.0.1:{server.server_port}"),
        ("AWS_REGION", "us-east-1"),
        ("AWS_DEFAULT_REGION", "us-east-1"),
        ("AWS_ACCESS_KEY_ID", "test"),
        ("AWS_SECRET_ACCESS_KEY", "test"),
    ):
        monkeypatch.setenv(name, value)
    try:
        yield put_into("stream", 5.0)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def refusal(code: str) -> bytes:
    return json.dumps({"__type": code, "message": "no"}).encode()


@pytest.mark.parametrize(
    ("status", "body", "codes"),
    [
        (200, b"", ["NoAnswer", "NoAnswer"]),
        (200, b'{"Records":[{"SequenceNumber":"1"}]}', ["NoAnswer", "NoAnswer"]),
        (200, b'{"Records":[{"SequenceNumber":"1"},{"ErrorCode":"E"}]}', [None, "E"]),
        (400, refusal(THROTTLED), [THROTTLED, THROTTLED]),
        (503, refusal("ServiceUnavailable"), ["ServiceUnavailable", "ServiceUnavailable"]),
    ],
)
def test_an_answer_that_may_pass_is_a_code(
    status: int, body: bytes, codes: list[str | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    with answering(status, body, monkeypatch) as put:
        assert put([entry(1), entry(2)]) == codes


def test_an_answer_that_stays_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    with answering(400, refusal("AccessDeniedException"), monkeypatch) as put:  # noqa: SIM117
        with pytest.raises(ClientError, match="AccessDenied"):
            put([entry(1)])


def test_nobody_who_listens_is_a_code(monkeypatch: pytest.MonkeyPatch) -> None:
    with answering(200, b"", monkeypatch) as put:
        pass
    assert put([entry(1)]) == ["EndpointConnectionError"]


# ---- the whole, against the third party ----


class Stream:
    """A Kinesis in memory that refuses some records, and loses some answers, by a seed."""

    def __init__(self, seed: int, faults: float) -> None:
        self._rng = random.Random(seed)
        self._faults = faults
        self.taken: list[bytes] = []

    def put(self, batch: Sequence[Entry]) -> Sequence[str | None]:
        lost = self._rng.random() < self._faults
        codes: list[str | None] = []
        for each in batch:
            refused = self._rng.random() < self._faults
            if not refused:
                self.taken.append(each.data)
            codes.append(THROTTLED if refused or lost else None)
        return codes


def settings_for(port: int, position: Path, **more: object) -> Settings:
    given = {
        "linger_ms": 5,
        "reconnect_first_ms": 5,
        "reconnect_most_ms": 50,
        "repeat_first_ms": 1,
        "repeat_most_ms": 5,
        "position_every_ms": 10,
        **more,
    }
    url, place = f"ws://127.0.0.1:{port}", f"file:{position}"
    return Settings(url, "stream", place, **given)  # type: ignore[arg-type]


def follow(
    settings: Settings,
    stream: Stream,
    until: Callable[[], bool],
    position: Position | None = None,
) -> None:
    """Run the client here, and send SIGTERM to this process once ``until`` is so."""
    position = position or InFile(Path(settings.position.removeprefix("file:")))

    async def both() -> None:
        running = asyncio.create_task(run(settings, stream.put, position))
        end = time.monotonic() + 60
        while not (until() or running.done()):
            assert time.monotonic() < end, "the client does not come to the end"
            await asyncio.sleep(0.005)
        if not running.done():
            os.kill(os.getpid(), signal.SIGTERM)
        await running

    asyncio.run(both())


def playing(third_party: ThirdParty, plan: Plan, place: InFile) -> Callable[[], bool]:
    """Play once the client is there; the end is when its position has all."""
    begun: list[Future[None]] = []

    def arrived() -> bool:
        if third_party.followers and not begun:
            begun.append(third_party.play())
        return place.read() >= plan.newest

    return arrived


def counted(metric: str, line: dict[str, Any]) -> float | None:
    """The value that a metric filter of feed.yaml makes of the line."""
    made = deployed()[metric]
    read = LogFilter.read(
        {
            "logGroupName": "client",
            "filterPattern": made["FilterPattern"],
            "metricTransformations": [
                {name[0].lower() + name[1:]: value for name, value in each.items()}
                for each in made["MetricTransformations"]
            ],
        }
    )
    return read.counted(LogLine("client", datetime.now(UTC), line))


def told(printed: str) -> set[int]:
    events = [json.loads(line) for line in printed.splitlines()]
    gaps = [each for each in events if each["event"] == "gap"]
    assert all(each["missing"] == each["last"] - each["first"] + 1 for each in gaps)
    assert [counted("MissingMetric", each) for each in gaps] == [each["missing"] for each in gaps]
    return {n for each in gaps for n in range(each["first"], each["last"] + 1)}


@pytest.mark.parametrize("seed", range(1, 5))
def test_each_message_is_in_kinesis_or_told_as_a_gap(
    seed: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = make_plan(Recipe(seed, seconds=20, rate=15.0))
    place = InFile(tmp_path / "position")
    stream = Stream(seed, faults=0.2 if seed % 2 else 0.0)
    with ThirdParty(plan, Clock(time.time(), 20.0), replay=10_000) as third_party:
        settings = settings_for(third_party.port, tmp_path / "position")
        follow(settings, stream, playing(third_party, plan, place))
    known = plan.texts()
    taken = {known[text] for text in stream.taken}  # a changed text would be a KeyError
    assert taken | plan.dropped == set(known.values())
    assert told(capsys.readouterr().out) == plan.dropped
    assert plan.dropped
    if not seed % 2:
        assert len(stream.taken) == len(taken)  # the doubles of the third party are left out


def test_what_the_third_party_has_forgotten_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two lives of the client, and between them more messages than are remembered."""
    plan = make_plan(Recipe(3, seconds=20, rate=15.0))
    place = InFile(tmp_path / "position")
    stream = Stream(3, faults=0.2)
    with ThirdParty(plan, Clock(time.time(), 200.0), replay=50) as third_party:
        settings = settings_for(third_party.port, tmp_path / "position")
        follow(settings, stream, lambda: place.read() == FIRST_NUMBER - 1)
        third_party.play().result()
        follow(settings, stream, lambda: place.read() >= plan.newest)
    known = plan.texts()
    taken = {known[text] for text in stream.taken}
    kept = set(range(plan.newest - 49, plan.newest + 1))
    assert third_party.forgotten == set(known.values()) - kept
    assert taken == kept - plan.dropped
    assert told(capsys.readouterr().out) == set(known.values()) - taken


def test_after_sigterm_all_that_came_is_put_and_noted(tmp_path: Path) -> None:
    plan = make_plan(Recipe(6, seconds=20, rate=15.0))
    place = InFile(tmp_path / "position")
    stream = Stream(6, faults=0.2)
    with ThirdParty(plan, Clock(time.time(), 20.0), replay=10_000) as third_party:
        settings = settings_for(third_party.port, tmp_path / "position", position_every_ms=10**6)
        played = playing(third_party, plan, place)
        follow(settings, stream, lambda: played() or len(stream.taken) > 100)
    known = plan.texts()
    taken = {known[text] for text in stream.taken}
    assert taken | plan.dropped >= set(range(FIRST_NUMBER, place.read() + 1))
    assert max(taken) <= place.read()


class SlowFile(InFile):
    """Its first write of a message's number is slow, and it counts the writes under way."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.begun = threading.Event()
        self.written: list[int] = []
        self.at_once = 0
        self.most_at_once = 0

    def write(self, number: int) -> None:
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        if number >= FIRST_NUMBER and not self.begun.is_set():
            self.begun.set()
            # the second write begins in this time where nothing holds it back
            time.sleep(0.5)
        super().write(number)
        self.written.append(number)
        self.at_once -= 1


def test_a_last_write_of_the_position_waits_for_one_under_way(tmp_path: Path) -> None:
    plan = plan_of([b"{}"] * 20)
    stream = Stream(1, faults=0.0)
    place = SlowFile(tmp_path / "position")
    with ThirdParty(plan, Clock(time.time(), 1.0), replay=100) as third_party:
        settings = settings_for(third_party.port, tmp_path / "position")
        played = playing(third_party, plan, place)

        def until() -> bool:
            return played() or (place.begun.is_set() and len(stream.taken) == 20)

        follow(settings, stream, until, place)
    assert place.most_at_once == 1
    assert place.written == sorted(place.written)
    assert place.read() == plan.newest


class Forbidden(InFile):
    def write(self, number: int) -> None:
        raise ClientError({"Error": {"Code": "AccessDenied"}}, "PutParameter")


def test_a_position_that_can_not_be_written_does_not_hide_the_end(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stream = Stream(1, faults=0.0)
    place = Forbidden(tmp_path / "position")
    with ThirdParty(plan_of([b"{}"]), Clock(time.time(), 1.0), replay=10) as third_party:
        settings = settings_for(third_party.port, tmp_path / "position")
        played = playing(third_party, plan_of([b"{}"]), place)
        follow(settings, stream, lambda: played() or bool(stream.taken), place)
    *_, before, last = map(json.loads, capsys.readouterr().out.splitlines())
    assert (before["event"], last["event"]) == ("position_not_written", "stopped")
    assert [counted("PositionsMetric", each) for each in (before, last)] == [1, None]


class Refused(Exception):
    """A fault that does not pass."""


def test_what_kinesis_has_not_taken_comes_again_after_a_death(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = make_plan(Recipe(7, seconds=20, rate=15.0))
    place = InFile(tmp_path / "position")
    stream = Stream(7, faults=0.2)
    put = stream.put

    def put_some(batch: Sequence[Entry]) -> Sequence[str | None]:
        if len(stream.taken) > 200:
            raise Refused
        return put(batch)

    with ThirdParty(plan, Clock(time.time(), 200.0), replay=10_000) as third_party:
        settings = settings_for(third_party.port, tmp_path / "position")
        stream.put = put_some  # type: ignore[method-assign]
        with pytest.raises(Refused):
            follow(settings, stream, playing(third_party, plan, place))
        assert FIRST_NUMBER - 1 <= place.read() < plan.newest
        stream.put = put  # type: ignore[method-assign]
        follow(settings, stream, lambda: place.read() >= plan.newest)
    known = plan.texts()
    assert {known[text] for text in stream.taken} | plan.dropped == set(known.values())
    assert told(capsys.readouterr().out) == plan.dropped


def test_a_connection_that_is_silent_is_found_by_pings(tmp_path: Path) -> None:
    plan = make_plan(Recipe(4, seconds=20, rate=5.0))
    place = InFile(tmp_path / "position")
    stream = Stream(4, faults=0.0)
    ends: list[socket.socket] = []  # kept, so that the first one stays open
    with ThirdParty(plan, Clock(time.time(), 20.0), replay=10_000) as third_party:

        def serve(near: socket.socket) -> None:
            far = socket.create_connection(("127.0.0.1", third_party.port))
            is_first = not ends
            ends.extend((near, far))
            forward(near, far, lambda: is_first and place.read() > FIRST_NUMBER)

        relay = Listener(serve)
        port = int(relay.url.rpartition(":")[2])
        settings = settings_for(port, tmp_path / "position", ping_ms=200)
        try:
            follow(settings, stream, playing(third_party, plan, place))
        finally:
            relay.stop()
            for each in ends:
                each.close()
    known = plan.texts()
    assert {known[text] for text in stream.taken} | plan.dropped == set(known.values())
    assert third_party.connections > 1


def plan_of(texts: Sequence[bytes], keys: Sequence[str] = ()) -> Plan:
    keyed = zip(texts, keys or ["key"] * len(texts), strict=True)
    numbered = enumerate(keyed, FIRST_NUMBER)
    return Plan(Recipe(), tuple(Planned(n, 0.0, key, "here", text) for n, (text, key) in numbered))


def test_no_key_of_the_third_party_stops_the_client(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The keys go through the SDK, which refuses an empty one before it asks."""
    plan = plan_of([b'{"n":1}', b'{"n":2}', b'{"n":3}'], ["", "k" * 300, "k"])
    place = InFile(tmp_path / "position")
    stream = Stream(1, faults=0.0)
    put = stream.put
    keys: list[str] = []

    answer = b'{"Records":[{"SequenceNumber":"1","ShardId":"a"}]}'
    with (
        answering(200, answer, monkeypatch) as put_one,
        ThirdParty(plan, Clock(time.time(), 1.0), replay=10) as third_party,
    ):

        def put_each(batch: Sequence[Entry]) -> Sequence[str | None]:
            for each in batch:
                assert put_one([each]) == [None]
                keys.append(each.key)
            return put(batch)

        stream.put = put_each  # type: ignore[method-assign]
        settings = settings_for(third_party.port, tmp_path / "position", key="message")
        follow(settings, stream, playing(third_party, plan, place))
    assert stream.taken == [b'{"n":1}', b'{"n":2}', b'{"n":3}']
    assert [len(each) for each in keys] == [64, 64, 1]


@contextmanager
def saying(texts: Callable[[int], Sequence[bytes]]) -> Iterator[tuple[int, list[int]]]:
    """A third party that says these texts on its first, second, ... connection, and closes it.

    Gives its port and its connections.
    """
    connections: list[int] = []

    def handle(socket: ServerConnection) -> None:
        socket.recv()
        connections.append(len(connections) + 1)
        newest = FIRST_NUMBER - 1 + 10 * connections[-1]
        for each in (encode(Welcome(newest)), *texts(connections[-1])):
            socket.send(each, text=True)

    with serve(handle, "127.0.0.1", 0) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.socket.getsockname()[1], connections
        finally:
            server.shutdown()
            thread.join()


def message_of(number: int, key: bytes = b"k") -> bytes:
    return b'{"type":"message","number":%d,"key":"%s","record":{}}' % (number, key)


@pytest.mark.parametrize(
    ("has_message", "expected"), [(False, [5, 10, 20, 40, 80]), (True, [5, 5, 5, 5, 5])]
)
def test_waits_grow_until_a_message_has_come(
    has_message: bool,
    expected: Sequence[int],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(random, "uniform", lambda _low, high: high)

    def texts(connection: int) -> Sequence[bytes]:
        return [message_of(FIRST_NUMBER + 10 * connection)] if has_message else []

    with saying(texts) as (port, connections):
        # no connection lasts for as long as the longest wait
        settings = settings_for(port, tmp_path / "position", reconnect_most_ms=10**6)
        follow(settings, Stream(1, 0.0), lambda: len(connections) > 5)
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    waits = [each["wait_ms"] for each in events if each["event"] == "disconnected"]
    assert waits[:5] == expected


def test_a_line_that_has_lasted_begins_with_short_waits(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(random, "uniform", lambda _low, high: high)

    def texts(_: int) -> Sequence[bytes]:
        time.sleep(0.1)  # longer than the longest wait
        return [encode(Heartbeat(FIRST_NUMBER))]

    with saying(texts) as (port, connections):
        settings = settings_for(port, tmp_path / "position", reconnect_most_ms=20)
        follow(settings, Stream(1, 0.0), lambda: len(connections) > 3)
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [each["wait_ms"] for each in events if each["event"] == "disconnected"][:3] == [5, 5, 5]


def test_a_message_that_is_no_utf_8_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = FIRST_NUMBER + 10

    def texts(connection: int) -> Sequence[bytes]:
        return [message_of(first, b"\xff"), message_of(first + 1)] if connection == 1 else []

    stream = Stream(1, 0.0)
    with saying(texts) as (port, _):
        settings = settings_for(port, tmp_path / "position")
        follow(settings, stream, lambda: bool(stream.taken))
    assert stream.taken == [b"{}"]
    assert told(capsys.readouterr().out) == {first}


@pytest.mark.parametrize("size", [2**20 - 2, 3 * 2**20])
def test_a_message_that_is_too_large_is_told(
    size: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Above Kinesis's limit, and above that of the WebSocket, which would break off for ever."""
    large = json.dumps("x" * (size - 2)).encode()
    plan = plan_of([b'{"n":1}', large, b'{"n":3}'])
    place = InFile(tmp_path / "position")
    stream = Stream(1, faults=0.0)
    with ThirdParty(plan, Clock(time.time(), 1.0), replay=10) as third_party:
        more = {"most_message_bytes": 2 * 2**20}
        settings = settings_for(third_party.port, tmp_path / "position", **more)
        follow(settings, stream, playing(third_party, plan, place))
    assert stream.taken == [b'{"n":1}', b'{"n":3}']
    assert told(capsys.readouterr().out) == {FIRST_NUMBER + 1}


def test_numbers_that_begin_anew_end_the_client(tmp_path: Path) -> None:
    (tmp_path / "position").write_text(str(FIRST_NUMBER + 10**6))
    with ThirdParty(plan_of([b"{}"]), Clock(time.time(), 1.0), replay=10) as third_party:
        settings = settings_for(third_party.port, tmp_path / "position")
        with pytest.raises(NumberingError, match="the third party's newest number is 1000"):
            follow(settings, Stream(1, 0.0), lambda: False)


# ---- its place ----


def test_it_imports_nothing_of_the_harness_beside_itself() -> None:
    for path in CLIENT.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("harness"):
                assert (node.module or "").startswith("harness.feed.client."), path.name
            if isinstance(node, ast.Import):
                assert not any(each.name.startswith("harness") for each in node.names), path.name


def test_it_runs_from_its_own_folder_alone(tmp_path: Path) -> None:
    """So a container needs no other part of the repository."""
    copy = tmp_path / "harness/feed/client"
    shutil.copytree(CLIENT, copy)
    ended = subprocess.run(
        [sys.executable, "-m", "harness.feed.client"],
        cwd=tmp_path,
        env={"PATH": os.defpath},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 2, ended.stderr
    assert json.loads(ended.stdout)["reason"] == "FEED_URL is not set"
