"""``compact``: make Parquet of published days."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING

from harness.commands.arguments import add_athena, add_copy, add_range, add_stack, range_of
from harness.commands.exits import DIFFERENT, OK
from harness.model import UsageError

if TYPE_CHECKING:
    from harness.commands.arguments import Commands
    from harness.compact.state import Done
    from harness.targets.interface import Target


def add_parser(commands: Commands) -> None:
    parser = commands.add_parser(
        "compact",
        help="make Parquet of published days",
        description="Make Parquet of the chunks of each day of a range, check it against the "
        "manifest and the chunks, and let readers see it. Days that have not changed since are "
        "left out. Name a deployed stack, where Athena does the work, or a folder, where a local "
        "Trino does.",
    )
    add_copy(parser)
    parser.add_argument(
        "--by-account", action="store_true", help="compact the days that were queued by account"
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="print the state of each day and change nothing"
    )
    add_athena(parser)
    add_stack(parser, required=False)
    add_range(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace, _: Target) -> int:
    """Exit code 0: all days are compacted; 1: a day was left as it is."""
    from harness.compact.compact import Compactor, look_at
    from harness.compact.destination import of_folder, of_stack
    from harness.compact.statements import columns_of_athena_sql
    from harness.operate.backfill import days_between
    from harness.terminal import progress_on

    days = days_between(*range_of(arguments))
    if (arguments.stack is None) == (arguments.destination is None):
        raise UsageError("compact needs --stack NAME or --destination DIR, and one of them only")
    with progress_on(sys.stderr) as progress, ExitStack() as opened:
        if arguments.destination is None:
            place = of_stack(
                arguments.stack,
                arguments.region,
                progress,
                workgroup=arguments.workgroup,
                output=arguments.output,
                database=arguments.database,
            )
        else:
            local = of_folder(arguments.destination, arguments.prefix, progress)
            place = opened.enter_context(local)
        parts = place.parts(days, by_account=arguments.by_account)
        if arguments.dry_run:
            return _print(look_at(place.store, parts))
        columns = columns_of_athena_sql()
        return _print(Compactor(place.store, place.open_engine, columns, progress).compact(parts))


def _print(each_done: Iterable[Done]) -> int:
    from harness.compact.state import State

    found = Counter[State]()
    left: list[Done] = []  # days in a row with the same reason
    for done in each_done:
        found[done.state] += 1
        if left and (done.reason, done.part.account) != (left[0].reason, left[0].part.account):
            print(_left(left), flush=True)
            left.clear()
        if done.state is State.LEFT:
            left.append(done)
        elif done.state is not State.CURRENT:
            print(_line(done), flush=True)
    if left:
        print(_left(left))
    print(", ".join(f"{count:,} {state}" for state, count in found.items()))
    return DIFFERENT if found[State.LEFT] else OK


def _left(days: Sequence[Done]) -> str:
    first, last = days[0], days[-1]
    until = "" if len(days) == 1 else f" to {last.part.day}"
    return f"{first.state:9} {first.part}{until}: {first.reason}"


def _line(done: Done) -> str:
    files = f"{done.files:,} {'file' if done.files == 1 else 'files'}"
    made = f" in {files}, {done.size_bytes / 1e6:,.1f} MB" if done.files else ""
    return f"{done.state:9} {done.part}: {done.records:,} records{made}"
