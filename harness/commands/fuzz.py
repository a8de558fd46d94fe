"""``fuzz``: look for bodies and datasets on which the implementations disagree."""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from harness.commands.arguments import add_choice, positive
from harness.commands.exits import DIFFERENT, OK
from harness.model import NotReady

if TYPE_CHECKING:
    from harness.commands.arguments import Commands
    from harness.targets.interface import Target

_SHARE_OF_BODIES = 0.5  # of the time; the rest is for datasets


def add_parser(commands: Commands) -> None:
    parser = commands.add_parser(
        "fuzz",
        help="search for inputs on which the implementations disagree",
        description="Generate bodies and datasets, and run all implementations on them. Each "
        "input on which two disagree becomes the draft of a vector.",
    )
    parser.add_argument(
        "--seconds", type=positive, default=60, metavar="N", help="time to search; default 60"
    )
    parser.add_argument(
        "--seed", type=int, metavar="S", help="repeat the run with this seed; default: random"
    )
    parser.add_argument(
        "--keep", type=Path, metavar="DIR", help="folder for the drafts; default .build/fuzz"
    )
    add_choice(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace, target: Target) -> int:
    from harness.build.choice import by_client, choose, choose_clients
    from harness.terminal import progress_on
    from harness.toolchain.paths import ROOT
    from harness.verify.fuzz.bodies import describe, fuzz
    from harness.verify.fuzz.datasets import dataset_functions, describe_datasets, fuzz_datasets
    from harness.verify.fuzz.subjects import subjects
    from harness.verify.scripted_s3.server import ScriptedS3

    chosen = choose(target.load(), arguments.languages)
    each_client = choose_clients(chosen, arguments.clients)
    seed = random.randrange(1 << 32) if arguments.seed is None else arguments.seed
    with progress_on(sys.stderr) as progress:
        built = by_client(each_client, target.build(chosen, progress))
        reasons = [str(each) for each in built.values() if isinstance(each, NotReady)]
        if reasons:
            raise NotReady("\n".join(reasons))
        artefacts = [each for each in built.values() if not isinstance(each, NotReady)]
        keep = arguments.keep or ROOT / ".build/fuzz"
        begin = time.monotonic()
        middle = begin + arguments.seconds * _SHARE_OF_BODIES
        with subjects(artefacts) as each:
            tally = fuzz(each, seed, keep, lambda _: time.monotonic() < middle, progress)
        print("\n".join(describe(tally, seed, time.monotonic() - begin)))
        begin_datasets, end = time.monotonic(), begin + arguments.seconds
        with ScriptedS3() as s3, dataset_functions(artefacts) as functions:
            # at least one round, even if the bodies took all the time
            go_on: Callable[[int], bool] = lambda n: n == 0 or time.monotonic() < end  # noqa: E731
            datasets = fuzz_datasets(s3, functions, seed, keep, go_on, progress)
        print("\n".join(describe_datasets(datasets, seed, time.monotonic() - begin_datasets)))
    return DIFFERENT if tally.disagreements or datasets.drafts else OK
