"""``backfill``: queue days of the past for a deployed stack."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from harness.commands.arguments import add_range, add_stack, positive, range_of
from harness.commands.exits import DIFFERENT, OK
from harness.model import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.commands.arguments import Commands
    from harness.operate.ledger import Task
    from harness.targets.aws.session import Clients
    from harness.targets.aws.stack import Stack
    from harness.targets.interface import Target

_HOURS_PER_DAY = 24
_LONGEST_MINUTES = 15  # Lambda's time-out


def add_parser(commands: Commands) -> None:
    parser = commands.add_parser(
        "backfill",
        help="queue days of the past for a deployed stack",
        description="Estimate time and cost, send one message for each day of a range to the "
        "queue of a deployed stack, and wait until all are done. A second call continues after an "
        "interruption. With --dry-run it only estimates.",
    )
    parser.add_argument(
        "--by-account", action="store_true", help="send a message per account and day"
    )
    parser.add_argument(
        "--force", action="store_true", help="publish in spite of bad sources (SPEC T4)"
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="print the messages and send nothing"
    )
    parser.add_argument("--no-wait", action="store_true", help="end when the last message is sent")
    parser.add_argument(
        "--most-queued",
        type=positive,
        metavar="N",
        help="most messages in the queue; default: as many as the stack surely ends in a day",
    )
    parser.add_argument(
        "--ledger",
        type=Path,
        metavar="FILE",
        help="the file that records sent messages; default in .build/aws",
    )
    add_stack(parser, required=True)
    add_range(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace, _: Target) -> int:
    """Exit code 0: no message failed; 1: dead letters are left."""
    from harness.operate.backfill import Backfill, days_between, depth, list_accounts, tasks_for
    from harness.operate.ledger import open_ledger
    from harness.operate.messages import day_queue
    from harness.operate.redrive import list_all
    from harness.targets.aws.session import open_clients
    from harness.targets.aws.stack import read_stack
    from harness.terminal import progress_on
    from harness.toolchain.paths import ROOT

    days = days_between(*range_of(arguments))
    clients = open_clients(arguments.region)
    stack = read_stack(clients, arguments.stack)
    queue, dead_letters = day_queue(stack), stack.output("DeadLetterQueueUrl")
    if stack.output("ActiveLanguage") == "none" and not arguments.dry_run:
        raise UsageError(
            f"stack {stack.name} has no active language, so no function would take the messages: "
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
    if left:
        print(*_estimated(clients, stack, left), sep="\n")
    else:
        print("nothing is left to send; to send these days again, name another --ledger")
    if arguments.dry_run:
        print(*left, sep="\n")
        return OK
    with progress_on(sys.stderr) as progress:
        run = Backfill(clients, queue, ledger, most, progress)
        sent = run.send(tasks)
        if not arguments.no_wait:
            run.wait_until_empty()
    print(f"{sent:,} sent")
    failed = depth(clients, dead_letters).all
    if failed:
        print(f"{failed:,} failed for good:", *list_all(clients, dead_letters), sep="\n")
        print(
            "the functions' logs name the causes; to try again: "
            f"python -m harness redrive --stack {stack.name}"
        )
    return DIFFERENT if failed else OK


def _estimated(clients: Clients, stack: Stack, tasks: Sequence[Task]) -> list[str]:
    """The lines of the estimate. A backfill without one is better than none."""
    from harness.model import HarnessError
    from harness.operate.backfill_estimate import estimate
    from harness.operate.sources import source_counter

    try:
        found = estimate(tasks, source_counter(clients, stack), stack.parameters)
    except HarnessError as error:
        return [f"no estimate: {error}"]
    return [*found.lines()]
