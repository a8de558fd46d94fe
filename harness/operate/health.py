"""Checks whether a deployed stack can be used from here, and names remedies. It only reads."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

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
    try:
        found = read_deployed(clients, stack, template)
        names = ", ".join(each.implementation.language for each in found)
        yield Finding("functions", True, f"{names}: the alias has the settings of $LATEST")
    except HarnessError as error:
        yield _failed("functions", error)
    for output in ("SourceBucket", "DestinationBucket"):
        yield _bucket(clients, stack, output)
    for output in ("QueueUrl", "DeadLetterQueueUrl", "ScheduleDeadLetterQueueUrl"):
        yield _queue(clients, stack, output)


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
