"""feed.yaml: rights, alarms, one client at a time, and files that the aggregation reads."""

from __future__ import annotations

import base64
import gzip
import json
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from template_rules import assert_cfn_lint_finds_nothing, assert_checkov_finds_only, each_partition

from harness.preflight.check import faults_of, read_template
from harness.preflight.resolve import load_template, resolved
from harness.toolchain.paths import ROOT

FEED = ROOT / "feed.yaml"
KEY = "arn:aws:kms:eu-central-1:111122223333:key/0000-1111"
TOPIC = "arn:aws:sns:eu-central-1:111122223333:operators"
SECRET = "arn:aws:secretsmanager:eu-central-1:111122223333:secret:feed/token-AbCdEf"
REPOSITORY = "arn:aws:ecr:eu-central-1:111122223333:repository/team/feed"
GIVEN = {
    "FeedUrl": "wss://stream.example.com/v1",
    "FeedSecretArn": SECRET,
    "RepositoryArn": REPOSITORY,
    "ImageDigest": f"sha256:{'0' * 64}",
    "SubnetIds": "subnet-0a,subnet-1b",
    "SecurityGroupIds": "sg-2c",
    "DestinationBucket": "destination-bucket",
}
KEYS = dict.fromkeys(("FeedSecretKmsKeyArn", "StreamKmsKeyArn", "DestinationKmsKeyArn"), KEY)
BUCKET = "arn:aws:s3:::destination-bucket"
DELIVERIES = ("function", "firehose")

each_delivery = pytest.mark.parametrize("delivery", DELIVERIES)


@cache
def template() -> dict[str, Any]:
    return load_template(FEED)


def resources(**given: object) -> dict[str, dict[str, Any]]:
    values = {name: str(value) for name, value in {**GIVEN, **given}.items()}
    return resolved(template(), values)


def deployed(**given: object) -> dict[str, Any]:
    """Logical id -> properties of what these parameters deploy."""
    return {name: each["Properties"] for name, each in resources(**given).items()}


def of_type(kind: str, **given: object) -> dict[str, Any]:
    found = resources(**given).items()
    return {name: each["Properties"] for name, each in found if each["Type"] == f"AWS::{kind}"}


def rights(role: dict[str, Any]) -> dict[str, tuple[object, object]]:
    (policy,) = role["Policies"]
    assert "ManagedPolicyArns" not in role
    return {
        each["Sid"]: (each["Action"], each["Resource"])
        for each in policy["PolicyDocument"]["Statement"]
    }


@pytest.mark.slow
@pytest.mark.timeout(600)
@each_partition
def test_cfn_lint_finds_nothing(region: str) -> None:
    assert_cfn_lint_finds_nothing(FEED, region)


@pytest.mark.slow
def test_checkov_finds_nothing_without_a_reason(tmp_path: Path) -> None:
    assert_checkov_finds_only("feed", FEED, tmp_path)


@each_delivery
def test_preflight_finds_nothing(delivery: str) -> None:
    values = {**GIVEN, **KEYS, "LogKmsKeyArn": KEY, "Delivery": delivery}
    assert faults_of(read_template(FEED, values)) == []


def test_no_partition_is_written_down() -> None:
    text = FEED.read_text().partition("\nResources:")[2]
    for service in ("ecs-tasks", "firehose", "lambda"):  # these have no partition
        text = text.replace(f"{service}.amazonaws.com", "")
    assert not re.search(r"arn:aws|amazonaws\.com", text)


# -- the client --


def container(**given: object) -> dict[str, Any]:
    (made,) = deployed(**given)["TaskDefinition"]["ContainerDefinitions"]
    return dict(made)


def test_a_deployment_stops_the_old_client_before_it_starts_the_new_one() -> None:
    service = deployed()["Service"]
    assert service["DesiredCount"] == 1
    assert service["AvailabilityZoneRebalancing"] == "DISABLED"
    assert service["DeploymentConfiguration"] == {
        "MinimumHealthyPercent": 0,
        "MaximumPercent": 100,
        "DeploymentCircuitBreaker": {"Enable": True, "Rollback": True},
    }


def test_the_secret_is_a_reference_and_the_image_a_digest() -> None:
    made = container()
    assert made["Secrets"] == [{"Name": "FEED_TOKEN", "ValueFrom": SECRET}]
    assert "FEED_TOKEN" not in {each["Name"] for each in made["Environment"]}
    assert made["Image"] == (
        f"111122223333.dkr.ecr.eu-central-1.amazonaws.com/team/feed@sha256:{'0' * 64}"
    )
    for bad in ("latest", "sha256:12", f"{'0' * 64}"):
        assert not re.search(template()["Parameters"]["ImageDigest"]["AllowedPattern"], bad)


