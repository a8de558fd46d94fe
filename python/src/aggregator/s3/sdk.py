"""The client ``sdk``: boto3 by its documented options, its blocking calls in a pool of threads.

Workarounds, because no option does this:

- S16: ``LambdaCredentials`` in place of botocore's chain of credential providers, which looks in
  files and at instance metadata, too, takes half a pair of keys for an error, and repeats.
- E5, no redirect is followed: an event handler says that a redirect was already followed, or the
  SDK makes requests of its own, in search of the bucket's region.
- E5, S10: an endpoint that the SDK refuses is replaced, so that requests to it fail.
- E5: the SDK takes any XML for a result, so the member that each result has is looked for.
- E5: the SDK takes headers that break off for whole ones; ``whole_heads.py`` does not.
"""

import asyncio
import os
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
from aggregator.errors import BadSourceError
from aggregator.s3.container_credentials import LambdaCredentials
from aggregator.s3.whole_heads import WholeHead
from aggregator.store import (
    AttemptError,
    Body,
    Listed,
    Page,
    Tagged,
    is_unmet,
    refusal,
    whole_page,
)

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_PART = 1 << 20
_NOWHERE = "http://malformed-endpoint.invalid"  # a name that no resolver knows (RFC 6761)


class SdkStore:
    """One thread for each request in flight, also for those that a failed run left (P1)."""

    def __init__(self, config: Config) -> None:
        for connection in (AWSHTTPConnection, AWSHTTPSConnection):
            connection.response_class = WholeHead  # type: ignore[assignment]
        self._threads = ThreadPoolExecutor(config.concurrency)
        try:
            self._client = _client(config, config.endpoint)
        except ValueError:  # a host of S10 that the SDK refuses
            self._client = _client(config, _NOWHERE)

    async def list_page(self, bucket: str, prefix: str, delimiter: str, token: str | None) -> Page:
        request: dict[str, Any] = {"Bucket": bucket, "Prefix": prefix}
        if delimiter:
            request["Delimiter"] = delimiter
        if token is not None:
            request["ContinuationToken"] = token
        # The SDK asks for encoding-type=url by itself and decodes keys and prefixes (L4).
        answer = await self._call(self._client.list_objects_v2, **request)
        return whole_page(
            prefix,
            [Listed(found["Key"], found.get("Size", -1)) for found in answer.get("Contents", ())],
            [found["Prefix"] for found in answer.get("CommonPrefixes", ())],
            answer.get("NextContinuationToken"),
            truncated=_required(answer, "IsTruncated"),
        )

    async def get(self, bucket: str, key: str, limit: int) -> bytes:
        return await self._call(self._read, bucket, key, limit)

    async def get_tagged(self, bucket: str, key: str, limit: int) -> Tagged | None:
        return await self._call(self._read_tagged, bucket, key, limit)

    async def put(self, bucket: str, key: str, body: Body, content_type: str) -> None:
        body.seek(0)
        request = {"Bucket": bucket, "Key": key, "Body": body, "ContentType": content_type}
        await self._call(self._client.put_object, **request)

    async def put_if(
        self, bucket: str, key: str, body: Body, content_type: str, etag: str | None
    ) -> str | None:
        body.seek(0)
        request = {"Bucket": bucket, "Key": key, "Body": body, "ContentType": content_type}
        condition = {"IfNoneMatch": "*"} if etag is None else {"IfMatch": etag}
        answer = await self._call(_unless_unmet, self._client.put_object, **request, **condition)
        return None if answer is None else _required(answer, "ETag")

    async def copy(self, bucket: str, from_key: str, to_key: str) -> None:
        source = {"Bucket": bucket, "Key": from_key}
        request = {"Bucket": bucket, "Key": to_key, "CopySource": source}
        answer = await self._call(self._client.copy_object, **request)
        _required(answer.get("CopyObjectResult", {}), "ETag")

    async def delete(self, bucket: str, key: str) -> None:
        await self._call(self._client.delete_object, Bucket=bucket, Key=key)

    async def delete_if(self, bucket: str, key: str, etag: str) -> None:
        request = {"Bucket": bucket, "Key": key, "IfMatch": etag}
        await self._call(_unless_unmet, self._client.delete_object, **request)

    def _read(self, bucket: str, key: str, limit: int) -> bytes:
        try:
            answer = self._client.get_object(Bucket=bucket, Key=key)
        except self._client.exceptions.NoSuchKey:
            raise BadSourceError("MISSING") from None
        except self._client.exceptions.InvalidObjectState:
            raise BadSourceError("ARCHIVED") from None
        body = _read_body(answer, limit)
        if len(body) > limit:
            raise BadSourceError("TOO_LARGE")
        return body

    def _read_tagged(self, bucket: str, key: str, limit: int) -> Tagged | None:
        try:
            answer = self._client.get_object(Bucket=bucket, Key=key)
        except self._client.exceptions.NoSuchKey:
            return None
        return Tagged(_read_body(answer, limit), _required(answer, "ETag"))

    async def _call[T](self, call: Callable[..., T], *args: object, **request: object) -> T:
        """One blocking call in a thread; its exceptions become one kind of failure."""
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._threads, partial(call, *args, **request))
        except (AttemptError, BadSourceError, MemoryError):
            raise
        except ClientError as error:
            raise refusal(*_status_and_code(error)) from error
        except Exception as error:  # of botocore, urllib3, http.client, or in reading an answer
            raise AttemptError(f"{type(error).__name__}: {error}", again=True) from error


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


def _client(config: Config, endpoint: str | None) -> "S3Client":
    session = botocore.session.Session({"profile": (None, None, None, None)})
    session.register_component("credential_provider", LambdaCredentials(os.environ))
    client = boto3.Session(botocore_session=session).client(
        "s3",
        region_name=config.region,
        endpoint_url=endpoint,
        config=ClientConfig(
            max_pool_connections=config.concurrency,
            retries={"total_max_attempts": 1},
            connect_timeout=3,
            read_timeout=10,
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
        ),
    )
    client.meta.events.register("before-call.s3", _stay_in_region)
    return client


def _stay_in_region(params: dict[str, Any], **_: object) -> None:
    params["context"]["s3_redirect"]["redirected"] = True


def _required(result: Mapping[str, Any], member: str) -> Any:
    if member not in result:
        raise AttemptError(f"200 without {member}", again=True)
    return result[member]
