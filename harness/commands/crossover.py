"""``crossover``: Lambda or Fargate, by the size of a day, modelled from exports of ``compare``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from harness.commands.arguments import positive
from harness.commands.output_files import reserved, write_each
from harness.model import UsageError

if TYPE_CHECKING:
    from harness.commands.arguments import Commands
    from harness.targets.interface import Target


def add_parser(commands: Commands) -> None:
    parser = commands.add_parser(
        "crossover",
        help="model time and cost of a day on Lambda and as a task on Fargate",
        description="Model time and cost of a day by its number of sources: on Lambda, and as a "
        "task on Fargate. The work of a source comes from an export of compare, the wait for S3 "
        "and the start of a task are assumptions, and the prices are in "
        "harness/analysis/prices.toml. Nothing is measured.",
    )
    parser.add_argument(
        "file", type=Path, metavar="FILE", help="an export of compare --export-json"
    )
    parser.add_argument(
        "--tasks",
        type=Path,
        metavar="FILE",
        help="an export of compare --target task over as many sources, for the start of a task",
    )
    parser.add_argument(
        "--get-ms", type=positive, default=20, metavar="N", help="wait for a GET, in ms; default 20"
    )
    parser.add_argument(
        "--concurrency",
        type=positive,
        default=16,
        metavar="N",
        help="requests in flight; default 16",
    )
    parser.add_argument(
        "--start-s",
        type=positive,
        default=45,
        metavar="N",
        help="seconds from the request for a task to its first instruction; default 45",
    )
    parser.add_argument(
        "--architecture",
        choices=("x86_64", "arm64"),
        default="x86_64",
        help="architecture of the prices; default x86_64",
    )
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write tables in Markdown")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace, _: Target) -> int:
    with reserved([arguments.markdown], [arguments.file, arguments.tasks]):
        return _show(arguments)


def _show(arguments: argparse.Namespace) -> int:
    from harness.analysis.cost import requests_cost
    from harness.analysis.crossover import Assumptions, works
    from harness.report.crossover_tables import crossover_tables
    from harness.report.json_export import read_export
    from harness.report.markdown import tables_markdown
    from harness.report.terminal_report import render_tables

    comparison = read_export(arguments.file)
    tasks = None if arguments.tasks is None else read_export(arguments.tasks)
    if tasks is not None and tasks.environment.get("target") != "task":
        raise UsageError(f"{arguments.tasks} is no export of compare --target task")
    found = list(works(comparison, tasks))
    if not found:
        raise UsageError(
            f"{arguments.file} has no row with cold and warm samples under Lambda's limits of one "
            "vCPU: run compare without --once, --memory and --no-limits"
        )
    sources = comparison.fixture["sources"]
    if tasks is not None and (of_tasks := tasks.fixture.get("sources", 0)) != sources:
        raise UsageError(
            f"{arguments.tasks} has {of_tasks} sources and {arguments.file} {sources}: compare "
            "tasks over the same day"
        )
    given = Assumptions(
        arguments.get_ms / 1000,
        arguments.concurrency,
        arguments.start_s,
        arguments.architecture,
    )
    tables = crossover_tables(found, given, requests_cost(comparison))
    render_tables(tables, sys.stdout)
    file = arguments.markdown
    return write_each([] if file is None else [(file, lambda: tables_markdown(tables))])
