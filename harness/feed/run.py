"""Plays a plan through a client, Kinesis and the consumer, and counts the messages."""

from __future__ import annotations

import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3

from harness.feed.buffers import Hint
from harness.feed.children import Child
from harness.feed.client.position import InParameter
from harness.feed.client.settings import Key
from harness.feed.clock import Clock
from harness.feed.count import Account, File, Found, Promise, account
from harness.feed.faults import faults, run_faults
from harness.feed.files import texts_of
from harness.feed.hints import HintRow, try_hint
from harness.feed.limits import LimitedKinesis, ShardLimits
from harness.feed.plan import Plan, Recipe, make_messages, make_plan
from harness.feed.third_party import ThirdParty
from harness.model import HarnessError
from harness.scratch import scratch
from harness.targets.local.s3_access import REGION
from harness.targets.local.s3server import S3Server
from harness.targets.local.toxiproxy import Proxy, proxied
from harness.targets.ministack.local_aws import LocalAws
from harness.terminal import Progress

_TIMEOUT_S = 120
#: A machine that is busy answers a ping late, and a shorter wait would cut sound connections.
_LEAST_PING_MS = 2_000
_NAIVE_SLEEP_S = 30.0
_STREAM, _PARAMETER, _BUCKET = "feed", "/feed/position", "feed"


@dataclass(frozen=True, slots=True)
class Contender:
    """A client: the real one with its partition key, or the naive one."""

    name: str
    naive: bool = False
    key: Key = "message"


NAIVE = Contender("naive client", naive=True)
BY_ACCOUNT = Contender("client, key: account", key="message")
BY_NUMBER = Contender("client, key: number", key="number")


@dataclass(frozen=True, slots=True)
class Request:
    """``shard_share`` makes the limits of a shard smaller, as the messages are fewer than AWS's.

    ``replay`` is how many messages the third party keeps; ``hint`` is the consumer's.
    """

    recipe: Recipe = field(default_factory=Recipe)
    speed: float = 5.0
    shards: int = 2
    shard_share: float = 0.02
    replay: int = 300
    hint: Hint = field(default_factory=lambda: Hint(5, 60))
    faults: bool = True
    contenders: Sequence[Contender] = (NAIVE, BY_ACCOUNT, BY_NUMBER)
    hints: Sequence[Hint] = ()
    hint_seconds: int = 3600

    @property
    def outage_s(self) -> float:
        """Longer than the third party's memory lasts at its steady rate."""
        return 1.3 * self.replay / self.recipe.rate


@dataclass(frozen=True, slots=True)
class Outcome:
    request: Request
    accounts: Sequence[Account]
    hints: Sequence[HintRow]

    def problems(self) -> list[str]:
        """Only of the clients that keep a position: the naive one loses messages by design."""
        naive = {each.name for each in self.request.contenders if each.naive}
        return [
            problem
            for each in self.accounts
            if each.name not in naive
            for problem in each.problems()
        ]


def measure(request: Request, out: Path | None, progress: Progress) -> Outcome:
    """All rows. The files of the last real client go to ``out``."""
    plan = make_plan(request.recipe)
    accounts = []
    with LocalAws() as aws:
        port = urlsplit(aws.env()["AWS_ENDPOINT_URL"]).port
        assert port is not None
        for number, contender in enumerate(request.contenders, 1):
            turn = f"{number} of {len(request.contenders)}"
            progress(f"{turn}: {contender.name}, {plan.recipe.seconds / request.speed:,.0f} s")
            kept = None if contender.naive else out
            accounts.append(play(request, contender, plan, port, kept))
    return Outcome(request, accounts, list(_hint_rows(request, progress)))


def _hint_rows(request: Request, progress: Progress) -> Iterator[HintRow]:
    recipe = request.recipe
    longer = Recipe(recipe.seed, request.hint_seconds, recipe.rate)
    if not request.hints:
        return
    progress(f"buffer hints: making {longer.seconds / 60:,.0f} minutes of messages")
    messages = list(make_messages(longer))
    for by_place in (True, False):
        for hint in request.hints:
            progress(f"buffer hints: {hint}")
            yield try_hint(messages, hint, by_place=by_place)


