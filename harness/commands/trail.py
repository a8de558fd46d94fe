"""``trail``: describe a trail of one's own and its unusual sources."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from harness.commands.arguments import day, export
from harness.commands.exits import OK
from harness.commands.output_files import require_writable

if TYPE_CHECKING:
    from harness.commands.arguments import Commands
    from harness.targets.interface import Target


def add_parser(commands: Commands) -> None:
    parser = commands.add_parser(
        "trail", help="describe a trail of your own and its unusual sources; builds nothing"
    )
    parser.add_argument(
        "--source", type=Path, metavar="DIR", required=True, help="the folder with AWSLogs/"
    )
    parser.add_argument(
        "--day",
        type=day,
        metavar="YYYY-MM-DD",
        help="the day to describe; without it the days are listed",
    )
    parser.add_argument("--export-json", type=Path, metavar="FILE")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace, _: Target) -> int:
    from harness.fixtures.survey import survey
    from harness.fixtures.trail import find_trail
    from harness.report.trail import days_to_json, render_days, render_oddities
    from harness.terminal import progress_on

    if arguments.export_json is not None:
        require_writable(arguments.export_json)
    with progress_on(sys.stderr) as progress:
        progress(f"looking through {arguments.source}")
        trail = find_trail(arguments.source)
        if arguments.day is None:
            oddities = None
        else:
            oddities = survey(trail, arguments.day, progress=progress)
    exported: dict[str, object] = {"schema": 1}
    if oddities is None:
        render_days(trail, sys.stdout)
        exported |= {"days": days_to_json(trail), "elsewhere": trail.elsewhere}
    else:
        render_oddities(oddities, sys.stdout)
        exported["oddities"] = oddities.to_json()
    export(exported, arguments.export_json)
    return OK
