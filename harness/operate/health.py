"""Checks whether a deployed stack can be used from here, and names remedies. It only reads."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from harness.model import Finding, HarnessError, Implementation
from harness.operate.backfill import depth
from harness.operate.messages import day_queue
from harness.targets.aws.deployed import read_deployed
from harness.targets.aws.session import Clients, explained, open_clients
from harness.targets.aws.stack import Stack, read_stack

_SEE = "see the message"


def check_stack(
    name: str, region: str | None, template: Sequence[Implementation]
) -> Iterator[Finding]:
    """Check credentials, region, stack, functions, buckets and queues, as far as possible."""
    try:
        clients = open_clients(region)
        with explained("sts:GetCallerIdentity", "credentials"):
            who = clients.sts.get_caller_identity()
    except HarnessError as error:
        yield _failed("credentials", error)
        return
    yield Finding("credentials", True, f"{who['Arn']} in {clients.region}")
    try:
        stack = read_stack(clients, name)
    except HarnessError as error:
        yield _failed("stack", error)
        return
    yield Finding("stack", True, f"{stack.name}: {stack.status}, {stack.architecture}")
    if stack.has_tasks:
        yield from _buckets(clients, stack)
        detail = f"python -m harness preflight --stack {stack.name} checks what they need"
        yield Finding("tasks", True, detail)
        return
    try:
        found = read_deployed(clients, stack, template)
        names = ", ".join(each.implementation.language for each in found)
        yield Finding("functions", True, f"{names}: the alias has the settings of $LATEST")
    except HarnessError as error:
        yield _failed("functions", error)
    yield from _buckets(clients, stack)
    yield _concurrency(clients, stack)
    for output in ("QueueUrl", "DeadLetterQueueUrl", "ScheduleDeadLetterQueueUrl"):
        yield _queue(clients, stack, output)


def _buckets(clients: Clients, stack: Stack) -> Iterator[Finding]:
    for output in ("SourceBucket", "DestinationBucket"):
        yield _bucket(clients, stack, output)
    yield from _destination(clients, stack)


def _bucket(clients: Clients, stack: Stack, output: str) -> Finding:
    try:
        bucket = stack.output(output)
        with explained("s3:ListBucket", f"bucket {bucket}"):
            answer = clients.s3.head_bucket(Bucket=bucket)
        where = answer.get("BucketRegion", stack.region)
    except HarnessError as error:
        return _failed(output, error)
    if where != stack.region:
        remedy = "deploy the stack in the bucket's region, or choose another bucket"
        detail = f"{bucket} is in {where}, the stack in {stack.region}"
        return Finding(output, False, detail, remedy)
    return Finding(output, True, f"{bucket} can be reached")


def _destination(clients: Clients, stack: Stack) -> Iterator[Finding]:
    """Whether the destination bucket keeps the objects that a run deletes or replaces."""
    bucket = stack.outputs.get("DestinationBucket", "")
    if _asked(clients.s3.get_bucket_versioning, bucket).get("Status") == "Enabled":
        lifecycle = _asked(clients.s3.get_bucket_lifecycle_configuration, bucket)
        yield _old_versions(lifecycle, stack.outputs.get("DestinationPrefix", ""))
    lock = _asked(clients.s3.get_object_lock_configuration, bucket)
    rule = lock.get("ObjectLockConfiguration", {}).get("Rule", {})
    if retention := rule.get("DefaultRetention"):
        detail = f"it keeps each chunk that a run deletes or replaces: {retention}"
        remedy = "runs work, but what they replace is paid for: take a bucket without retention"
        yield Finding("object lock", False, detail, remedy)


def _old_versions(lifecycle: Mapping[str, Any], prefix: str) -> Finding:
    rules = [each for each in lifecycle.get("Rules", ()) if each["Status"] == "Enabled"]
    if any("NoncurrentVersionExpiration" in each and _covers(each, prefix) for each in rules):
        return Finding("versions", True, "a rule of the destination bucket deletes old versions")
    detail = "hidden chunks, claims and fixtures stay as old versions in the destination bucket"
    remedy = f"give it a lifecycle rule with NoncurrentVersionExpiration for {prefix or 'all'}"
    return Finding("versions", False, detail, remedy)


def _covers(rule: Mapping[str, Any], prefix: str) -> bool:
    """Whether the rule is for each object below the prefix. Tags and sizes would leave some out."""
    chosen = rule.get("Filter", {"Prefix": rule.get("Prefix", "")})
    return chosen.keys() <= {"Prefix"} and prefix.startswith(chosen.get("Prefix", ""))


def _asked(request: Callable[..., Mapping[str, Any]], bucket: str) -> Mapping[str, Any]:
    """The bucket's configuration; empty if it has none, or if you may not read it."""
    try:
        return request(Bucket=bucket)
    except (ClientError, BotoCoreError):
        return {}


def _concurrency(clients: Clients, stack: Stack) -> Finding:
    name = "concurrency"
    try:
        with explained("lambda:GetAccountSettings", "the account"):
            limit = clients.functions.get_account_settings()["AccountLimit"]
    except HarnessError as error:
        return _failed(name, error)
    free = int(limit["UnreservedConcurrentExecutions"])
    most = int(stack.parameters.get("MaximumConcurrency", "2"))
    detail = f"{free:,} functions may run at a time, MaximumConcurrency is {most:,}"
    if free < most:
        remedy = "lower MaximumConcurrency, or ask AWS for a higher quota of concurrent executions"
        return Finding(name, False, detail, remedy)
    return Finding(name, True, detail)


def _queue(clients: Clients, stack: Stack, output: str) -> Finding:
    try:
        queue = day_queue(stack) if output == "QueueUrl" else stack.output(output)
        found = depth(clients, queue)
    except HarnessError as error:
        return _failed(output, error)
    if output != "QueueUrl" and found.all:
        remedy = f"python -m harness redrive --stack {stack.name} --dry-run lists them"
        return Finding(output, False, f"{found.all:,} dead letters", remedy)
    return Finding(output, True, f"{found.waiting:,} waiting, {found.in_flight:,} in flight")


def _failed(name: str, error: HarnessError) -> Finding:
    detail, _, remedy = str(error).partition(": ")
    return Finding(name, False, detail, remedy or _SEE)
