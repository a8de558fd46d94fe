"""Both clients against a server of a few lines."""

import asyncio
import json
import os
import re
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO

import pytest
import trustme
from botocore.awsrequest import AWSPreparedRequest
from memory_store import make_config

from aggregator.errors import BadSourceError
from aggregator.s3 import open_store
from aggregator.s3.endpoint import address_of
from aggregator.s3.sdk import SdkStore
from aggregator.store import AttemptError, Body, Listed, Page, Store, Tagged
from aggregator.tuning.chunk_buffer import ChunkBuffer

LISTING = """<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">
<IsTruncated>true</IsTruncated><EncodingType>url</EncodingType>
<NextContinuationToken>next</NextContinuationToken>
<Contents><Key>p/a+b%2B%2525%0A%E6%97%A5</Key><Size>7</Size>
<LastModified>2024-02-08T00:00:00.000Z</LastModified></Contents>
<CommonPrefixes><Prefix>p/%F0%9F%98%80/</Prefix></CommonPrefixes></ListBucketResult>"""
FAULT = "<Error><Code>{}</Code><Message>m</Message></Error>"


class Handler(BaseHTTPRequestHandler):
    """Answers by what the path contains, and notes the request."""

    protocol_version = "HTTP/1.1"
    seen: list[tuple[str, dict[str, str]]]

    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_GET(self) -> None:
        self.rfile.read(int(self.headers.get("content-length", 0)))
        self.seen.append((self.path, {k.lower(): v for k, v in self.headers.items()}))
        status, body, length, location = 200, b"\x1f\x8bbody", None, None
        if "other" in self.path:
            body = b"<Other/>"
        elif "list-type" in self.path:
            body = LISTING.encode()
        elif "short" in self.path:
            length = 99
        elif "credentials" in self.path:
            expiration = f"{datetime.now(UTC) + timedelta(minutes=5):%Y-%m-%dT%H:%M:%SZ}"
            keys = {"AccessKeyId": f"key{len(self.seen)}", "SecretAccessKey": "s", "Token": "t"}
            body = json.dumps({**keys, "Expiration": expiration}).encode()
        elif "NoSuch" in self.path:
            status, body = 404, FAULT.format(self.path.rpartition("/")[2]).encode()
        elif "Precondition" in self.path:
            status, body = 412, FAULT.format("PreconditionFailed").encode()
        elif "InvalidObjectState" in self.path:
            status, body = 403, FAULT.format("InvalidObjectState").encode()
        elif "Redirect" in self.path:
            status, body = 301, FAULT.format("PermanentRedirect").encode()
            location = "/bucket/elsewhere"
        elif "failing-copy" in self.path:
            body = FAULT.format("InternalError").encode()
        elif self.command != "GET":
            body = b"<CopyObjectResult><ETag>e</ETag></CopyObjectResult>"
        self.send_response(status)
        self.send_header("Content-Encoding", "gzip")
        if location:
            self.send_header("Location", location)
        if "untagged" not in self.path:
            self.send_header("ETag", '"tag"')
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        self.wfile.write(body)
        self.close_connection = length is not None

    do_PUT = do_GET  # noqa: N815  # the base class has these names
    do_DELETE = do_GET  # noqa: N815


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Handler]]:
    class Noting(Handler):
        seen = []  # noqa: RUF012  # one list per test

    with ThreadingHTTPServer(("127.0.0.1", 0), Noting) as http:
        threading.Thread(target=http.serve_forever, args=(0.01,), daemon=True).start()
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", f"http://127.0.0.1:{http.server_address[1]}")
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
        yield Noting
        http.shutdown()


