"""``verify``: run the vectors on the implementations."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from harness.commands.arguments import add_choice
from harness.commands.exits import DIFFERENT, NOT_READY, OK
from harness.model import UsageError

if TYPE_CHECKING:
    from harness.commands.arguments import Commands
    from harness.targets.interface import Target


def add_parser(commands: Commands) -> None:
    parser = commands.add_parser(
        "verify",
        help="check the implementations by the test vectors",
        description="Run the test vectors of the contract on the implementations, and print "
        "every difference.",
    )
    parser.add_argument(
        "--case", default="*", metavar="GLOB", help="run only vectors whose id matches"
    )
    parser.add_argument(
        "--vectors", type=Path, metavar="DIR", help="read the vectors from another folder"
    )
    add_choice(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace, target: Target) -> int:
    from harness.build.choice import by_client, choose, choose_clients
    from harness.terminal import progress_on
    from harness.verify.vectors.cases import VECTORS, load_cases
    from harness.verify.vectors.conformance import conformance, describe

    cases = load_cases(arguments.vectors or VECTORS, arguments.case)
    if not cases:
        raise UsageError(f"no vector has an id that matches {arguments.case}")
    chosen = choose(target.load(), arguments.languages)
    each_client = choose_clients(chosen, arguments.clients)
    unfit = {each.language for each in chosen if not all(f.ok for f in target.check(each))}
    lacking = {each.name for each in each_client if each.language in unfit}
    with progress_on(sys.stderr) as progress:
        built = by_client(each_client, target.build(chosen, progress))
        all_done = list(conformance(built, cases, progress))
    for done in all_done:
        print("\n".join(describe(done)))
    # if all tools are there, a failed build or start is a fault of the implementation
    if any(done.failed or (done.not_ready and done.name not in lacking) for done in all_done):
        return DIFFERENT
    return NOT_READY if any(done.not_ready for done in all_done) else OK
