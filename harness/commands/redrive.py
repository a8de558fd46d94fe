"""``redrive``: put dead letters back into the queue."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from harness.commands.arguments import add_stack
from harness.commands.exits import DIFFERENT, OK
from harness.model import UsageError

if TYPE_CHECKING:
    from harness.commands.arguments import Commands
    from harness.targets.interface import Target


def add_parser(commands: Commands) -> None:
    parser = commands.add_parser(
        "redrive",
        help="put the messages of failed days back into the queue",
        description="Put every message of a deployed stack's two dead-letter queues back into its "
        "queue, so that the failed days run again.",
    )
    parser.add_argument("--dry-run", action="store_true", help="list the messages and move nothing")
    parser.add_argument(
        "--force", action="store_true", help="publish in spite of bad sources (SPEC T4)"
    )
    parser.add_argument(
        "--from-queue",
        metavar="URL",
        help="another queue to empty, in place of the dead-letter queues",
    )
    add_stack(parser, required=True)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace, _: Target) -> int:
    """Exit code 0: every message names a day; 1: one does not, and stays in its place."""
    from harness.operate.messages import day_queue
    from harness.operate.redrive import dead_letter_queues, list_all, look, redrive
    from harness.targets.aws.session import open_clients
    from harness.targets.aws.stack import read_stack

    clients = open_clients(arguments.region)
    stack = read_stack(clients, arguments.stack)
    queue = day_queue(stack)
    if arguments.from_queue == queue:
        raise UsageError("--from-queue names the queue of the stack itself: name another queue")
    sources = [arguments.from_queue] if arguments.from_queue else dead_letter_queues(stack)
    counts = {True: 0, False: 0}  # by "names a day"
    for source in sources:
        for letter in (list_all if arguments.dry_run else look)(clients, source):
            counts[letter.task is not None] += 1
            print(letter if letter.task is not None else f"names no day: {letter}")
            if letter.task is not None and not arguments.dry_run:
                redrive(clients, letter, queue, force=arguments.force)
    print(f"{counts[True]:,} {'can be put back' if arguments.dry_run else 'put back'}")
    if counts[False]:
        print(f"{counts[False]:,} left in place: delete those that name no day by hand")
    return DIFFERENT if counts[False] else OK
