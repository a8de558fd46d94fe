"""``report``: show the results of earlier runs of ``compare``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from harness.commands.arguments import add_report_files
from harness.commands.output_files import reserved, write_each
from harness.model import Comparison, UsageError

if TYPE_CHECKING:
    from harness.commands.arguments import Commands
    from harness.report.side_by_side import SideBySide
    from harness.targets.interface import Target

#: A file, and the function that makes its text.
type Report = tuple[Path, Callable[[], str]]


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
    outputs = (arguments.html, arguments.markdown, arguments.csv)
    with reserved(outputs, arguments.files):
        return _show(arguments)


def _show(arguments: argparse.Namespace) -> int:
    from harness.report.json_export import read_export
    from harness.report.terminal_report import render, render_side_by_side

    comparisons = {file.name: read_export(file) for file in arguments.files}
    if len(comparisons) < len(arguments.files):
        raise UsageError("two files have the same name, which names their columns: rename one")
    if len(comparisons) > 1:
        if arguments.csv:
            raise UsageError("--csv writes the samples of one file: name one file only")
        code = write_each(_reports_side_by_side(comparisons, arguments))
        render_side_by_side(comparisons, sys.stdout)
        return code
    (comparison,) = comparisons.values()
    code = write_each(reports(comparison, arguments))
    render(comparison, sys.stdout)
    return code


def reports(comparison: Comparison, arguments: argparse.Namespace) -> Iterator[Report]:
    """The reports that the arguments ask for."""
    if arguments.html is not None:
        from harness.report.html_page.page import render_page

        yield arguments.html, lambda: render_page(comparison)
    if arguments.markdown is not None or arguments.csv is not None:
        from harness.report.markdown import markdown, samples_csv

        if arguments.markdown is not None:
            yield arguments.markdown, lambda: markdown(comparison)
        if arguments.csv is not None:
            yield arguments.csv, lambda: samples_csv(comparison)


def _reports_side_by_side(
    comparisons: SideBySide, arguments: argparse.Namespace
) -> Iterator[Report]:
    if arguments.html is not None:
        from harness.report.html_page.page import render_side_by_side_page

        yield arguments.html, lambda: render_side_by_side_page(comparisons)
    if arguments.markdown is not None:
        from harness.report.markdown import side_by_side_markdown

        yield arguments.markdown, lambda: side_by_side_markdown(comparisons)
