"""The local S3 server as boto3 and as the file system see it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
import psutil
import pytest
from botocore.exceptions import ClientError, SSLError
from cryptography import x509

from harness.compare.peers.trino_sandbox import S3Variables
from harness.model import UsageError
from harness.targets.local.authority import certify
from harness.targets.local.s3_access import open_s3
from harness.targets.local.s3server import S3Server
from harness.targets.local.store import serve

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


@pytest.fixture(scope="module")
def server() -> Iterator[S3Server]:
    with S3Server() as started:
        yield started


@pytest.fixture
def s3(server: S3Server) -> Iterator[S3Client]:
    client = connect(server, server.secret_key)
    yield client
    client.close()


def connect(server: S3Server, secret: str) -> S3Client:
    return boto3.client(
        "s3",
        endpoint_url=server.endpoint,
        aws_access_key_id=server.access_key,
        aws_secret_access_key=secret,
        region_name=server.env()["AWS_REGION"],
    )


def test_a_put_object_is_a_file_and_is_read_again(server: S3Server, s3: S3Client) -> None:
    server.bucket_path("put")

    s3.put_object(Bucket="put", Key="a/b c.gz", Body=b"\x1f\x8b", ContentType="application/gzip")
    got = s3.get_object(Bucket="put", Key="a/b c.gz")

    assert got["Body"].read() == b"\x1f\x8b"
    assert got["ContentType"] == "application/gzip"
    assert server.read_tree("put") == {"a/b c.gz": b"\x1f\x8b"}


def test_a_file_laid_down_is_an_object_with_its_headers(server: S3Server, s3: S3Client) -> None:
    server.put_file("laid", "x/y.json.gz", b"hello", content_encoding="gzip")
    server.put_file("laid", "x/z", b"")

    got = s3.get_object(Bucket="laid", Key="x/y.json.gz")

    assert got["Body"].read() == b"hello"
    assert got["ContentEncoding"] == "gzip"
    assert got["ETag"] == '"5d41402abc4b2a76b9719d911017c592"'
    assert "ContentEncoding" not in s3.get_object(Bucket="laid", Key="x/z")


def test_a_listing_is_paged_and_in_byte_order(server: S3Server, s3: S3Client) -> None:
    keys = [f"day/{number % 7}/{number:05}.json.gz" for number in range(1205)]
    for key in keys:
        server.put_file("many", key, b"x")

    pages = list(s3.get_paginator("list_objects_v2").paginate(Bucket="many", Prefix="day/"))

    assert [page["KeyCount"] for page in pages] == [1000, 205]
    assert [each["Key"] for page in pages for each in page["Contents"]] == sorted(keys)


def test_clear_empties_a_bucket_that_stays_writable(server: S3Server, s3: S3Client) -> None:
    server.put_file("clear", "a/b", b"1")
    s3.put_object(Bucket="clear", Key="c", Body=b"2")

    server.clear("clear")

    assert server.read_tree("clear") == {}
    s3.put_object(Bucket="clear", Key="c", Body=b"3")
    assert server.read_tree("clear") == {"c": b"3"}


def test_read_tree_takes_a_prefix(server: S3Server) -> None:
    for key in ("a/1", "ab/2", "b/3"):
        server.put_file("tree", key, key.encode())

    assert list(server.read_tree("tree", "a")) == ["a/1", "ab/2"]
    assert list(server.read_tree("tree", "a/")) == ["a/1"]


@pytest.mark.parametrize(
    "key", ["../out", "/out", "a//b", "a/../b", "file/below", "a\x1b", "\uffff", "long" * 64]
)
def test_a_key_that_would_not_come_back_is_refused(server: S3Server, key: str) -> None:
    server.put_file("plain", "file", b"")

    with pytest.raises(UsageError, match=r"can't (store|list)"):
        server.put_file("plain", key, b"")


def test_odd_keys_are_listed_as_they_are(server: S3Server, s3: S3Client) -> None:
    keys = ["a b", "a+b", "a%2Bb", "a&<b", "a\rb", "a\tb", "a\x7fb", "a\u2028b", "a\U0001ffffb"]
    for key in keys:
        server.put_file("odd", key, b"")

    listed = s3.list_objects_v2(Bucket="odd")["Contents"]

    assert [each["Key"] for each in listed] == sorted(keys)


def test_a_wrong_secret_is_refused(server: S3Server) -> None:
    client = connect(server, "wrong")

    with pytest.raises(ClientError, match="SignatureDoesNotMatch"):
        client.list_buckets()
    client.close()


def test_cpu_time_grows(server: S3Server, s3: S3Client) -> None:
    before = server.cpu_s()
    s3.list_buckets()
    after = server.cpu_s()

    assert before is not None
    assert after is not None
    assert after > before


def test_over_tls_only_the_runs_own_authority_is_trusted() -> None:
    with S3Server(tls=True) as server:
        bundle = server.ca_bundle
        assert bundle is not None
        assert server.env()["AWS_CA_BUNDLE"] == str(bundle)
        server.put_file("bucket", "k", b"v")
        with closing(open_s3(server)) as trusting, closing(connect(server, "x")) as doubting:
            assert trusting.get_object(Bucket="bucket", Key="k")["Body"].read() == b"v"
            with pytest.raises(SSLError, match="CERTIFICATE_VERIFY_FAILED"):
                doubting.list_buckets()
        assert b"PRIVATE" not in bundle.read_bytes()
    assert not bundle.parent.exists()


def test_a_certificate_is_short_lived_and_its_key_is_private(tmp_path: Path) -> None:
    made = certify(tmp_path)
    server, between = x509.load_pem_x509_certificates(made.chain.read_bytes())
    assert server.not_valid_after_utc - datetime.now(UTC) < timedelta(days=8)
    (root,) = x509.load_pem_x509_certificates(made.authority.read_bytes())
    server.verify_directly_issued_by(between)
    between.verify_directly_issued_by(root)
    assert made.key.stat().st_mode & 0o777 == 0o600
    assert {path.name for path in tmp_path.iterdir()} == {"authority.pem", "chain.pem", "key.pem"}


def test_two_servers_share_one_store() -> None:
    with serve(None, {False, True}) as store:
        store.put_file("bucket", "k", b"v")
        for tls in (False, True):
            env = store.env(tls=tls)
            with closing(open_s3(S3Variables(env))) as client:
                assert env["AWS_ENDPOINT_URL_S3"].startswith("https:" if tls else "http:")
                assert client.get_object(Bucket="bucket", Key="k")["Body"].read() == b"v"
                client.put_object(Bucket="bucket", Key=str(tls), Body=b"w")
        assert list(store.read_tree("bucket")) == ["False", "True", "k"]
        assert store.cpu_s()


def test_the_server_ends_and_a_given_folder_stays(tmp_path: Path) -> None:
    with S3Server(tmp_path / "data") as server:
        server.put_file("kept", "k", b"v")
        process = server._process
        assert process is not None

    assert not psutil.pid_exists(process.pid)
    assert (tmp_path / "data/kept/k").read_bytes() == b"v"