def play(
    request: Request, contender: Contender, plan: Plan, aws_port: int, out: Path | None
) -> Account:
    """One run with everything of its own. The calling thread must outlive it."""
    with ExitStack() as stack:
        run = stack.enter_context(_stage(request, contender, plan, aws_port))
        found = run.play()
        if out is not None:
            shutil.rmtree(out / "AWSLogs", ignore_errors=True)
            shutil.copytree(run.bucket / "AWSLogs", out / "AWSLogs")
        return account(contender.name, found)


@contextmanager
def _stage(request: Request, contender: Contender, plan: Plan, aws_port: int) -> Iterator[_Run]:
    clock = Clock(time.time(), request.speed)
    limits = ShardLimits(request.shards, request.shard_share, clock.now)
    with (
        scratch("feed") as folder,
        S3Server() as s3,
        _Stream(aws_port, request.shards) as stream,
        ThirdParty(plan, clock, request.replay) as third_party,
        LimitedKinesis(aws_port, limits) as kinesis,
        proxied(third_party.port) as line,
        proxied(kinesis.port) as way,
    ):
        bucket = s3.bucket_path(_BUCKET)
        access = {
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ACCESS_KEY_ID": s3.access_key,
            "AWS_SECRET_ACCESS_KEY": s3.secret_key,
            "AWS_ENDPOINT_URL_S3": s3.endpoint,
            "AWS_ENDPOINT_URL_SSM": f"http://127.0.0.1:{aws_port}",
        }
        hint = request.hint
        consumer = Child(
            "harness.feed.consumer",
            [
                *("--stream", _STREAM, "--bucket", _BUCKET),
                *("--checkpoints", str(folder / "checkpoints.json")),
                *("--size-mib", str(hint.size_mib), "--seconds", str(hint.seconds)),
                *("--began", repr(clock.began), "--speed", repr(clock.speed)),
            ],
            {**access, "AWS_ENDPOINT_URL_KINESIS": f"http://127.0.0.1:{aws_port}"},
            folder,
        )
        client = Child(
            "harness.feed.naive" if contender.naive else "harness.feed.client",
            [],
            {
                **access,
                "AWS_ENDPOINT_URL_KINESIS": f"http://127.0.0.1:{way.port}",
                "FEED_URL": f"ws://127.0.0.1:{line.port}",
                "STREAM_NAME": _STREAM,
                **_times(clock),
                "POSITION": f"ssm:{_PARAMETER}",
                "PARTITION_KEY": contender.key,
            },
            folder,
        )
        with consumer, client:
            yield _Run(
                request, contender, plan, clock, stream, third_party, kinesis, line, way,
                consumer, client, bucket,
            )  # fmt: skip


def _times(clock: Clock) -> Mapping[str, str]:
    """The client's times of AWS in the time of the run."""

    def real_ms(milliseconds: float) -> str:
        return str(max(round(clock.real(milliseconds)), 1))

    return {
        "LINGER_MS": real_ms(200),
        "RECONNECT_FIRST_MS": real_ms(500),
        "RECONNECT_MOST_MS": real_ms(30_000),
        "REPEAT_FIRST_MS": real_ms(100),
        "REPEAT_MOST_MS": real_ms(1_000),
        "POSITION_EVERY_MS": real_ms(1_000),
        "PING_MS": str(max(round(clock.real(20_000)), _LEAST_PING_MS)),
        "SLEEP_S": str(clock.real(_NAIVE_SLEEP_S)),
    }


