"""The S3 of the vectors answers as a real server does, where a real server can be asked."""

from __future__ import annotations

import socket
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionClosedError, ResponseStreamingError

from harness.targets.local.s3server import S3Server
from harness.verify.scripted_s3.scene import Fault, Request, Stored
from harness.verify.scripted_s3.server import ScriptedS3

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

BUCKET = "source-bucket"
SIGNED = "Authorization: Credential=test/"
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
    first = s3.put_object(Bucket=BUCKET, Key="claim", Body=b"1", IfNoneMatch="*")["ETag"]
    second = s3.put_object(Bucket=BUCKET, Key="claim", Body=b"2", IfMatch=first)["ETag"]
    for call in (
        lambda: s3.put_object(Bucket=BUCKET, Key="claim", Body=b"3", IfNoneMatch="*"),
        lambda: s3.put_object(Bucket=BUCKET, Key="claim", Body=b"3", IfMatch=first),
        lambda: s3.put_object(Bucket=BUCKET, Key="never-there", Body=b"3", IfMatch=first),
        lambda: s3.delete_object(Bucket=BUCKET, Key="claim", IfMatch=first),
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
    seen.append(s3.get_object(Bucket=BUCKET, Key="claim")["Body"].read())
    s3.delete_object(Bucket=BUCKET, Key="claim", IfMatch=second)
    seen.append("Contents" in s3.list_objects_v2(Bucket=BUCKET, Prefix="claim"))
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


def raw_answer(s3: ScriptedS3, fault: Fault) -> bytes:
    """All bytes that the server sends for a get of an object of four bytes."""
    s3.begin({BUCKET: {"a": Stored(b"four")}}, [fault])
    host, _, port = s3.endpoint.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(
            f"GET /{BUCKET}/a HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n"
            "Authorization: Credential=test/\r\n\r\n".encode()
        )
        return b"".join(iter(lambda: connection.recv(4096), b""))


def test_an_answer_is_cut_at_any_byte(s3: ScriptedS3) -> None:
    assert raw_answer(s3, Fault("get", "a", kind="cut", at=9)) == b"HTTP/1.1 "
    assert raw_answer(s3, Fault("get", "a", kind="cut", at=0)) == b""
    assert raw_answer(s3, Fault("get", "a", kind="cut", at="body")).endswith(b"\r\n\r\n")
    assert raw_answer(s3, Fault("get", "a", kind="cut", at=-1)).endswith(b"\r\n\r\nfou")


def test_a_body_comes_in_every_form_of_http(s3: ScriptedS3) -> None:
    chunked = raw_answer(s3, Fault("get", "a", kind="chunked"))
    assert chunked.endswith(b"\r\n\r\n2\r\nfo\r\n2\r\nur\r\n0\r\n\r\n")
    unannounced = raw_answer(s3, Fault("get", "a", kind="unannounced"))
    assert unannounced.endswith(b"\r\n\r\nfour")
    assert b"content-length" not in (chunked + unannounced).lower()
    assert b"caf\xe9" in raw_answer(s3, Fault("get", "a", kind="odd-header"))


@pytest.mark.parametrize(
    ("kind", "gone", "there"),
    [
        ("no-token", "<NextContinuationToken>", "<IsTruncated>true<"),
        ("no-is-truncated", "<IsTruncated>", "<Key>a%2Bb</Key>"),
        ("foreign-key", "<Key>a%2Bb<", "<Key>foreign/a%2Bb<"),
        ("no-size", "<Size>", "<Key>a%2Bb<"),
        ("negative-size", "<Size>4<", "<Size>-1<"),
        ("encoding-ignored", "<EncodingType>", "<Key>a+b<"),
    ],
)
def test_a_listing_is_odd_as_the_fault_says(
    s3: ScriptedS3, kind: str, gone: str, there: str
) -> None:
    s3.begin({BUCKET: {"a+b": Stored(b"four")}}, [Fault("list", "a", kind=kind)])
    answer = urllib.request.urlopen(
        urllib.request.Request(
            f"{s3.endpoint}/{BUCKET}?list-type=2&prefix=a&encoding-type=url",
            headers={"Authorization": "Credential=test/"},
        )
    )
    text = answer.read().decode()
    assert gone not in text
    assert there in text


def test_a_lost_answer_is_to_a_request_that_was_carried_out(
    s3: ScriptedS3, scripted: S3Client
) -> None:
    s3.begin({BUCKET: {}}, [Fault("put", "a", kind="lost")])
    with pytest.raises(ConnectionClosedError):
        scripted.put_object(Bucket=BUCKET, Key="a", Body=b"four")
    assert s3.objects(BUCKET)["a"].body == b"four"


def test_a_request_belongs_to_the_step_in_which_it_came(s3: ScriptedS3, scripted: S3Client) -> None:
    s3.begin({BUCKET: {"a": Stored(b"a"), "b": Stored(b"b")}})
    came, go_on = threading.Event(), threading.Event()

    @contextmanager
    def hold(_access_key: str, request: Request) -> Iterator[None]:
        if request.key == "a":
            came.set()
            assert go_on.wait(10)
        yield

    s3.hold = hold
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(scripted.get_object, Bucket=BUCKET, Key="a")
        assert came.wait(10)
        assert s3.take_requests() == ([], 1)
        scripted.get_object(Bucket=BUCKET, Key="b")
        go_on.set()
        waiting.result()
    requests, most = s3.take_requests()
    assert ([r.key for r in requests], most) == (["b"], 2)


def test_a_request_that_nobody_awaits_belongs_to_the_step_in_which_it_was_sent(
    s3: ScriptedS3,
) -> None:
    s3.begin({BUCKET: {"a": Stored(b"a")}})
    switch_s = sys.getswitchinterval()
    sys.setswitchinterval(0.1)  # the server's threads come late, as on a busy machine
    try:
        for _ in range(5):
            with socket.create_connection(("127.0.0.1", s3.port)) as connection:
                connection.sendall(f"GET /{BUCKET}/a HTTP/1.1\r\n{SIGNED}\r\n\r\n".encode())
            s3.take_requests()
            s3.begin({BUCKET: {"a": Stored(b"a")}})
            time.sleep(0.01)
            assert s3.take_requests()[0] == []
    finally:
        sys.setswitchinterval(switch_s)


def test_a_request_that_breaks_off_changes_nothing(s3: ScriptedS3) -> None:
    s3.begin({BUCKET: {"a": Stored(b"a")}})
    request = f"PUT /{BUCKET}/a HTTP/1.1\r\n{SIGNED}\r\nContent-Length: 4\r\n\r\nfour".encode()
    for length in range(len(request)):
        with socket.create_connection(("127.0.0.1", s3.port)) as connection:
            connection.sendall(request[:length])
    assert s3.take_requests()[0] == []
    assert s3.objects(BUCKET) == {"a": Stored(b"a")}
