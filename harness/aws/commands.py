"""The commands that work on a deployed stack: backfill, redrive, status."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

from harness.files import require_writable, write
from harness.model import UsageError

_HOURS_PER_DAY = 24
_LONGEST_MINUTES = 15  # Lambda's time-out


def add_commands(commands: Any, day: Callable[[str], date], count: Callable[[str], int]) -> None:
    """Add the parsers; ``day`` and ``count`` parse a date and a positive number."""
    backfill = commands.add_parser("backfill", help="queue days of the past for the stack")
    backfill.add_argument("--by-account", action="store_true", help="a message per account and day")
    backfill.add_argument("--force", action="store_true", help="as the trigger's force (SPEC T4)")
    backfill.add_argument("--dry-run", action="store_true", help="say what would be queued")
    backfill.add_argument("--no-wait", action="store_true", help="end when the last one is sent")
    backfill.add_argument(
        "--most-queued", type=count, metavar="N", help="default: what a day takes at the worst"
    )
    backfill.add_argument("--ledger", type=Path, metavar="FILE", help="default .build/aws/...")
    redrive = commands.add_parser("redrive", help="put back what failed for good")
    redrive.add_argument("--dry-run", action="store_true", help="only show it")
    status = commands.add_parser("status", help="which days are published, by their manifests")
    status.add_argument(
        "--destination", type=Path, metavar="DIR", help="a copy of the destination, without AWS"
    )
    status.add_argument("--prefix", default="", help="DST_PREFIX, with --destination")
    status.add_argument("--by-account", action="store_true", help="of each account")
    status.add_argument("--export-json", type=Path, metavar="FILE")
    for command in (backfill, redrive, status):
        command.add_argument("--stack", metavar="NAME", required=command is not status)
        command.add_argument("--region", metavar="NAME", help="default: AWS's own rules")
    for command in (backfill, status):
        command.add_argument("--from", dest="first", type=day, metavar="YYYY-MM-DD", required=True)
        command.add_argument("--to", dest="last", type=day, metavar="YYYY-MM-DD", required=True)


def backfill(arguments: argparse.Namespace) -> int:
    """0 all taken and none failed, 1 some failed for good."""
    from harness.aws.backfill import Backfill, days_between, depth, list_accounts, tasks_for
    from harness.aws.ledger import open_ledger
    from harness.aws.redrive import look
    from harness.aws.session import open_clients
    from harness.aws.stack import read_stack
    from harness.terminal import progress_on
    from harness.toolchain import ROOT

    days = days_between(*_range(arguments))
    clients = open_clients(arguments.region)
    stack = read_stack(clients, arguments.stack)
    queue, dead_letters = stack.output("QueueUrl"), stack.output("DeadLetterQueueUrl")
    if stack.output("ActiveLanguage") == "none":
        raise UsageError(
            f"stack {stack.name} has no active language, so nobody would take the messages: "
            "deploy it with ActiveLanguage set"
        )
    accounts = list_accounts(clients, stack) if arguments.by_account else None
    tasks = tasks_for(days, accounts, force=arguments.force)
    name = f"{stack.region}-{stack.name}-backfill.jsonl"
    ledger = open_ledger(arguments.ledger or ROOT / ".build/aws" / name, queue)
    left = [task for task in tasks if task not in ledger.sent]
    concurrency = int(stack.parameters.get("MaximumConcurrency", "2"))
    most = arguments.most_queued or concurrency * _HOURS_PER_DAY * 60 // _LONGEST_MINUTES
    print(
        f"{len(tasks):,} messages, {len(tasks) - len(left):,} of them sent before by "
        f"{ledger.file}; at most {most:,} in the queue, {concurrency:,} at a time"
    )
    if arguments.dry_run:
        print(*left, sep="\n")
        return 0
    with progress_on(sys.stderr) as progress:
        run = Backfill(clients, queue, ledger, most, progress)
        sent = run.send(tasks)
        if not arguments.no_wait:
            run.wait_until_empty()
    print(f"{sent:,} sent")
    failed = depth(clients, dead_letters).all
    if failed:
        print(f"{failed:,} failed for good:", *look(clients, dead_letters), sep="\n")
        print(f"the log tells why; then: python -m harness redrive --stack {stack.name}")
    return 1 if failed else 0


def redrive(arguments: argparse.Namespace) -> int:
    from harness.aws.redrive import look
    from harness.aws.redrive import redrive as put_back
    from harness.aws.session import open_clients
    from harness.aws.stack import read_stack

    clients = open_clients(arguments.region)
    stack = read_stack(clients, arguments.stack)
    queue, dead_letters = stack.output("QueueUrl"), stack.output("DeadLetterQueueUrl")
    count = 0
    for failed in look(clients, dead_letters):
        count += 1
        print(failed)
        if not arguments.dry_run:
            put_back(clients, failed, dead_letters, queue)
    print(f"{count:,} {'in the dead-letter queue' if arguments.dry_run else 'put back'}")
    return 0


def status(arguments: argparse.Namespace) -> int:
    """0 all published, 1 some missing or broken."""
    from harness.aws.backfill import days_between, list_accounts
    from harness.aws.session import open_clients
    from harness.aws.stack import read_stack
    from harness.aws.status import describe, from_bucket, from_folder, read_status

    days = days_between(*_range(arguments))
    if arguments.export_json is not None:
        require_writable(arguments.export_json)
    accounts: list[str | None] = [None]
    if arguments.destination is not None:
        if arguments.stack is not None:
            raise UsageError("--destination needs no --stack")
        if not arguments.destination.is_dir():
            raise UsageError(f"{arguments.destination} is no folder")
        read, prefix = from_folder(arguments.destination), arguments.prefix
        if arguments.by_account:
            root = arguments.destination / prefix
            names = (each.name for each in root.iterdir() if each.is_dir())
            accounts = sorted(name for name in names if len(name) == 12 and name.isdecimal())
    elif arguments.stack is not None:
        clients = open_clients(arguments.region)
        stack = read_stack(clients, arguments.stack)
        read = from_bucket(clients, stack.output("DestinationBucket"))
        prefix = stack.outputs.get("DestinationPrefix", "")
        if arguments.by_account:
            accounts = [*list_accounts(clients, stack)]
    else:
        raise UsageError("status needs --stack NAME or --destination DIR")
    found = read_status(read, prefix, days, accounts)
    print(*describe(found), sep="\n")
    if arguments.export_json is not None:
        exported = {"schema": 1, "days": [each.to_json() for each in found]}
        write(arguments.export_json, json.dumps(exported, indent=2) + "\n")
    return 0 if all(each.published for each in found) else 1


def _range(arguments: argparse.Namespace) -> tuple[date, date]:
    if arguments.first > arguments.last:
        raise UsageError(f"--from {arguments.first} is after --to {arguments.last}")
    return arguments.first, arguments.last
