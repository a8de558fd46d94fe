"""``task``: run the artefacts as tasks, as ECS runs a container."""

from __future__ import annotations

import argparse
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from harness.commands.arguments import add_choice, day, positive, seconds, share
from harness.commands.exits import DIFFERENT, OK

if TYPE_CHECKING:
    from harness.commands.arguments import Commands
    from harness.targets.interface import Target


def add_parser(commands: Commands) -> None:
    parser = commands.add_parser(
        "task",
        help="run the implementations as tasks, as in ECS",
        description="Run each implementation once as a task: a process of its own in a bundle with "
        "a read-only root, limits, no way out of the machine, and keys from ECS's address. Its "
        "output is verified as in a comparison. It needs bubblewrap and user namespaces.",
    )
    parser.add_argument("action", choices=["run"], help="what to do")
    parser.add_argument(
        "--day",
        type=day,
        default=day("2024-02-08"),
        metavar="YYYY-MM-DD",
        help="the day; default: 2024-02-08",
    )
    parser.add_argument(
        "--objects", type=positive, default=2000, metavar="N", help="sources; default: 2000"
    )
    parser.add_argument(
        "--vcpus", type=share, default=1.0, metavar="N", help="processors; default: 1"
    )
    parser.add_argument(
        "--memory", type=positive, default=2048, metavar="MIB", help="memory; default: 2048"
    )
    parser.add_argument(
        "--stop-after",
        type=seconds,
        metavar="SECONDS",
        help="send SIGTERM, and SIGKILL 30 s later, as ECS stops a task",
    )
    parser.add_argument(
        "--image",
        type=Path,
        metavar="DIR",
        help="run what is in the images of this folder, the --out of `image`",
    )
    add_choice(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace, target: Target) -> int:
    """Exit code 0: all outputs are as expected; 1: one differs, or a task failed."""
    from harness.build.choice import by_client, choose, choose_clients
    from harness.images.run import unpacked
    from harness.model import Artefact, NotReady
    from harness.targets.local.task_bundle import TaskSize
    from harness.terminal import progress_on
    from harness.verify.task_runs import Order, describe, run_tasks

    chosen = choose(target.load(), arguments.languages)
    each_client = choose_clients(chosen, arguments.clients)
    with progress_on(sys.stderr) as progress:
        if arguments.image is None:
            built = target.build(chosen, progress)
        else:  # nothing of a build is used
            built = {each.language: Artefact(each, arguments.image, None, None) for each in chosen}
        artefacts: list[Artefact] = []
        for each in by_client(each_client, built).values():
            if isinstance(each, NotReady):
                raise each
            artefacts.append(each)
        size = TaskSize(arguments.vcpus, arguments.memory)
        order = Order(arguments.day, arguments.objects, size, arguments.stop_after)
        with ExitStack() as opened:
            images = None
            if arguments.image is not None:
                languages = [each.language for each in chosen]
                images = opened.enter_context(unpacked(arguments.image, languages, progress))
            progress("running the tasks")
            runs = run_tasks(artefacts, order, images)
    print(*describe(runs), sep="\n")
    return DIFFERENT if any(each.problem for each in runs) else OK
