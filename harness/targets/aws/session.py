"""Clients for AWS, and messages with a remedy for its errors."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    EndpointConnectionError,
    NoCredentialsError,
    NoRegionError,
    ProfileNotFound,
    WaiterError,
)

from harness.model import HarnessError, NotReady, UsageError

#: The most requests to S3 in flight.
S3_AT_ONCE = 32
_LOGIN = "log in again (`aws sso login`, `aws configure`) or set AWS_PROFILE"
_EXPIRED = {
    *("ExpiredToken", "ExpiredTokenException", "InvalidClientTokenId", "RequestExpired"),
    *("UnrecognizedClientException", "InvalidAccessKeyId", "SignatureDoesNotMatch"),
}
_DENIED = {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "Forbidden", "403"}
_THROTTLED = {
    *("TooManyRequestsException", "Throttling", "ThrottlingException", "SlowDown"),
    *("RequestLimitExceeded", "RequestThrottled", "EC2ThrottledException"),
}
_ELSEWHERE = {"PermanentRedirect", "AuthorizationHeaderMalformed", "IllegalLocationConstraint"}
_BUSY = {"ResourceConflictException", "ResourceInUseException"}
_PATIENT = Config(retries={"mode": "standard", "total_max_attempts": 6})


@dataclass(frozen=True, slots=True)
class Clients:
    """One client for each service, all in ``region``. ``invoker`` never repeats an invocation."""

    region: str
    athena: Any
    cloudformation: Any
    functions: Any
    invoker: Any
    s3: Any
    sqs: Any
    sts: Any


def open_clients(region: str | None = None) -> Clients:
    """Make clients by boto3's rules for credentials and region, without a request to AWS.

    Raises ``UsageError`` without a region, ``NotReady`` without credentials.
    """
    with _session(region) as session:
        # A function may run for 15 minutes, and a repeated invocation costs twice. A NAT gateway
        # forgets a connection that is silent for 350 s, so the kernel has to keep it alive.
        once = Config(read_timeout=930, retries={"total_max_attempts": 1}, tcp_keepalive=True)
        return Clients(
            session.client("sts").meta.region_name,
            session.client("athena", config=_PATIENT),
            session.client("cloudformation", config=_PATIENT),
            session.client("lambda", config=_PATIENT),
            session.client("lambda", config=once),
            session.client("s3", config=_PATIENT.merge(Config(max_pool_connections=S3_AT_ONCE))),
            session.client("sqs", config=_PATIENT),
            session.client("sts", config=_PATIENT),
        )


def open_services(region: str | None, names: Iterable[str]) -> dict[str, Any]:
    """Clients of other services, by the same rules: name -> client."""
    with _session(region) as session:
        make: Any = session.client  # its types know fixed names only
        return {each: make(each, config=_PATIENT) for each in names}


@contextmanager
def _session(region: str | None) -> Iterator[boto3.Session]:
    try:
        session = boto3.Session(region_name=region)
        if session.get_credentials() is None:
            raise NotReady(f"no AWS credentials were found: {_LOGIN}")
        yield session
    except NoRegionError as error:
        raise UsageError("no AWS region: give --region, or set AWS_DEFAULT_REGION") from error
    except ProfileNotFound as error:
        remedy = "set AWS_PROFILE to one that `aws configure list-profiles` lists"
        raise NotReady(f"{error}: {remedy}") from error


@contextmanager
def explained(action: str, thing: str) -> Iterator[None]:
    """Turn AWS's errors into messages with a remedy.

    ``action`` is the IAM action of the request, such as ``lambda:InvokeFunction``.
    """
    try:
        yield
    except ClientError as error:
        raise _explain(error, action, thing) from error
    except NoCredentialsError as error:
        raise NotReady(f"no AWS credentials were found: {_LOGIN}") from error
    except EndpointConnectionError as error:
        raise NotReady(f"{error}: check the network and the name of the region") from error
    except WaiterError as error:
        if "Error" in (answer := error.last_response):  # a request of the waiter was refused
            raise _explain(ClientError(answer, action), action, thing) from error
        raise HarnessError(f"{thing} did not become ready: {error}") from error
    except BotoCoreError as error:
        raise HarnessError(f"{thing}: {error}") from error


def code_of(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


def _explain(error: ClientError, action: str, thing: str) -> HarnessError:
    code = code_of(error)
    said = error.response.get("Error", {}).get("Message", "")
    if code in _EXPIRED:
        return NotReady(f"AWS refuses the credentials ({code}): {_LOGIN}")
    if code in _DENIED:
        return HarnessError(f"{thing}: not allowed: give yourself {action} on it ({said})")
    if code in _THROTTLED:
        return HarnessError(
            f"{thing}: throttled at {action}: try again in a minute, or ask AWS for a higher "
            f"quota ({said})"
        )
    if code in _ELSEWHERE:
        return UsageError(
            f"{thing} is in another region: stack and bucket need the same region; name it with "
            f"--region ({said})"
        )
    if code in _BUSY:
        return HarnessError(f"{thing} is being changed by another process: wait for it ({said})")
    if code == "ResourceNotFoundException":
        return HarnessError(f"{thing} does not exist: deploy the stack again ({said})")
    if code in ("NoSuchBucket", "404"):
        return UsageError(f"{thing} does not exist: deploy the stack with an existing bucket")
    return HarnessError(f"{thing}: {action}: {code}: {said}")