def test_the_three_roles_have_what_they_need_and_no_more() -> None:
    made = deployed(**KEYS)
    assert rights(made["ExecutionRole"]) == {
        "LogInToRegistry": ("ecr:GetAuthorizationToken", "*"),
        "PullImage": (
            ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"],
            REPOSITORY,
        ),
        "ReadSecret": ("secretsmanager:GetSecretValue", SECRET),
        "DecryptSecret": ("kms:Decrypt", KEY),
        "WriteLogs": (["logs:CreateLogStream", "logs:PutLogEvents"], "${ClientLogGroup.Arn}"),
    }
    position = (
        "arn:aws:ssm:${AWS::Region}:${AWS::AccountId}:parameter/feed/${AWS::StackName}/position"
    )
    assert rights(made["TaskRole"]) == {
        "PutRecords": ("kinesis:PutRecords", "${Stream.Arn}"),
        "EncryptRecords": ("kms:GenerateDataKey", KEY),
        "KeepPosition": (["ssm:GetParameter", "ssm:PutParameter"], position),
    }
    files = [f"{BUCKET}/feed/AWSLogs/*", f"{BUCKET}/feed/other/*"]
    writer = rights(made["WriterRole"])
    assert writer["WriteFiles"] == ("s3:PutObject", files)
    assert writer["DecryptRecords"] == ("kms:Decrypt", KEY)
    for name, role in of_type("IAM::Role", **KEYS).items():
        for sid, (actions, where) in rights(role).items():
            assert "*" not in str(actions), name
            assert sid == "LogInToRegistry" or where != "*", name


@each_delivery
def test_without_keys_no_right_is_for_a_key(delivery: str) -> None:
    for role in of_type("IAM::Role", Delivery=delivery).values():
        assert "kms:" not in json.dumps(role)


@each_delivery
def test_a_boundary_bounds_every_role_and_a_key_encrypts_every_log(delivery: str) -> None:
    boundary = "arn:aws:iam::111122223333:policy/company/boundary"
    given = {"Delivery": delivery, "PermissionsBoundaryArn": boundary, "LogKmsKeyArn": KEY}
    roles, groups = (of_type(kind, **given) for kind in ("IAM::Role", "Logs::LogGroup"))
    assert len(roles) == 3
    assert len(groups) == 2
    assert {each["PermissionsBoundary"] for each in roles.values()} == {boundary}
    assert {each["KmsKeyId"] for each in groups.values()} == {KEY}
    for kind, name in (("IAM::Role", "PermissionsBoundary"), ("Logs::LogGroup", "KmsKeyId")):
        assert all(name not in each for each in of_type(kind, Delivery=delivery).values())


# -- the stream and the deliveries --


def test_the_stream_is_encrypted_and_has_shards_or_is_on_demand() -> None:
    stream = deployed(ShardCount=3)["Stream"]
    assert (stream["ShardCount"], stream["StreamModeDetails"]) == (
        "3",
        {"StreamMode": "PROVISIONED"},
    )
    assert stream["StreamEncryption"] == {"EncryptionType": "KMS", "KeyId": "alias/aws/kinesis"}
    stream = deployed(ShardCount=0, **KEYS)["Stream"]
    assert "ShardCount" not in stream
    assert stream["StreamModeDetails"] == {"StreamMode": "ON_DEMAND"}
    assert stream["StreamEncryption"]["KeyId"] == KEY


def test_firehose_has_both_hints_gzip_lines_and_a_prefix_for_errors() -> None:
    given = {"Delivery": "firehose", "BufferSeconds": 60, "BufferMegabytes": 5}
    to = deployed(**given)["Firehose"]["ExtendedS3DestinationConfiguration"]
    assert to["BufferingHints"] == {"IntervalInSeconds": "60", "SizeInMBs": "5"}
    assert (to["CompressionFormat"], to["FileExtension"]) == ("GZIP", ".ndjson.gz")
    assert to["ProcessingConfiguration"]["Processors"] == [{"Type": "AppendDelimiterToRecord"}]
    assert to["Prefix"] == "feed/lines/!{timestamp:yyyy/MM/dd}/"
    assert to["ErrorOutputPrefix"].startswith("feed/other/!{firehose:error-output-type}/")
    assert rights(deployed(**given)["FirehoseRole"])["WriteFiles"] == (
        ["s3:AbortMultipartUpload", "s3:GetObject", "s3:PutObject"],
        [f"{BUCKET}/feed/lines/*", f"{BUCKET}/feed/other/*"],
    )


