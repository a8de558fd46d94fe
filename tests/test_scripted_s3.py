"""The S3 of the vectors answers as a real server does, where a real server can be asked."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ResponseStreamingError

from harness.targets.local.s3server import S3Server
from harness.verify.scripted_s3.scene import Fault, Stored
from harness.verify.scripted_s3.server import ScriptedS3

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

BUCKET = "source-bucket"
KEYS = ["a/1", "a/2", "a b/+", "a%41/x", "b", "é/日", "é/😀", "~", "a/b/c", "z&<>/'\""]


def client(env: dict[str, str]) -> S3Client:
    return boto3.client(
        "s3",
        endpoint_url=env["AWS_ENDPOINT_URL_S3"],
        region_name=env["AWS_REGION"],
        aws_access_key_id=env["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=env["AWS_SECRET_ACCESS_KEY"],
        config=Config(retries={"total_max_attempts": 1}),
    )


@pytest.fixture
def real() -> Iterator[S3Client]:
    with S3Server() as server:
        server.bucket_path(BUCKET)
        yield client(server.env())


@pytest.fixture
def scripted(s3: ScriptedS3) -> S3Client:
    s3.begin({BUCKET: {}})
    return client(s3.env())


def what_is_seen(s3: S3Client) -> list[Any]:
    """The same operations on either server, and all that the contract needs of the answers."""
    for key in KEYS:
        s3.put_object(Bucket=BUCKET, Key=key, Body=key.encode(), ContentType="text/x")
    seen: list[Any] = []
    for delimiter in ("", "/"):
        for prefix in ("", "a", "a/", "é/", "none/"):
            for size in (1000, 2):
                pages = s3.get_paginator("list_objects_v2").paginate(
                    Bucket=BUCKET,
                    Prefix=prefix,
                    Delimiter=delimiter,
                    PaginationConfig={"PageSize": size},
                )
                for page in pages:
                    seen.append([(o["Key"], o["Size"]) for o in page.get("Contents", ())])
                    seen.append([p["Prefix"] for p in page.get("CommonPrefixes", ())])
                    seen.append(page["IsTruncated"])
    s3.copy_object(Bucket=BUCKET, Key="copy", CopySource={"Bucket": BUCKET, "Key": "a b/+"})
    s3.delete_object(Bucket=BUCKET, Key="b")
    s3.delete_object(Bucket=BUCKET, Key="never-there")
    for key in ("copy", "é/😀"):
        answer = s3.get_object(Bucket=BUCKET, Key=key)
        seen.append((answer["Body"].read(), answer["ContentType"], answer["ContentLength"]))
    for call in (
        lambda: s3.get_object(Bucket=BUCKET, Key="b"),
        lambda: s3.get_object(Bucket="no-such-bucket", Key="b"),
        lambda: s3.list_objects_v2(Bucket="no-such-bucket"),
        lambda: s3.copy_object(
            Bucket=BUCKET, Key="c", CopySource={"Bucket": BUCKET, "Key": "never-there"}
        ),
    ):
        with pytest.raises(ClientError) as caught:
            call()
        response = caught.value.response
        seen.append((response["ResponseMetadata"]["HTTPStatusCode"], response["Error"]["Code"]))
    return seen


def test_both_servers_look_the_same(real: S3Client, scripted: S3Client) -> None:
    assert what_is_seen(scripted) == what_is_seen(real)


def test_a_fault_ends_after_its_times(s3: ScriptedS3, scripted: S3Client) -> None:
    s3.begin({BUCKET: {"a": Stored(b"body")}}, [Fault("get", "a", 503, "SlowDown", times=1)])
    with pytest.raises(ClientError, match="SlowDown"):
        scripted.get_object(Bucket=BUCKET, Key="a")
    assert scripted.get_object(Bucket=BUCKET, Key="a")["Body"].read() == b"body"
    requests, most = s3.take_requests()
    assert [(r.operation, r.key, r.status) for r in requests] == [
        ("get", "a", 503),
        ("get", "a", 200),
    ]
    assert most == 1


def test_a_short_body_is_short(s3: ScriptedS3, scripted: S3Client) -> None:
    s3.begin({BUCKET: {"a": Stored(b"four")}}, [Fault("get", "a", kind="short")])
    with pytest.raises(ResponseStreamingError):
        scripted.get_object(Bucket=BUCKET, Key="a")["Body"].read()


def test_a_fault_may_name_any_request_id(s3: ScriptedS3, scripted: S3Client) -> None:
    s3.begin({BUCKET: {}}, [Fault("put", "d/_{request_id}-000001", 403, "AccessDenied")])
    scripted.put_object(Bucket=BUCKET, Key="d/e_x-000001", Body=b"")
    with pytest.raises(ClientError, match="AccessDenied"):
        scripted.put_object(Bucket=BUCKET, Key="d/_x-y-000001", Body=b"")


def test_keys_that_no_file_system_holds(s3: ScriptedS3, scripted: S3Client) -> None:
    keys = ["//", "a", "a/", "a//b", "a/../b", "a\nb", "\x01"]
    s3.begin({BUCKET: {key: Stored(key.encode()) for key in keys}})
    listed = [o["Key"] for o in scripted.list_objects_v2(Bucket=BUCKET)["Contents"]]
    assert listed == sorted(keys, key=str.encode)
    for key in keys:
        assert scripted.get_object(Bucket=BUCKET, Key=key)["Body"].read() == key.encode()


def test_expired_keys_are_refused(s3: ScriptedS3, scripted: S3Client) -> None:
    s3.accepts = lambda key, token: (key, token) == ("other", "")
    with pytest.raises(ClientError, match="ExpiredToken"):
        scripted.get_object(Bucket=BUCKET, Key="a")