class Blocking:
    """A store whose calls are made one after the other, each in an event loop of its own."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def list_page(self, bucket: str, prefix: str, delimiter: str, token: str | None) -> Page:
        return asyncio.run(self.store.list_page(bucket, prefix, delimiter, token))

    def get(self, bucket: str, key: str, limit: int) -> bytes:
        return asyncio.run(self.store.get(bucket, key, limit))

    def put(self, bucket: str, key: str, body: Body, content_type: str) -> None:
        asyncio.run(self.store.put(bucket, key, body, content_type))

    def get_tagged(self, bucket: str, key: str, limit: int) -> Tagged | None:
        return asyncio.run(self.store.get_tagged(bucket, key, limit))

    def put_if(self, bucket: str, key: str, body: Body, etag: str | None) -> str | None:
        return asyncio.run(self.store.put_if(bucket, key, body, "application/json", etag))

    def delete_if(self, bucket: str, key: str, etag: str) -> None:
        asyncio.run(self.store.delete_if(bucket, key, etag))

    def copy(self, bucket: str, from_key: str, to_key: str) -> None:
        asyncio.run(self.store.copy(bucket, from_key, to_key))

    def delete(self, bucket: str, key: str) -> None:
        asyncio.run(self.store.delete(bucket, key))


@pytest.fixture(params=["sdk", "light"])
def client(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def store(server: type[Handler], client: str) -> Iterator[Blocking]:
    with opened(client) as store:
        yield store


@contextmanager
def opened(client: str, **settings: str) -> Iterator[Blocking]:
    endpoint = {"AWS_ENDPOINT_URL_S3": os.environ["AWS_ENDPOINT_URL_S3"]}
    store = open_store(make_config(S3_CLIENT=client, **endpoint | settings))
    yield Blocking(store)
    if isinstance(store, SdkStore):
        store._close_idle()


def test_keys_arrive_as_they_are(server: type[Handler], store: Blocking) -> None:
    assert store.get("bucket", "a/../b//c d+%41é\n/./", 99) == b"\x1f\x8bbody"  # not inflated
    assert server.seen[0][0] == "/bucket/a/../b//c%20d%2B%2541%C3%A9%0A/./"
    store.copy("bucket", "from +é\n", "to")
    assert server.seen[1][1]["x-amz-copy-source"] == "bucket/from%20%2B%C3%A9%0A"


def test_listing_is_decoded(server: type[Handler], store: Blocking) -> None:
    page = store.list_page("bucket", "p/", "/", "token+1")
    assert page == Page([Listed("p/a b+%25\n日", 7)], ["p/😀/"], "next")
    path = server.seen[0][0]
    for part in ("prefix=p%2F", "delimiter=%2F", "encoding-type=url", "token=token%2B1"):
        assert part in path


def test_put_has_its_type_and_no_encoding(server: type[Handler], store: Blocking) -> None:
    store.put("bucket", "key", BytesIO(b"body"), "application/gzip")
    headers = server.seen[0][1]
    assert headers["content-type"] == "application/gzip"
    assert "content-encoding" not in headers
    store.delete("bucket", "key")


def test_each_attempt_sends_the_whole_body(server: type[Handler], store: Blocking) -> None:
    body = ChunkBuffer()
    body.append(b"body")
    for _ in range(2):
        store.put("bucket", "key", body, "application/gzip")
    assert [headers["content-length"] for _, headers in server.seen] == ["4", "4"]
    hashes = [headers["x-amz-content-sha256"] for _, headers in server.seen]
    assert hashes == [sha256(b"body").hexdigest()] * 2


def test_faults(store: Blocking) -> None:
    with pytest.raises(BadSourceError, match="MISSING"):
        store.get("bucket", "NoSuchKey", 99)
    with pytest.raises(AttemptError, match="404 NoSuchBucket") as caught:
        store.get("bucket", "NoSuchBucket", 99)
    assert not caught.value.again
    with pytest.raises(BadSourceError, match="TOO_LARGE"):
        store.get("bucket", "key", 5)
    with pytest.raises(BadSourceError, match="ARCHIVED"):
        store.get("bucket", "InvalidObjectState", 99)
    with pytest.raises(AttemptError, match="404 NoSuchKey"):
        store.copy("bucket", "from", "NoSuchKey")
    for attempt in (
        lambda: store.get("bucket", "short", 99),
        lambda: store.copy("bucket", "from", "failing-copy"),  # 200 with an error in it
        lambda: store.copy("bucket", "from", "other"),
        lambda: store.list_page("bucket", "other/", "", None),
    ):
        with pytest.raises(AttemptError) as caught:
            attempt()
        assert caught.value.again


def test_writes_on_a_condition(server: type[Handler], store: Blocking) -> None:
    assert store.put_if("bucket", "key", BytesIO(b"body"), None) == '"tag"'
    assert store.put_if("bucket", "key", BytesIO(b"body"), '"old"') == '"tag"'
    store.delete_if("bucket", "key", '"old"')
    conditions = [
        {name: value for name, value in headers.items() if name.startswith("if-")}
        for _, headers in server.seen
    ]
    assert conditions == [{"if-none-match": "*"}, {"if-match": '"old"'}, {"if-match": '"old"'}]
    for refused in ("Precondition", "NoSuchKey"):
        assert store.put_if("bucket", refused, BytesIO(b"body"), '"old"') is None
        store.delete_if("bucket", refused, '"old"')
    with pytest.raises(AttemptError, match="404 NoSuchBucket"):
        store.put_if("bucket", "NoSuchBucket", BytesIO(b"body"), None)
    with pytest.raises(AttemptError, match="404 NoSuchBucket"):
        store.delete_if("bucket", "NoSuchBucket", '"old"')


def test_an_object_with_its_etag(store: Blocking) -> None:
    assert store.get_tagged("bucket", "key", 6) == (b"\x1f\x8bbody", '"tag"')
    assert store.get_tagged("bucket", "key", 5) == (b"", '"tag"')
    assert store.get_tagged("bucket", "NoSuchKey", 99) is None
    for attempt in (
        lambda: store.get_tagged("bucket", "untagged", 99),
        lambda: store.put_if("bucket", "untagged", BytesIO(b"body"), None),
    ):
        with pytest.raises(AttemptError, match="without") as caught:
            attempt()
        assert caught.value.again


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("<IsTruncated>true</IsTruncated>", ""),
        ("<NextContinuationToken>next</NextContinuationToken>", ""),
        ("<Size>7</Size>", ""),
        ("<Size>7</Size>", "<Size>-7</Size>"),
        ("<Size>7</Size>", "<Size>seven</Size>"),
        ("<Size>7</Size>", f"<Size>{2**53 + 1}</Size>"),
        ("<Key>p/", "<Key>q/"),
        ("<Key>p/a+b%2B%2525%0A%E6%97%A5</Key>", ""),
        ("<Prefix>p/", "<Prefix>q/"),
    ],
)
def test_what_is_no_page_fails(
    server: type[Handler], store: Blocking, monkeypatch: pytest.MonkeyPatch, old: str, new: str
) -> None:
    assert LISTING.count(old) == 1
    monkeypatch.setattr(sys.modules[__name__], "LISTING", LISTING.replace(old, new))
    with pytest.raises(AttemptError) as caught:
        store.list_page("bucket", "p/", "/", None)
    assert caught.value.again


def test_keys_are_as_they_are_unless_the_answer_says_so(
    server: type[Handler], store: Blocking, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw = LISTING.replace("<EncodingType>url</EncodingType>", "")
    monkeypatch.setattr(sys.modules[__name__], "LISTING", raw)
    page = store.list_page("bucket", "p/", "/", None)
    assert page.objects == [Listed("p/a+b%2B%2525%0A%E6%97%A5", 7)]
    assert page.prefixes == ["p/%F0%9F%98%80/"]


def test_container_credentials_are_renewed(
    server: type[Handler], client: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    endpoint = os.environ["AWS_ENDPOINT_URL_S3"]
    monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"{endpoint}/credentials")
    monkeypatch.setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN", "secret")
    monkeypatch.setenv("AWS_PROFILE", "is-no-source-of-credentials")
    monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "")
    with opened(client) as store:
        assert server.seen == []  # a fault of theirs belongs to an attempt
        store.get("bucket", "key", 99)
        time.sleep(1)  # light asks once a second
        store.get("bucket", "key", 99)
    asked = [headers for path, headers in server.seen if "credentials" in path]
    assert asked[0]["authorization"] == "secret"
    assert len(asked) == 2  # what is left of five minutes is too little
    assert f"Credential=key{len(server.seen) - 1}/" in server.seen[-1][1]["authorization"]
    assert server.seen[-1][1]["x-amz-security-token"] == "t"


@pytest.mark.parametrize(
    ("path", "cause"),
    [(None, "NoCredentials"), ("NoSuchKey", "404"), ("object", "decode"), ("credentials", "host")],
)
def test_credentials_that_fail_are_a_failed_attempt(
    server: type[Handler],
    client: str,
    monkeypatch: pytest.MonkeyPatch,
    path: str | None,
    cause: str,
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "")  # half a pair is none
    if path:
        endpoint = os.environ["AWS_ENDPOINT_URL_S3"]
        url = (
            f"{endpoint.replace('127.0.0.1', '192.0.2.1') if cause == 'host' else endpoint}/{path}"
        )
        monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", url)
    with opened(client) as store, pytest.raises(AttemptError, match=cause) as caught:
        store.get("bucket", "key", 99)
    assert caught.value.again
    assert len(server.seen) == (1 if path and cause != "host" else 0)


def test_redirects_are_not_followed(server: type[Handler], store: Blocking) -> None:
    with pytest.raises(AttemptError, match="301 PermanentRedirect") as caught:
        store.get("bucket", "PermanentRedirect", 99)
    assert not caught.value.again
    assert len(server.seen) == 1


def test_a_certificate_of_an_unknown_authority_is_refused(
    client: str, server: type[Handler]
) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    with ThreadingHTTPServer(("127.0.0.1", 0), server) as https:
        https.handle_error = lambda *_: None  # type: ignore[method-assign]  # who refuses hangs up
        https.socket = context.wrap_socket(https.socket, server_side=True)
        threading.Thread(target=https.serve_forever, args=(0.01,), daemon=True).start()
        endpoint = f"https://127.0.0.1:{https.server_address[1]}"
        with opened(client, AWS_ENDPOINT_URL_S3=endpoint) as store, pytest.raises(AttemptError):
            store.get("bucket", "key", 99)
        https.shutdown()
    assert server.seen == []


@pytest.mark.parametrize(
    "endpoint", ["http://a..b", "http://[:::]", "http://[::99999]", "http://-"]
)
def test_malformed_hosts_fail_an_attempt(server: type[Handler], client: str, endpoint: str) -> None:
    settings = {"AWS_ENDPOINT_URL_S3": endpoint}
    with opened(client, **settings) as store, pytest.raises(AttemptError) as caught:
        store.get("bucket", "key", 99)
    assert caught.value.again


def refuse_to_send(request: AWSPreparedRequest, **_: object) -> None:
    raise ConnectionRefusedError(request.url)


@pytest.mark.parametrize(
    ("region", "host"),
    [
        ("cn-north-1", "s3.cn-north-1.amazonaws.com.cn"),
        ("eusc-de-east-1", "s3.eusc-de-east-1.amazonaws.eu"),
        ("us-gov-west-1", "s3.us-gov-west-1.amazonaws.com"),
        ("eu-central-1", "s3.eu-central-1.amazonaws.com"),
    ],
)
def test_each_partition_has_its_hosts(
    monkeypatch: pytest.MonkeyPatch, region: str, host: str
) -> None:
    urls = {
        "bucket": f"https://bucket.{host}/key",
        "dotted.bucket": f"https://{host}/dotted.bucket/key",
    }
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    with opened("sdk", AWS_REGION=region) as store:
        assert isinstance(store.store, SdkStore)
        client = store.store._client("bucket")
        client.meta.events.register("before-send.s3", refuse_to_send)
        for bucket, url in urls.items():
            with pytest.raises(AttemptError, match=f" {re.escape(url)}$"):
                store.get(bucket, "key", 99)
    for bucket, url in urls.items():
        address = address_of(make_config(AWS_REGION=region), bucket)
        assert (address.secure, address.port) == (True, 443)
        assert f"https://{address.authority}{address.root}/key" == url
        assert address.host == address.authority


@pytest.mark.parametrize(
    ("client", "absent"),
    [("light", {"boto3", "botocore", "urllib3"}), ("sdk", {"aggregator.s3.light"})],
)
def test_only_the_client_in_use_is_loaded(client: str, absent: set[str]) -> None:
    env = {
        "SRC_BUCKET": "source",
        "DST_BUCKET": "destination",
        "AWS_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "S3_CLIENT": client,
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    program = (
        "import sys; from aggregator.handler import prepare; prepare();"
        "print(*filter(sys.modules.get, sys.modules))"
    )
    command = [sys.executable, "-c", program]
    ran = subprocess.run(command, env=env, capture_output=True, text=True, check=True)  # noqa: S603
    loaded = set(ran.stdout.split())
    assert f"aggregator.s3.{client}" in loaded
    assert not loaded & absent
