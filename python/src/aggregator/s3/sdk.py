"""The client ``sdk``: boto3 by its documented options, its blocking calls in a pool of threads.

Workarounds, because no option does this:

- S21: the session's table of variables has its columns for the environment and files emptied, and
  what botocore reads beside it is removed from the environment.
- E9: no option limits a connection's idle time, so all idle ones are closed every 5 s, and after
  a failure.
- L8: no option limits a page, so a page that is too large fails only when it has been read.
- S16: ``LambdaCredentials`` in place of botocore's chain of credential providers, which looks in
  files and at instance metadata, too, takes half a pair of keys for an error, and repeats.
- E5, no redirect is followed: an event handler says that a redirect was already followed, or the
  SDK makes requests of its own, in search of the bucket's region.
- E5, S10: an endpoint that the SDK refuses is replaced, so that requests to it fail.
- E5: the SDK takes any XML for a result, so the member that each result has is looked for.
- E5: the SDK takes headers that break off for whole ones; ``whole_heads.py`` does not.
- W14: over TLS the SDK sends a checksum behind the body, in chunks, so it gets one to send before.
"""

import asyncio
import os
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING, Any

import boto3
import botocore.session
from botocore.awsrequest import AWSHTTPConnection, AWSHTTPSConnection
from botocore.config import Config as ClientConfig
from botocore.exceptions import ClientError

from aggregator.config import Config
from aggregator.errors import BadSourceError, end_if_out_of_memory
from aggregator.s3.checksum import checksum_of
from aggregator.s3.container_credentials import LambdaCredentials
from aggregator.s3.endpoint import Address, address_of
from aggregator.s3.whole_heads import WholeHead
from aggregator.store import (
    PAGE_LIMIT,
    AttemptError,
    Body,
    Listed,
    Page,
    Tagged,
    is_archived,
    is_missing,
    is_unmet,
    refusal,
    whole_page,
)

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_PART = 1 << 20
_IDLE_S = 5
_READ_BESIDE_THE_SESSION = (
    "BOTOCORE_EXPERIMENTAL__PLUGINS",
    "BOTO_EXPERIMENTAL__ADD_PROXY_HOST_HEADER",
    "BOTO_EXPERIMENTAL__NO_EMPTY_CONTINUE",
)
_NOWHERE = "http://malformed-endpoint.invalid"  # a name that no resolver knows (RFC 6761)


class SdkStore:
    """One thread for each request in flight, also for those that a failed run left (P1)."""

    def __init__(self, config: Config) -> None:
        for connection in (AWSHTTPConnection, AWSHTTPSConnection):
            connection.response_class = WholeHead  # type: ignore[assignment]
        self._threads = ThreadPoolExecutor(config.concurrency)
        self._config = config
        self._closed_at = time.monotonic()
        buckets = config.src_bucket, config.dst_bucket
        proxies = {address_of(config, bucket).proxy for bucket in buckets}
        self._clients = {proxy: _open_client(config, proxy) for proxy in proxies}

    async def list_page(self, bucket: str, prefix: str, delimiter: str, token: str | None) -> Page:
        request: dict[str, Any] = {"Bucket": bucket, "Prefix": prefix}
        if delimiter:
            request["Delimiter"] = delimiter
        if token is not None:
            request["ContinuationToken"] = token
        # The SDK asks for encoding-type=url by itself and decodes keys and prefixes (L4).
        answer = await self._call(self._client(bucket).list_objects_v2, **request)
        return whole_page(
            prefix,
            [
                Listed(found.get("Key", ""), found.get("Size", -1))
                for found in answer.get("Contents", ())
            ],
            [found.get("Prefix", "") for found in answer.get("CommonPrefixes", ())],
            answer.get("NextContinuationToken"),
            truncated=_required(answer, "IsTruncated"),
        )

    async def get(self, bucket: str, key: str, limit: int) -> bytes:
        return await self._call(_read, self._client(bucket), bucket, key, limit)

    async def get_tagged(self, bucket: str, key: str, limit: int) -> Tagged | None:
        return await self._call(_read_tagged, self._client(bucket), bucket, key, limit)

    async def put(self, bucket: str, key: str, body: Body, content_type: str) -> None:
        request = _put_request(bucket, key, body, content_type)
        await self._call(self._client(bucket).put_object, **request)

    async def put_if(
        self, bucket: str, key: str, body: Body, content_type: str, etag: str | None
    ) -> str | None:
        request = _put_request(bucket, key, body, content_type)
        condition = {"IfNoneMatch": "*"} if etag is None else {"IfMatch": etag}
        put = self._client(bucket).put_object
        answer = await self._call(_unless_unmet, put, **request, **condition)
        return None if answer is None else _required(answer, "ETag")

    async def copy(self, bucket: str, from_key: str, to_key: str) -> None:
        source = {"Bucket": bucket, "Key": from_key}
        request = {"Bucket": bucket, "Key": to_key, "CopySource": source}
        answer = await self._call(self._client(bucket).copy_object, **request)
        _required(answer.get("CopyObjectResult", {}), "ETag")

    async def delete(self, bucket: str, key: str) -> None:
        await self._call(self._client(bucket).delete_object, Bucket=bucket, Key=key)

    async def delete_if(self, bucket: str, key: str, etag: str) -> None:
        request = {"Bucket": bucket, "Key": key, "IfMatch": etag}
        await self._call(_unless_unmet, self._client(bucket).delete_object, **request)

    def _client(self, bucket: str) -> "S3Client":
        """A client all of whose idle connections are young (E9)."""
        if time.monotonic() - self._closed_at > _IDLE_S:
            self._close_idle()
        return self._clients[address_of(self._config, bucket).proxy]

    def _close_idle(self) -> None:
        """Those in flight are closed at their end; the clients open new ones."""
        self._closed_at = time.monotonic()
        for client in self._clients.values():
            client.close()

    async def _call[T](self, call: Callable[..., T], *args: object, **request: object) -> T:
        """One blocking call in a thread; its exceptions become one kind of failure."""
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._threads, partial(call, *args, **request))
        except (AttemptError, BadSourceError):
            raise
        except ClientError as error:
            raise refusal(*_status_and_code(error)) from error
        except Exception as error:  # of botocore, urllib3, http.client, or in reading an answer
            end_if_out_of_memory(error)
            self._close_idle()
            raise AttemptError(f"{type(error).__name__}: {error}", again=True) from error


