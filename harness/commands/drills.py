"""``drills``: run one day several times at once, in orders that a seed decides."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from harness.commands.arguments import add_choice, positive
from harness.commands.exits import DIFFERENT, OK

if TYPE_CHECKING:
    from harness.commands.arguments import Commands
    from harness.model import Artefact
    from harness.targets.interface import Target
    from harness.verify.protocol.trials import Outcome

#: The title of a column, the number of runs, and whether one of them is killed.
_DRILLS = (("two runs", 2, False), ("two, one killed", 2, True), ("three runs", 3, False))


def add_parser(commands: Commands) -> None:
    parser = commands.add_parser(
        "drills",
        help="run one day several times at once",
        description="Start several runs of one day. The scripted S3 holds each request, and lets "
        "one go at a time, in an order that a seed decides. Print how many trials lost or doubled "
        "a record, or left a wrong manifest.",
    )
    parser.add_argument(
        "--seeds",
        type=positive,
        default=25,
        metavar="N",
        help="try N orders of each kind; default 25",
    )
    add_choice(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace, target: Target) -> int:
    from tabulate import tabulate

    from harness.build.choice import by_client, choose, choose_clients
    from harness.model import Artefact, NotReady
    from harness.terminal import progress_on

    chosen = choose(target.load(), arguments.languages)
    each_client = choose_clients(chosen, arguments.clients)
    rows, broken = [], []
    with progress_on(sys.stderr) as progress:
        made = by_client(each_client, target.build(chosen, progress))
        for name, artefact in made.items():
            if not isinstance(artefact, Artefact):
                raise NotReady(f"{name}: {artefact}")
            row = {"client": name}
            for title, runs, kill in _DRILLS:
                progress(f"{name}: {title}")
                outcomes = _outcomes(artefact, runs, arguments.seeds, kill=kill)
                faulty = [outcome for outcome in outcomes if outcome.problems]
                row[title] = f"{len(faulty)} of {len(outcomes)}"
                broken += [f"{name}, {title}: {outcome}" for outcome in faulty]
            rows.append(row)
    print("Trials that broke a promise of SPEC.md:\n")
    print(tabulate(rows, headers="keys"))
    for line in broken:
        print(line, file=sys.stderr)
    return DIFFERENT if broken else OK


def _outcomes(artefact: Artefact, runs: int, seeds: int, *, kill: bool) -> list[Outcome]:
    from harness.verify.protocol.trials import CHANGES, Trials

    with Trials(artefact, runs) as trials:
        return [trials.run(seed, change, kill=kill) for seed in range(seeds) for change in CHANGES]
