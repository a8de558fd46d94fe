"""``stone``: write the page that shows the four implementations side by side."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from harness.commands.exits import OK
from harness.commands.output_files import reserved, write
from harness.model import UsageError
from harness.toolchain.paths import ROOT

if TYPE_CHECKING:
    from harness.commands.arguments import Commands
    from harness.targets.interface import Target

_OUT = ROOT / ".build/stone"
_EXPORT = ROOT / "docs/results.json"


def add_parser(commands: Commands) -> None:
    parser = commands.add_parser(
        "stone",
        help="write the page that shows the four implementations side by side",
        description="Write one self-contained page for learners: each step in four languages, "
        "with its clauses, its vectors and its measured time, and the lessons.",
    )
    parser.add_argument(
        "--out",
        type=Path,
        default=_OUT,
        metavar="DIR",
        help="the folder of index.html; default: .build/stone",
    )
    parser.add_argument(
        "--times",
        type=Path,
        default=_EXPORT,
        metavar="FILE",
        help="take the times from this export of compare; default: docs/results.json",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace, _: Target) -> int:
    from harness.report.json_export import read_export
    from harness.teaching.page import render_stone

    try:
        arguments.out.mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:
        raise UsageError(f"{arguments.out} is no folder: name another one") from error
    file = arguments.out / "index.html"
    with reserved([file], [arguments.times]):
        write(file, render_stone(read_export(arguments.times)))
    print(file, file=sys.stdout)
    return OK
