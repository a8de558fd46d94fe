"""The client and the function of feed.yaml, with the rights and the environment of the template.

CloudFormation makes the stream and the roles in ministack, which checks every
signature and every right. The client is a process of its own, and the function the template's code.
"""

from __future__ import annotations

import base64
import gzip
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from test_feed_template import GIVEN, Handle, deployed, load_code, template

from harness.feed.client.position import InParameter
from harness.feed.clock import Clock
from harness.feed.plan import Recipe, make_plan
from harness.feed.third_party import ThirdParty
from harness.targets.ministack.local_aws import REGION, LocalAws
from harness.targets.ministack.roles import Session, granted, lacking, session_of
from harness.toolchain.paths import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

STACK = "feed"
BUCKET = GIVEN["DestinationBucket"]
POSITION = f"/feed/{STACK}/position"
KEPT = ("Stream", "ClientLogGroup", "WriterLogGroup", "TaskRole", "WriterRole")
POLICIES = {"TaskRole": "put", "WriterRole": "write"}
PLAN = make_plan(Recipe(seed=3, seconds=1, rate=5))
_TIMEOUT_S = 60


@dataclass(frozen=True, slots=True)
class Made:
    """The stack in ministack, and a session of each role with the policy that it came with."""

    aws: LocalAws
    ids: Mapping[str, str]
    sessions: Mapping[str, Session]
    policies: Mapping[str, Mapping[str, Any]]

    def position(self) -> int:
        return InParameter(self.aws.client("ssm"), POSITION).read()

    def records(self, kinesis: Any) -> list[Mapping[str, Any]]:
        """All records of the stream, shard by shard."""
        name = self.ids["Stream"]
        found: list[Mapping[str, Any]] = []
        for shard in kinesis.list_shards(StreamName=name)["Shards"]:
            iterator = kinesis.get_shard_iterator(
                StreamName=name, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
            )["ShardIterator"]
            answer = kinesis.get_records(ShardIterator=iterator)
            found += [{**each, "ShardId": shard["ShardId"]} for each in answer["Records"]]
        return found


def as_of_ministack(policy: Mapping[str, Any]) -> dict[str, Any]:
    """GetRecords names no stream, but an iterator, and ministack finds no stream behind it."""
    action = "kinesis:GetRecords"
    found = [each for each in policy["Statement"] if action in each["Action"]]
    if not found:
        return dict(policy)
    less = lacking(policy, found[0]["Sid"], action)
    own = {"Sid": "ReadRecords", "Effect": "Allow", "Action": action, "Resource": "*"}
    return {**less, "Statement": [*less["Statement"], own]}


@pytest.fixture(scope="module")
def made() -> Iterator[Made]:
    with LocalAws(auth=True) as aws:
        aws.create_bucket(BUCKET)
        whole = template()
        small = {**whole, "Resources": {name: whole["Resources"][name] for name in KEPT}}
        del small["Outputs"]
        ids = aws.create_stack(STACK, json.dumps(small), GIVEN)
        sessions = {role: session_of(aws, ids[role], name) for role, name in POLICIES.items()}
        policies = {role: as_of_ministack(each.policy()) for role, each in sessions.items()}
        yield Made(aws, ids, sessions, policies)


@pytest.fixture(autouse=True)
def anew(made: Made) -> None:
    """All rights, and no position, as in a new stack."""
    made.aws.client("ssm").delete_parameters(Names=[POSITION])
    for role, session in made.sessions.items():
        session.allow(made.policies[role])