def test_the_function_never_gives_a_batch_up() -> None:
    mapping = deployed(BufferSeconds=120)["WriterMapping"]
    assert (mapping["BatchSize"], mapping["MaximumBatchingWindowInSeconds"]) == (10000, "120")
    assert not {"MaximumRetryAttempts", "MaximumRecordAgeInSeconds"} & mapping.keys()
    assert mapping["StartingPosition"] == "TRIM_HORIZON"


def test_one_delivery_is_deployed() -> None:
    function, firehose = (set(deployed(Delivery=each)) for each in DELIVERIES)
    assert {name for name in function if name.startswith("Firehose")} == set()
    assert {name for name in firehose if name.startswith("Writer")} == set()


# -- alarms --


@each_delivery
@pytest.mark.parametrize("topic", ["", TOPIC])
def test_every_step_of_the_way_has_an_alarm(delivery: str, topic: str) -> None:
    alarms = of_type("CloudWatch::Alarm", Delivery=delivery, AlarmTopicArn=topic)
    both = {
        *("NoTaskAlarm", "NoRecordsAlarm", "WriteThrottleAlarm", "ThrottledRecordsAlarm"),
        *("IteratorAgeAlarm", "GapAlarm", "PositionAlarm"),
    }
    own = {
        "function": {"WriterErrorsAlarm", "OtherRecordsAlarm"},
        "firehose": {"FreshnessAlarm", "DeliveryAlarm"},
    }
    assert set(alarms) == both | own[delivery]
    for alarm in alarms.values():
        assert alarm.get("AlarmActions", []) == ([topic] if topic else [])
        assert alarm.get("OKActions", []) == ([topic] if topic else [])


@each_delivery
def test_each_count_of_log_lines_has_an_alarm(delivery: str) -> None:
    counted = {
        (metric["MetricNamespace"], metric["MetricName"])
        for each in of_type("Logs::MetricFilter", Delivery=delivery).values()
        for metric in each["MetricTransformations"]
    }
    alarms = of_type("CloudWatch::Alarm", Delivery=delivery).values()
    watched = {(each["Namespace"], each["MetricName"]) for each in alarms if "Namespace" in each}
    assert counted == {each for each in watched if not each[0].startswith("AWS/")}
    pattern = deployed()["PositionsMetric"]["FilterPattern"]
    assert pattern == '{ $.event = "position_not_written" }'


def test_silence_is_a_fault_of_the_client_and_of_the_reader_and_of_nobody_else() -> None:
    alarms = of_type("CloudWatch::Alarm", QuietMinutes=7)
    silent = {name for name, each in alarms.items() if each["TreatMissingData"] == "breaching"}
    assert silent == {"NoTaskAlarm", "NoRecordsAlarm", "IteratorAgeAlarm"}
    assert alarms["NoRecordsAlarm"]["EvaluationPeriods"] == "7"


def test_an_alarm_fires_long_before_records_expire() -> None:
    least = template()["Parameters"]["RetentionHours"]["MinValue"] * 3600
    age = deployed()["IteratorAgeAlarm"]
    assert age["Threshold"] / 1000 + age["Period"] * age["EvaluationPeriods"] < least / 24
    fresh = deployed(Delivery="firehose")["FreshnessAlarm"]
    longest = template()["Parameters"]["BufferSeconds"]["MaxValue"]
    assert 2 * longest < fresh["Threshold"] < least / 24


# -- the files of the function --

LEVELS = 500


class FakeS3:
    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}

    def put_object(self, *, Bucket: str, Key: str, Body: bytes) -> None:  # noqa: N803
        assert Bucket == "destination-bucket"
        self.objects[Key] = Body


type Handle = Callable[[object, object], None]


@pytest.fixture
def s3() -> FakeS3:
    return FakeS3()


def load_code(monkeypatch: pytest.MonkeyPatch, s3: object) -> Handle:
    """The function's code as the template has it, with the environment of the template."""
    writer = deployed()["Writer"]
    variables = dict(writer["Environment"]["Variables"])
    variables["SOURCES"] = (
        variables["SOURCES"]
        .replace("${AWS::AccountId}", "111122223333")
        .replace("${AWS::Region}", "eu-central-1")
    )
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    code: dict[str, Any] = {}
    with monkeypatch.context() as patched:
        patched.setattr("boto3.client", lambda service: s3)
        exec(compile(writer["Code"]["ZipFile"], "index.py", "exec"), code)
    assert writer["Handler"] == "index.handle"
    handle: Handle = code["handle"]
    return handle


@pytest.fixture
def handle(monkeypatch: pytest.MonkeyPatch, s3: FakeS3) -> Handle:
    return load_code(monkeypatch, s3)


