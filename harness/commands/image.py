"""``image``: put the artefacts into OCI images, without a daemon."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from harness.commands.arguments import add_languages, add_template, names, positive
from harness.commands.exits import OK
from harness.toolchain.paths import ROOT

if TYPE_CHECKING:
    from harness.commands.arguments import Commands
    from harness.targets.interface import Target

_OUT = ROOT / ".build/images"


def add_parser(commands: Commands) -> None:
    parser = commands.add_parser(
        "image",
        help="put the artefacts into OCI images, for tasks",
        description="Write an OCI image layout for each language: the package and, below it, the "
        "runtime from pinned packages. The arguments of a container are those of the task: the "
        "event. With --feed, write one for the client that feed.yaml deploys. Neither Docker nor a "
        "registry of images is needed.",
    )
    parser.add_argument(
        "--out",
        type=Path,
        metavar="DIR",
        default=_OUT,
        help="the folder; each language gets one in it; default: .build/images",
    )
    parser.add_argument(
        "--architecture",
        type=names,
        default=(),
        metavar="A,B",
        help="x86_64, arm64 or both; default: that of this machine",
    )
    parser.add_argument(
        "--memory",
        type=positive,
        default=2048,
        metavar="MIB",
        help="memory of the task, which bounds the heaps of Java and JavaScript; default: 2048",
    )
    parser.add_argument(
        "--feed",
        action="store_true",
        help="the image of the feed's client, for feed.yaml, and none of a language",
    )
    parser.add_argument(
        "--base",
        type=Path,
        metavar="DIR",
        help="an OCI layout with the runtime of the one language, in place of the pinned packages",
    )
    parser.add_argument(
        "--source", metavar="URL", help="the address of the sources, for the image's labels"
    )
    add_languages(parser)
    add_template(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace, target: Target) -> int:
    from harness.build.choice import choose
    from harness.build.template import TEMPLATE
    from harness.images.assemble import Recipe, commit
    from harness.images.make import check, make, make_feed_client
    from harness.images.programs import FEED_CLIENT
    from harness.model import UsageError
    from harness.terminal import progress_on

    if arguments.feed and arguments.languages:
        raise UsageError("--feed makes no image of a language: leave out --languages")
    chosen = [] if arguments.feed else choose(target.load(), arguments.languages)
    recipe = Recipe(arguments.memory, arguments.base, arguments.source)
    template = TEMPLATE if arguments.template is None else arguments.template.absolute()
    named = [FEED_CLIENT] if arguments.feed else [each.language for each in chosen]
    out = arguments.out
    architectures = check(named, arguments.architecture, out, recipe)
    with progress_on(sys.stderr) as progress:
        if arguments.feed:
            lines = make_feed_client(architectures, recipe, commit(), out, progress)
        else:
            lines = make(chosen, architectures, recipe, commit(), out, template, progress)
    print(*lines, sep="\n")
    return OK
