"""``slides``: write the slides for a class."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from harness.commands.exits import OK
from harness.commands.output_files import reserved, write
from harness.model import UsageError
from harness.toolchain.paths import ROOT

if TYPE_CHECKING:
    from harness.commands.arguments import Commands
    from harness.targets.interface import Target

_OUT = ROOT / ".build/stone/slides.html"
_EXPORT = ROOT / "docs/results.json"


def add_parser(commands: Commands) -> None:
    parser = commands.add_parser(
        "slides",
        help="write the slides for a class",
        description="Write one self-contained page of slides for the plans of docs/teaching.md, "
        "with code of the four implementations, tables of the lessons and plots.",
    )
    parser.add_argument(
        "--out",
        type=Path,
        default=_OUT,
        metavar="FILE",
        help="the page; default: .build/stone/slides.html",
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
    from harness.teaching.slides.show import render_slides

    if arguments.out == _OUT:
        _OUT.parent.mkdir(parents=True, exist_ok=True)
    with reserved([arguments.out], [arguments.times]):
        times = read_export(arguments.times)
        if not times.fixture:
            raise UsageError(f"{arguments.times} has no row that ran: name another export")
        write(arguments.out, render_slides(times))
    print(arguments.out)
    return OK