class _Stream:
    """A Kinesis stream and the client's parameter, if it has made one, until the context ends."""

    def __init__(self, aws_port: int, shards: int) -> None:
        given: dict[str, Any] = {
            "endpoint_url": f"http://127.0.0.1:{aws_port}",
            "region_name": REGION,
            "aws_access_key_id": "test",
            "aws_secret_access_key": "test",
        }
        self._kinesis: Any = boto3.client("kinesis", **given)
        self._ssm: Any = boto3.client("ssm", **given)
        self._shards = shards

    def __enter__(self) -> _Stream:
        self._kinesis.create_stream(StreamName=_STREAM, ShardCount=self._shards)
        return self

    def __exit__(self, *_: object) -> None:
        self._kinesis.delete_stream(StreamName=_STREAM)
        self._ssm.delete_parameters(Names=[_PARAMETER])

    def position(self) -> int:
        return InParameter(self._ssm, _PARAMETER).read()

    def texts(self) -> list[bytes]:
        """All records in the order of their sequence numbers."""
        records = []
        for shard in self._kinesis.list_shards(StreamName=_STREAM)["Shards"]:
            iterator = self._kinesis.get_shard_iterator(
                StreamName=_STREAM,
                ShardId=shard["ShardId"],
                ShardIteratorType="TRIM_HORIZON",
            )["ShardIterator"]
            while page := self._kinesis.get_records(ShardIterator=iterator, Limit=1000):
                if not page["Records"]:
                    break
                records += page["Records"]
                iterator = page["NextShardIterator"]
        records.sort(key=lambda each: int(each["SequenceNumber"]))
        return [each["Data"] for each in records]


@dataclass(slots=True)
class _Run:
    request: Request
    contender: Contender
    plan: Plan
    clock: Clock
    stream: _Stream
    third_party: ThirdParty
    kinesis: LimitedKinesis
    line: Proxy
    way: Proxy
    consumer: Child
    client: Child
    bucket: Path
    promises: list[Promise] = field(default_factory=list)

    def play(self) -> Found:
        self._wait("the client does not connect", lambda: self.third_party.followers > 0)
        self._wait("the consumer does not start", self.consumer.has_started)
        playing = self.third_party.play()
        chosen = faults(
            self.line,
            self.way,
            self.clock,
            self.request.outage_s,
            lambda: self.client.kill_and_start(self._note_promise),
            self.consumer.kill_and_start,
        )
        recipe = self.plan.recipe
        run_faults(
            chosen if self.request.faults else (),
            self.clock,
            recipe.seconds,
            playing,
            self._note_promise,
        )
        self._end_client()
        self._note_promise()
        self._wait("the consumer does not start again", self.consumer.has_started)
        self.consumer.terminate()
        return Found(
            plan=self.plan,
            sent_at=self.third_party.sent_at,
            stream=self.stream.texts(),
            files=list(self._files()),
            promises=self.promises,
            told=self._told(),
            forgotten=frozenset(self.third_party.forgotten),
            counts=self._counts(),
        )

    def _note_promise(self) -> None:
        if not self.contender.naive:
            position = self.stream.position()  # before the gaps: each is told before it is noted
            self.promises.append(Promise(position, self._told()))

    def _told(self) -> frozenset[int]:
        gaps = self.client.events("gap")
        return frozenset(n for gap in gaps for n in range(gap["first"], gap["last"] + 1))

    def _end_client(self) -> None:
        if self.contender.naive:
            self.third_party.end()
            self.client.wait()
            return
        self._wait(
            "the client does not come to the newest message",
            lambda: self.stream.position() >= self.plan.newest,
        )
        self.client.terminate()

    def _counts(self) -> Mapping[str, int]:
        again = self.client.events("put_again")
        return Counter(self.kinesis.counts) + Counter(
            connections=self.third_party.connections,
            outrun=self.third_party.outrun,
            repeated=sum(sum(each["codes"].values()) for each in again),
            swallowed=len(self.client.events("swallowed")),
        )

    def _files(self) -> Iterator[File]:
        for path in sorted(self.bucket.glob("AWSLogs/**/*.json.gz")):
            body = path.read_bytes()
            written = self.clock.at(path.stat().st_mtime)
            yield File(written, len(body), texts_of(body))

    def _wait(self, complaint: str, condition: Callable[[], bool]) -> None:
        end = time.monotonic() + _TIMEOUT_S
        while not condition():
            self.client.require_alive()
            self.consumer.require_alive()
            if time.monotonic() > end:
                raise HarnessError(f"{complaint} within {_TIMEOUT_S} s")
            time.sleep(0.02)