@pytest.fixture(scope="module")
def code(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files that docs/feed.md wants in an image, and no other part of the harness."""
    folder = tmp_path_factory.mktemp("image")
    shutil.copytree(ROOT / "harness/feed/client", folder / "harness/feed/client")
    for package in ("harness", "harness/feed"):
        shutil.copy(ROOT / package / "__init__.py", folder / package)
    return folder


def environment(made: Made, port: int, code: Path) -> dict[str, str]:
    """The variables of the task, with the names that ministack has given."""
    (container,) = deployed()["TaskDefinition"]["ContainerDefinitions"]
    ids = {f"${{{name}}}": value for name, value in made.ids.items()}
    env = {}
    for each in container["Environment"]:
        value = each["Value"]
        for reference, name in ids.items():
            value = value.replace(reference, name)
        value = value.replace("${AWS::Region}", REGION)
        env[each["Name"]] = value.replace("${AWS::StackName}", STACK)
    return {
        **env,
        "FEED_URL": f"ws://127.0.0.1:{port}",
        "AWS_ENDPOINT_URL": made.aws.env()["AWS_ENDPOINT_URL"],
        "PATH": os.defpath,
        "PYTHONPATH": str(code),
        **made.sessions["TaskRole"].credentials,
    }


def follow(made: Made, code: Path, is_done: Callable[[], bool]) -> subprocess.CompletedProcess[str]:
    """The client from its start to SIGTERM, which comes when the condition holds."""
    with ThirdParty(PLAN, Clock(time.time(), 1), replay=1000) as party:
        command = (sys.executable, "-m", "harness.feed.client")
        process = subprocess.Popen(
            command,
            cwd=code,
            env=environment(made, party.port, code),
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            _wait(process, lambda: party.followers > 0)
            party.play().result(_TIMEOUT_S)
            _wait(process, is_done)
            process.send_signal(signal.SIGTERM)
            output, _ = process.communicate(timeout=_TIMEOUT_S)
        finally:
            process.kill()
            process.wait()
    return subprocess.CompletedProcess(command, process.returncode, output)


def _wait(process: subprocess.Popen[str], condition: Callable[[], bool]) -> None:
    """Until the condition holds or the process has ended."""
    end = time.monotonic() + _TIMEOUT_S
    while not condition() and process.poll() is None:
        assert time.monotonic() < end
        time.sleep(0.05)


def events(done: subprocess.CompletedProcess[str], name: str) -> Sequence[Mapping[str, Any]]:
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    return [line for line in lines if line["event"] == name]


def texts() -> list[bytes]:
    return [each.text for each in PLAN.messages if each.number not in PLAN.dropped]


def write(made: Made, records: Sequence[Mapping[str, Any]], handle: Handle) -> None:
    """The function on a batch of these records, as Lambda sends it."""
    batch = [
        {
            "eventID": f"{each['ShardId']}:{each['SequenceNumber']}",
            "kinesis": {
                "data": base64.b64encode(each["Data"]).decode(),
                "sequenceNumber": each["SequenceNumber"],
                "approximateArrivalTimestamp": each["ApproximateArrivalTimestamp"].timestamp(),
            },
        }
        for each in records
    ]
    handle({"Records": batch}, None)


def test_messages_come_through_stream_and_function_to_a_file(
    made: Made, code: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kinesis = made.sessions["WriterRole"].client("kinesis")
    newest = PLAN.messages[-1].number
    done = follow(made, code, lambda: made.position() == newest)
    assert done.returncode == 0, done.stdout
    assert made.position() == newest
    # the line that feed.yaml's metric filter counts
    told = sum(each["missing"] for each in events(done, "gap"))
    assert told == len(PLAN.dropped)
    records = made.records(kinesis)
    assert sorted(each["Data"] for each in records) == sorted(texts())
    handle = load_code(monkeypatch, made.sessions["WriterRole"].client("s3"))
    write(made, records, handle)
    (found,) = made.aws.client("s3").list_objects_v2(Bucket=BUCKET)["Contents"]
    body = made.aws.client("s3").get_object(Bucket=BUCKET, Key=found["Key"])["Body"].read()
    expected = b'{"Records":[' + b",".join(each["Data"] for each in records) + b"]}"
    assert gzip.decompress(body) == expected


OF_THE_CLIENT = (
    ("PutRecords", "kinesis:PutRecords"),
    ("KeepPosition", "ssm:GetParameter"),
    ("KeepPosition", "ssm:PutParameter"),
)


@pytest.mark.parametrize("right", OF_THE_CLIENT, ids=lambda right: f"without {right[1]}")
def test_the_client_needs_each_of_its_rights(
    made: Made, code: Path, right: tuple[str, str]
) -> None:
    made.sessions["TaskRole"].allow(lacking(made.policies["TaskRole"], *right))
    count = len(made.records(made.aws.client("kinesis")))
    done = follow(made, code, lambda: len(made.records(made.aws.client("kinesis"))) > count)
    lasting = right[1] != "ssm:PutParameter"  # without a position doubles may come, and no loss
    told = events(done, "failed" if lasting else "position_not_written")
    assert told
    assert all("AccessDenied" in each["reason"] for each in told)
    assert made.position() < PLAN.messages[0].number
    assert done.returncode == int(lasting)


def test_the_client_has_the_tried_rights_only(made: Made) -> None:
    assert granted(made.policies["TaskRole"]) == set(OF_THE_CLIENT)


def test_the_function_needs_each_right_on_the_stream_and_on_the_bucket(
    made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    session, policy = made.sessions["WriterRole"], made.policies["WriterRole"]
    kinesis, name = session.client("kinesis"), made.ids["Stream"]
    made.aws.client("kinesis").put_record(StreamName=name, Data=b"{}", PartitionKey="key")
    (record, *_) = made.records(kinesis)
    handle = load_code(monkeypatch, session.client("s3"))
    place = {"StreamName": name, "ShardId": record["ShardId"]}
    asks: dict[tuple[str, str], Callable[[], object]] = {
        ("ReadStream", "kinesis:DescribeStream"): lambda: kinesis.describe_stream(StreamName=name),
        ("ReadStream", "kinesis:DescribeStreamSummary"): lambda: kinesis.describe_stream_summary(
            StreamName=name
        ),
        ("ReadStream", "kinesis:ListShards"): lambda: kinesis.list_shards(StreamName=name),
        ("ReadStream", "kinesis:GetShardIterator"): lambda: kinesis.get_shard_iterator(
            **place, ShardIteratorType="LATEST"
        ),
        ("WriteFiles", "s3:PutObject"): lambda: write(made, [record], handle),
    }
    iterator = kinesis.get_shard_iterator(**place, ShardIteratorType="TRIM_HORIZON")
    asks["ReadRecords", "kinesis:GetRecords"] = lambda: kinesis.get_records(
        ShardIterator=iterator["ShardIterator"]
    )
    assert not [right for right, ask in asks.items() if is_denied(ask)]
    for right in asks:
        session.allow(lacking(policy, *right))
        assert [other for other, ask in asks.items() if is_denied(ask)] == [right]
    logs = {("WriteLogs", "logs:CreateLogStream"), ("WriteLogs", "logs:PutLogEvents")}
    assert granted(policy) == {*asks, *logs}  # the logs are Lambda's own work


def is_denied(ask: Callable[[], object]) -> bool:
    try:
        ask()
    except ClientError as error:
        assert "AccessDenied" in error.response["Error"]["Code"], error
        return True
    return False
