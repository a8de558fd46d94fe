"""``disturb``: disturb the implementations on purpose, and count the broken promises."""

from __future__ import annotations

import argparse
import os
import sys
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING

from harness.commands.arguments import add_choice, count, names, positive
from harness.commands.exits import DIFFERENT, OK

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from harness.commands.arguments import Commands
    from harness.model import Artefact
    from harness.targets.interface import Target
    from harness.terminal import Progress
    from harness.verify.disturb.trials import Kind, Outcome

    type Outcomes = Mapping[str, Mapping[str, Sequence[Outcome]]]


def add_parser(commands: Commands) -> None:
    parser = commands.add_parser(
        "disturb",
        help="disturb the implementations on purpose, and count",
        description="Kill runs, start several at once, break off S3's answers, send hostile "
        "bodies. Print how many trials of each fault broke a promise of SPEC.md, for each client.",
    )
    parser.add_argument(
        "--kinds", type=names, default=(), metavar="A,B", help="only these faults; default: all"
    )
    parser.add_argument(
        "--trials",
        type=positive,
        metavar="N",
        help="trials of each fault; default: as docs/harness.md lists them",
    )
    parser.add_argument(
        "--seed", type=count, default=0, metavar="S", help="begin with this seed; default 0"
    )
    parser.add_argument(
        "--jobs",
        type=positive,
        metavar="N",
        help="faults at a time; default: two for each core",
    )
    add_choice(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace, target: Target) -> int:
    from harness.build.choice import by_client, choose, choose_clients
    from harness.model import Artefact, NotReady
    from harness.terminal import progress_on

    kinds = _choose_kinds(arguments.kinds)
    chosen = choose(target.load(), arguments.languages)
    each_client = choose_clients(chosen, arguments.clients)
    with progress_on(sys.stderr) as progress:
        made = by_client(each_client, target.build(chosen, progress))
        artefacts = {name: each for name, each in made.items() if isinstance(each, Artefact)}
        if missing := [f"{name}: {each}" for name, each in made.items() if name not in artefacts]:
            raise NotReady("\n".join(missing))
        found = _run_all(arguments, kinds, artefacts, progress)
    print(_table(found))
    broken = _broken(found)
    for line in broken:
        print(f"\n{line}")
    return DIFFERENT if broken else OK


def _choose_kinds(asked: Sequence[str]) -> list[Kind]:
    from harness.model import UsageError
    from harness.verify.disturb.kinds import KINDS

    known = [kind.name for kind in KINDS]
    if unknown := [name for name in asked if name not in known]:
        raise UsageError(f"unknown kind {', '.join(unknown)}; known are {', '.join(known)}")
    return [kind for kind in KINDS if not asked or kind.name in asked]


def _run_all(
    arguments: argparse.Namespace,
    kinds: Sequence[Kind],
    artefacts: Mapping[str, Artefact],
    progress: Progress,
) -> Outcomes:
    """kind -> client -> the outcomes."""
    from harness.verify.disturb.trials import run_trials

    over = threading.Event()

    def one(kind: Kind, name: str, artefact: Artefact) -> Sequence[Outcome]:
        progress(f"{name}: {kind.name}")
        trials = arguments.trials or kind.trials
        return run_trials(kind, artefact, trials, arguments.seed, lambda: not over.is_set())

    # two for each core, because most trials wait more than they work
    threads = ThreadPoolExecutor(arguments.jobs or 2 * len(os.sched_getaffinity(0)))
    try:
        running: dict[str, dict[str, Future[Sequence[Outcome]]]] = {
            kind.name: {
                name: threads.submit(one, kind, name, artefact)
                for name, artefact in artefacts.items()
            }
            for kind in kinds
        }
        return {
            kind: {name: future.result() for name, future in clients.items()}
            for kind, clients in running.items()
        }
    finally:
        over.set()
        # after Ctrl-C the sandboxes are killed, which ends the trials that still run
        threads.shutdown(wait=False, cancel_futures=True)


def _table(found: Outcomes) -> str:
    from tabulate import tabulate

    from harness.verify.disturb.kinds import KINDS

    rows = []
    for kind, clients in found.items():
        cells = {
            name: f"{sum(bool(each.problems) for each in outcomes)} of {len(outcomes)}"
            for name, outcomes in clients.items()
        }
        rows.append({"fault": kind, **cells})
    faults = "\n".join(f"{k.name}: {k.about}" for k in KINDS if k.name in found)
    table = tabulate(rows, headers="keys", disable_numparse=True)
    return f"Trials that broke a promise of SPEC.md, of all trials:\n\n{table}\n\n{faults}"


def _broken(found: Outcomes) -> list[str]:
    """Each broken promise, and how to break it again."""
    lines = []
    for kind, clients in found.items():
        for name, outcomes in clients.items():
            language, client = name.split(" ")
            for outcome in outcomes:
                if outcome.problems:
                    again = (
                        f"python -m harness disturb --languages {language} --clients {client} "
                        f"--kinds {kind} --seed {outcome.seed} --trials 1"
                    )
                    what = "\n  ".join(outcome.problems)
                    lines.append(f"{name}, {kind}: {outcome.note}\n  {what}\n  {again}")
    return lines
