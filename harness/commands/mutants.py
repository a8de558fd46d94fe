"""``mutants``: check that the vectors find faults in faulty implementations."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from harness.commands.arguments import add_languages, positive
from harness.commands.exits import DIFFERENT, OK

if TYPE_CHECKING:
    from harness.commands.arguments import Commands
    from harness.targets.interface import Target


def add_parser(commands: Commands) -> None:
    parser = commands.add_parser(
        "mutants",
        help="check that the vectors find faults",
        description="Put one fault at a time into a copy of an implementation, and run its tests "
        "and the vectors on it. The check passes if every such mutant fails one of them.",
    )
    add_languages(parser)
    parser.add_argument(
        "--sample", type=positive, metavar="N", help="run only N mutants, chosen at random"
    )
    parser.add_argument(
        "--seed", type=int, default=1, metavar="S", help="seed of the sample; default 1"
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace, _: Target) -> int:
    from random import Random

    from harness.verify.mutants import Fate, describe, load_mutants, run_mutants

    mutants = load_mutants(arguments.languages)
    if arguments.sample is not None:
        mutants = Random(arguments.seed).sample(mutants, min(arguments.sample, len(mutants)))
    fates = []
    for outcome in run_mutants(mutants):
        print(describe(outcome), flush=True)
        fates.append(outcome.fate)
    killed = fates.count(Fate.KILLED)
    print(f"{killed} of {len(fates)} killed")
    return OK if killed == len(fates) else DIFFERENT
