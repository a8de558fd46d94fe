"""``trail``: list the days and the unusual sources of a CloudTrail folder."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from harness.commands.arguments import add_export, as_json, day
from harness.commands.output_files import reserved, write_each

if TYPE_CHECKING:
    from harness.commands.arguments import Commands
    from harness.targets.interface import Target


def add_parser(commands: Commands) -> None:
    parser = commands.add_parser(
        "trail",
        help="list the days and the unusual sources of your own trail",
        description="List the days of a CloudTrail folder, or the unusual sources of one of its "
        "days. It builds and runs no implementation.",
    )
    parser.add_argument(
        "--source",
        type=Path,
        metavar="DIR",
        required=True,
        help="the folder that contains AWSLogs/; required",
    )
    parser.add_argument(
        "--day", type=day, metavar="YYYY-MM-DD", help="describe this day; default: list the days"
    )
    add_export(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace, _: Target) -> int:
    with reserved([arguments.export_json], trail=arguments.source):
        return _describe(arguments)


def _describe(arguments: argparse.Namespace) -> int:
    from harness.fixtures.survey import survey
    from harness.fixtures.trail import find_trail
    from harness.report.trail import days_to_json, not_files, render_days, render_oddities
    from harness.terminal import progress_on

    with progress_on(sys.stderr) as progress:
        progress(f"reading the keys of {arguments.source}")
        trail = find_trail(arguments.source)
        if arguments.day is None:
            oddities = None
        else:
            oddities = survey(trail, arguments.day, progress=progress)
    exported: dict[str, object] = {"schema": 1}
    if oddities is None:
        render_days(trail, sys.stdout)
        exported |= {
            "days": days_to_json(trail),
            "elsewhere": trail.elsewhere,
            "not_files": not_files(trail),
        }
    else:
        render_oddities(oddities, sys.stdout)
        exported["oddities"] = oddities.to_json()
    file = arguments.export_json
    return write_each([] if file is None else [(file, lambda: as_json(exported))])