def _put_request(bucket: str, key: str, body: Body, content_type: str) -> dict[str, Any]:
    # By itself the SDK sends the checksum of a stream behind it, in chunks (W14).
    checksum = checksum_of(body)
    return {
        "Bucket": bucket,
        "Key": key,
        "Body": body,
        "ContentType": content_type,
        "ChecksumCRC32": checksum,
    }


def _read(client: "S3Client", bucket: str, key: str, limit: int) -> bytes:
    try:
        answer = client.get_object(Bucket=bucket, Key=key)
    except ClientError as error:
        if is_missing(*_status_and_code(error)):
            raise BadSourceError("MISSING") from None
        if is_archived(*_status_and_code(error)):
            raise BadSourceError("ARCHIVED") from None
        raise
    body = _read_body(answer, limit)
    if len(body) > limit:
        raise BadSourceError("TOO_LARGE")
    return body


def _read_tagged(client: "S3Client", bucket: str, key: str, limit: int) -> Tagged | None:
    try:
        answer = client.get_object(Bucket=bucket, Key=key)
    except ClientError as error:
        if is_missing(*_status_and_code(error)):
            return None
        raise
    body = _read_body(answer, limit)
    return Tagged(b"" if len(body) > limit else body, _required(answer, "ETag"))


def _read_body(answer: Mapping[str, Any], limit: int) -> bytes:
    """All of an answer's body; one byte too many, or more, if it is larger than ``limit``."""
    parts: list[bytes] = []
    room = limit
    with closing(answer["Body"]) as body:
        for part in body.iter_chunks(_PART):  # the last one raises if the body is not whole
            parts.append(part)
            room -= len(part)
            if room < 0:
                break
    return b"".join(parts)


def _unless_unmet[T](call: Callable[..., T], **request: object) -> T | None:
    """The answer to a write on a condition, or ``None`` if the condition does not hold."""
    try:
        return call(**request)
    except ClientError as error:
        if is_unmet(*_status_and_code(error)):
            return None
        raise


def _status_and_code(error: ClientError) -> tuple[int, str]:
    return error.response["ResponseMetadata"]["HTTPStatusCode"], error.response["Error"]["Code"]


def _open_client(config: Config, proxy: Address | None) -> "S3Client":
    try:
        client = _client(config, config.endpoint, proxy)
    except ValueError:  # a host of S10 that the SDK refuses
        client = _client(config, _NOWHERE, proxy)
    client.meta.events.register("before-call.s3", _stay_in_region)
    client.meta.events.register("before-parse.s3.ListObjectsV2", _refuse_large_page)
    return client


def _client(config: Config, endpoint: str | None, proxy: Address | None) -> "S3Client":
    return _session().client(
        "s3",
        region_name=config.region,
        endpoint_url=endpoint,
        verify=config.ca_bundle or True,
        config=ClientConfig(
            max_pool_connections=config.concurrency,
            retries={"total_max_attempts": 1, "mode": "standard"},
            connect_timeout=3,
            read_timeout=10,
            response_checksum_validation="when_required",
            ignore_configured_endpoint_urls=True,  # type: ignore[call-arg]  # missing in the stub
            proxies={"https": f"http://{proxy.authority}"} if proxy else {},
            s3={"us_east_1_regional_endpoint": "regional"},
        ),
    )


def _session() -> boto3.Session:
    """A session whose variables have their defaults, whatever the environment and files say."""
    for name in _READ_BESIDE_THE_SESSION:
        os.environ.pop(name, None)
    variables = {
        name: (None, None, default, conversion)
        for name, (_, _, default, conversion) in botocore.session.Session.SESSION_VARIABLES.items()
    }
    for name in ("config_file", "credentials_file"):
        variables[name] = (None, None, os.devnull, None)
    session = botocore.session.Session(variables)
    session.register_component("credential_provider", LambdaCredentials(os.environ))
    return boto3.Session(botocore_session=session)


def _refuse_large_page(response_dict: dict[str, Any], **_: object) -> None:
    if len(response_dict["body"]) > PAGE_LIMIT:
        raise AttemptError("larger than a page", again=True)


def _stay_in_region(params: dict[str, Any], **_: object) -> None:
    params["context"]["s3_redirect"]["redirected"] = True


def _required(result: Mapping[str, Any], member: str) -> Any:
    if member not in result:
        raise AttemptError(f"200 without {member}", again=True)
    return result[member]