@pytest.fixture(scope="module")
def split() -> Iterator[Callable[[bytes], bytes]]:
    """The Python implementation's splitter: the lines of a source, or the code of its fault."""
    sys.path.insert(0, str(ROOT / "python/src"))
    from aggregator.errors import BadSourceError
    from aggregator.splitter import split_records

    def lines(text: bytes) -> bytes:
        try:
            return bytes(split_records(text, lambda: None))
        except BadSourceError as error:
            return str(error).encode()

    yield lines
    sys.path.remove(str(ROOT / "python/src"))


def event(texts: Sequence[bytes], arrived: float = 1_707_400_000.25) -> dict[str, Any]:
    """As Lambda sends it, with records that arrive a second apart."""
    return {
        "Records": [
            {
                "eventID": f"shardId-000000000002:4966{number:020}",
                "kinesis": {
                    "data": base64.b64encode(text).decode(),
                    "sequenceNumber": f"4966{number:020}",
                    "approximateArrivalTimestamp": arrived + number,
                },
            }
            for number, text in enumerate(texts)
        ]
    }


def test_a_batch_becomes_a_source_of_the_aggregation(
    handle: Handle, s3: FakeS3, split: Callable[[bytes], bytes]
) -> None:
    texts = [b'{"n":1e400}', b'{"a" : "\\ud800"}', b'{"n": ' + b"9" * 5000 + b"}"]
    handle(event(texts), None)
    ((key, body),) = s3.objects.items()
    # L1: the account and the region of the stack, the day on which the first record arrived
    form = r"feed/AWSLogs/\d{12}/CloudTrail/[^/]+/2024/02/08/shardId-000000000002-\d+-\d+\.json\.gz"
    assert re.fullmatch(form, key)
    assert split(gzip.decompress(body)) == b"\n".join([*texts, b""])


def test_a_repeated_batch_writes_the_same_object_again(handle: Handle, s3: FakeS3) -> None:
    handle(event([b"{}"]), None)
    before = dict(s3.objects)
    handle(event([b"{}"]), None)
    assert s3.objects == before
    handle(event([b"{}", b"{}"]), None)
    assert len(s3.objects) == 2


@pytest.mark.parametrize(
    "text",
    [
        *(b"", b"[]", b"7", b"{", b'{"a":NaN}', b'{"a":-Infinity}', b"{} {}", b'{"a":"\t"}'),
        *(b'{"a":"\xff"}', b"\xef\xbb\xbf{}", "{}".encode("utf-16"), b'{"a":"\xed\xa0\x80"}'),
        b'{"a":' + b"[" * (LEVELS - 2) + b"]" * (LEVELS - 2) + b"}",
        b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    ],
)
def test_what_would_spoil_the_source_goes_to_a_file_of_its_own(
    text: bytes,
    handle: Handle,
    s3: FakeS3,
    split: Callable[[bytes], bytes],
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert split(b'{"Records":[{},' + text + b"]}") in (b"BAD_JSON", b"NO_RECORDS")
    handle(event([b"{}", text]), None)
    other, source = sorted(s3.objects, reverse=True)
    assert other.startswith("feed/other/2024/02/08/")
    assert gzip.decompress(s3.objects[other]) == text
    assert split(gzip.decompress(s3.objects[source])) == b"{}\n"
    line = json.loads(capsys.readouterr().out)
    assert (line["event"], line["records"], line["other"]) == ("batch", 1, 1)
    pattern = deployed()["OtherRecordsMetric"]["FilterPattern"]
    assert pattern == '{ $.event = "batch" && $.other > 0 }'


def test_the_deepest_record_that_a_source_may_have_is_a_record(
    handle: Handle, s3: FakeS3, split: Callable[[bytes], bytes]
) -> None:
    text = b'{"a":' + b"[" * (LEVELS - 3) + b"]" * (LEVELS - 3) + b"}"
    handle(event([text]), None)
    ((key, body),) = s3.objects.items()
    assert "/AWSLogs/" in key
    assert split(gzip.decompress(body)) == text + b"\n"


@pytest.mark.parametrize("delimiter", [b"", b"\n"])
def test_a_file_of_firehose_is_a_bad_source_so_it_stands_elsewhere(
    delimiter: bytes, split: Callable[[bytes], bytes]
) -> None:
    """One record behind the other, whatever is between them, is not one JSON object (R6)."""
    records = [b'{"a":1}', b'{"a":2}']
    assert split(delimiter.join(records)) == b"BAD_JSON"
    enveloped = [b'{"Records":[' + each + b"]}" for each in records]
    assert (
        split(delimiter.join(enveloped)) == b"BAD_JSON"
    )  # a function of Firehose's can do no more
    prefix = deployed(Delivery="firehose")["Firehose"]["ExtendedS3DestinationConfiguration"]
    assert "AWSLogs/" not in prefix["Prefix"] + prefix["ErrorOutputPrefix"]
