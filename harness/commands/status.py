"""``status``: list the days that are published, by their manifests."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from harness.commands.arguments import add_copy, add_export, add_range, add_stack, as_json, range_of
from harness.commands.exits import DIFFERENT, OK
from harness.commands.output_files import reserved, write_each
from harness.model import UsageError

if TYPE_CHECKING:
    from harness.commands.arguments import Commands
    from harness.targets.interface import Target


def add_parser(commands: Commands) -> None:
    parser = commands.add_parser(
        "status",
        help="list the days that are published",
        description="Read the manifest and the claim of each day of a range, and list the days as "
        "published, busy, missing or broken. Name a deployed stack, or a folder.",
    )
    add_copy(parser)
    parser.add_argument("--by-account", action="store_true", help="print a line for each account")
    parser.add_argument(
        "--archived",
        action="store_true",
        help="count archived sources of days that are missing or have bad sources; it lists them",
    )
    add_export(parser)
    add_stack(parser, required=False)
    add_range(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace, _: Target) -> int:
    """Exit code 0: all days are published; 1: a day is not."""
    with reserved([arguments.export_json]):
        return _status(arguments)


def _status(arguments: argparse.Namespace) -> int:
    from harness.operate.backfill import days_between, list_accounts
    from harness.operate.sources import source_counter
    from harness.operate.status import (
        describe,
        from_bucket,
        from_folder,
        read_status,
        with_archived,
    )
    from harness.targets.aws.session import open_clients
    from harness.targets.aws.stack import read_stack

    days = days_between(*range_of(arguments))
    accounts: list[str | None] = [None]
    counter = None
    if arguments.destination is not None:
        if arguments.stack is not None:
            raise UsageError("--destination and --stack exclude each other: name one of them")
        if arguments.archived:
            raise UsageError("--archived needs --stack: a copy has no sources")
        if not arguments.destination.is_dir():
            raise UsageError(f"{arguments.destination} is not a folder")
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
        if arguments.archived:
            counter = source_counter(clients, stack)
    else:
        raise UsageError("status needs --stack NAME or --destination DIR")
    found = read_status(read, prefix, days, accounts)
    if counter is not None:
        found = with_archived(found, counter)
    print(*describe(found), sep="\n")
    exported = {"schema": 1, "days": [each.to_json() for each in found]}
    file = arguments.export_json
    code = write_each([] if file is None else [(file, lambda: as_json(exported))])
    return code or (OK if all(each.published for each in found) else DIFFERENT)
