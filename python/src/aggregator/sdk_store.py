"""Part of step store: the client ``sdk``, boto3 with its own retries and redirects off.

Holds connections for as long as the sandbox lives.
"""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import boto3
import botocore.session
from botocore.config import Config as ClientConfig
from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError
from botocore.utils import is_valid_endpoint_url, is_valid_ipv6_endpoint_url
from urllib3.exceptions import HTTPError

from aggregator.attempts import Attempt, AttemptError
from aggregator.config import Config
from aggregator.container_credentials import LambdaCredentials
from aggregator.errors import BadSourceError
from aggregator.store import Body, Listed, Page, refusal

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_NOWHERE = "http://malformed-endpoint.invalid"  # a name that no resolver knows (RFC 6761)


class SdkStore:
    """AWS's SDK; safe to share between threads."""

    def __init__(self, config: Config) -> None:
        session = botocore.session.Session({"profile": (None, None, None, None)})
        session.register_component("credential_provider", LambdaCredentials(os.environ))
        # No time and no wordy user agent is needed: they cost a fifth of the CPU of a GET.
        parsers = session.get_component("response_parser_factory")
        parsers.set_parser_defaults(timestamp_parser=str)
        self._client: S3Client = boto3.Session(botocore_session=session).client(
            "s3",
            region_name=config.region,
            endpoint_url=_endpoint(config.endpoint),
            config=ClientConfig(
                user_agent="aggregator",
                signature_version="s3v4",
                max_pool_connections=config.concurrency,
                retries={"total_max_attempts": 1},
                connect_timeout=3,
                read_timeout=10,
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
                parameter_validation=False,
            ),
        )
        self._client.meta.events.register("before-call.s3", _stay_in_region)

    def list_page(self, bucket: str, prefix: str, delimiter: str, token: str | None) -> Page:
        request: dict[str, Any] = {"Bucket": bucket, "Prefix": prefix}
        if delimiter:
            request["Delimiter"] = delimiter
        if token is not None:
            request["ContinuationToken"] = token
        with _one_attempt():
            # The SDK asks for encoding-type=url by itself and decodes keys and prefixes (L4).
            answer = self._client.list_objects_v2(**request)
        _require(answer, "IsTruncated")
        return Page(
            [Listed(found["Key"], found["Size"]) for found in answer.get("Contents", ())],
            [found["Prefix"] for found in answer.get("CommonPrefixes", ())],
            answer["NextContinuationToken"] if answer["IsTruncated"] else None,
        )

    def get(self, bucket: str, key: str, limit: int) -> bytes:
        with _one_attempt():
            try:
                answer = self._client.get_object(Bucket=bucket, Key=key)
            except self._client.exceptions.NoSuchKey:
                raise BadSourceError("MISSING") from None
            if answer["ContentLength"] > limit:
                answer["Body"].close()
                raise BadSourceError("TOO_LARGE")
            return answer["Body"].read()  # raises when shorter than its Content-Length

    def begin_get(
        self, bucket: str, key: str, limit: int, done: Callable[[Attempt[bytes]], None]
    ) -> bool:
        return False

    def put(self, bucket: str, key: str, body: Body, content_type: str) -> None:
        body.seek(0)
        with _one_attempt():
            stream: Any = body  # the SDK's types know some streams only
            self._client.put_object(Bucket=bucket, Key=key, Body=stream, ContentType=content_type)

    def copy(self, bucket: str, from_key: str, to_key: str) -> None:
        with _one_attempt():
            answer = self._client.copy_object(
                Bucket=bucket, Key=to_key, CopySource={"Bucket": bucket, "Key": from_key}
            )
        _require(answer.get("CopyObjectResult", {}), "ETag")

    def delete(self, bucket: str, key: str) -> None:
        with _one_attempt():
            self._client.delete_object(Bucket=bucket, Key=key)


def _endpoint(allowed: str | None) -> str | None:
    """The SDK refuses to make a client for some hosts of S10; a request to one has to fail (E5)."""
    if allowed is None:
        return None
    try:
        known = is_valid_endpoint_url(allowed) or is_valid_ipv6_endpoint_url(allowed)
    except ValueError:  # brackets without an address
        known = False
    return allowed if known else _NOWHERE


def _stay_in_region(params: dict[str, Any], **_: object) -> None:
    """Or the SDK answers a redirect with requests of its own, in search of the right region."""
    params["context"]["s3_redirect"]["redirected"] = True


def _require(result: Mapping[str, Any], member: str) -> None:
    """The SDK takes any XML for a result: an empty page would end the listing."""
    if member not in result:
        raise AttemptError(f"200 without {member}", again=True)


@contextmanager
def _one_attempt() -> Iterator[None]:
    try:
        yield
    except ClientError as error:
        status = error.response["ResponseMetadata"]["HTTPStatusCode"]
        raise refusal(status, error.response["Error"]["Code"]) from error
    except (BotoCoreError, ResponseParserError, HTTPError) as error:
        raise AttemptError(f"{type(error).__name__}: {error}", again=True) from error
