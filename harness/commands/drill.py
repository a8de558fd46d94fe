"""``drill``: nights on a local AWS: what breaks, who notices, and what is lost."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from harness.commands.arguments import (
    add_export,
    add_languages,
    add_template,
    as_json,
    count,
    names,
)
from harness.commands.exits import DIFFERENT, OK
from harness.commands.output_files import reserved, write_each

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.commands.arguments import Commands
    from harness.drill.drill import Drill
    from harness.drill.fault import Fault
    from harness.model import Artefact, Implementation
    from harness.targets.interface import Target
    from harness.terminal import Progress


def add_parser(commands: Commands) -> None:
    parser = commands.add_parser(
        "drill",
        help="play nights with a fault on a local AWS: who notices, and what is lost",
        description="Deploy the template to a local AWS with rights enforced. Play a night with "
        "each fault there, for each language, on a clock of its own: the schedule, the queue with "
        "its dead letters, the alarms, an operator who answers, and the readers of the chunks.",
    )
    parser.add_argument(
        "--fault", type=names, default=(), metavar="A,B", help="only these faults; default: all"
    )
    parser.add_argument(
        "--seed", type=count, default=1, metavar="S", help="the seed of the sources; default 1"
    )
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write tables in Markdown")
    add_export(parser)
    add_languages(parser)
    add_template(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace, target: Target) -> int:
    """Exit code 0: an alarm told of each fault, nothing is lost, and all destinations are equal."""
    with reserved([arguments.markdown, arguments.export_json]):
        return _run(arguments, target)


def _run(arguments: argparse.Namespace, target: Target) -> int:
    from harness.build.choice import choose
    from harness.drill.table import broken, render, to_json
    from harness.terminal import progress_on

    faults = _choose_faults(arguments.fault)
    known = list(target.load())
    chosen = choose(known, arguments.languages)
    with progress_on(sys.stderr) as progress:
        found = _play_all(faults, chosen, known, arguments.seed, target, progress)
    print(render(found, "simple"))
    code = write_each(
        (file, text)
        for file, text in (
            (arguments.markdown, lambda: render(found, "github") + "\n"),
            (arguments.export_json, lambda: as_json(to_json(found, target.describe()))),
        )
        if file is not None
    )
    problems = broken(found)
    for line in problems:
        print(f"\n{line}")
    return DIFFERENT if problems else code or OK


def _choose_faults(asked: Sequence[str]) -> list[tuple[int, type[Fault]]]:
    """The faults with their numbers, which give each of them days of its own."""
    from harness.drill.faults import FAULTS
    from harness.model import UsageError

    known = [fault.name for fault in FAULTS]
    if unknown := [name for name in asked if name not in known]:
        raise UsageError(f"unknown fault {', '.join(unknown)}; known are {', '.join(known)}")
    return [each for each in enumerate(FAULTS) if not asked or each[1].name in asked]


def _play_all(
    faults: Sequence[tuple[int, type[Fault]]],
    chosen: Sequence[Implementation],
    known: Sequence[Implementation],
    seed: int,
    target: Target,
    progress: Progress,
) -> list[Drill]:
    from harness.drill.drill import ground, make_buckets, play
    from harness.drill.fault import Needs
    from harness.targets.ministack.local_aws import LocalAws

    needs_other = any(fault.needs is not Needs.NOTHING for _, fault in faults)
    others = {
        each.language: known[(known.index(each) + 1) % len(known)] if needs_other else None
        for each in chosen
    }
    wanted = [each for each in known if each in chosen or each in others.values()]
    built = target.build(wanted, progress)
    found = []
    for each in chosen:
        other = others[each.language]
        with LocalAws(auth=True) as aws:
            make_buckets(aws)
            second = None if other is None else _ready(built[other.language])
            with ground(aws, _ready(built[each.language]), second, seed) as place:
                for number, fault in faults:
                    progress(f"{each.language}: {fault.name}")
                    found.append(play(fault(), place, number))
    return found


def _ready(made: Artefact | Exception) -> Artefact:
    if isinstance(made, Exception):
        raise made
    return made
