"""``redrive``: put dead letters back into the queue."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from harness.commands.arguments import add_stack
from harness.commands.exits import OK

if TYPE_CHECKING:
    from harness.commands.arguments import Commands
    from harness.targets.interface import Target


def add_parser(commands: Commands) -> None:
    parser = commands.add_parser(
        "redrive",
        help="put the messages of failed days back into the queue",
        description="Put every message of a deployed stack's dead-letter queue back into its "
        "queue, so that the failed days run again.",
    )
    parser.add_argument("--dry-run", action="store_true", help="list the messages and move nothing")
    add_stack(parser, required=True)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace, _: Target) -> int:
    from harness.operate.redrive import look, redrive
    from harness.targets.aws.session import open_clients
    from harness.targets.aws.stack import read_stack

    clients = open_clients(arguments.region)
    stack = read_stack(clients, arguments.stack)
    queue, dead_letters = stack.output("QueueUrl"), stack.output("DeadLetterQueueUrl")
    count = 0
    for failed in look(clients, dead_letters):
        count += 1
        print(failed)
        if not arguments.dry_run:
            redrive(clients, failed, dead_letters, queue)
    print(f"{count:,} {'in the dead-letter queue' if arguments.dry_run else 'put back'}")
    return OK
