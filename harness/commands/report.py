"""``report``: show the results of earlier runs of ``compare``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from harness.commands.arguments import add_report_files
from harness.commands.exits import OK
from harness.commands.output_files import write
from harness.model import Comparison, UsageError

if TYPE_CHECKING:
    from harness.commands.arguments import Commands
    from harness.report.side_by_side import SideBySide
    from harness.targets.interface import Target


def add_parser(commands: Commands) -> None:
    parser = commands.add_parser(
        "report",
        help="show the results of earlier runs of compare",
        description="Show the results of one run of compare again, or those of several runs "
        "side by side.",
    )
    parser.add_argument(
        "files", type=Path, nargs="+", metavar="FILE", help="an export of compare --export-json"
    )
    add_report_files(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace, _: Target) -> int:
    from harness.report.json_export import read_export
    from harness.report.terminal_report import render, render_side_by_side

    comparisons = {file.name: read_export(file) for file in arguments.files}
    if len(comparisons) < len(arguments.files):
        raise UsageError("two files have the same name, which names their columns: rename one")
    if len(comparisons) > 1:
        if arguments.csv:
            raise UsageError("--csv writes the samples of one file: name one file only")
        _write_side_by_side(comparisons, arguments)
        render_side_by_side(comparisons, sys.stdout)
        return OK
    (comparison,) = comparisons.values()
    write_reports(comparison, arguments)
    render(comparison, sys.stdout)
    return OK


def write_reports(comparison: Comparison, arguments: argparse.Namespace) -> None:
    if arguments.html is not None:
        from harness.report.html_page.page import render_page

        write(arguments.html, render_page(comparison))
    if arguments.markdown is not None or arguments.csv is not None:
        from harness.report.markdown import markdown, samples_csv

        if arguments.markdown is not None:
            write(arguments.markdown, markdown(comparison))
        if arguments.csv is not None:
            write(arguments.csv, samples_csv(comparison))


def _write_side_by_side(comparisons: SideBySide, arguments: argparse.Namespace) -> None:
    if arguments.html is not None:
        from harness.report.html_page.page import render_side_by_side_page

        write(arguments.html, render_side_by_side_page(comparisons))
    if arguments.markdown is not None:
        from harness.report.markdown import side_by_side_markdown

        write(arguments.markdown, side_by_side_markdown(comparisons))
