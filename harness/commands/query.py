"""``query``: what a layout of the records costs the queries that read it."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from harness.commands.arguments import add_export, as_json, latency, names, positive, positives
from harness.commands.exits import DIFFERENT
from harness.commands.output_files import reserved, write_each

if TYPE_CHECKING:
    from harness.commands.arguments import Commands
    from harness.fixtures.staging import StagedObject
    from harness.targets.interface import Target

_FIRST = date(2024, 2, 1)
_OBJECTS, _SEED = 300, 1
#: The function that makes the chunks: the fastest of README.md's table.
_LANGUAGE, _CLIENT = "go", "light"


def add_parser(commands: Commands) -> None:
    parser = commands.add_parser(
        "query",
        help="compare the costs of queries on several layouts of the records",
        description="Make some days, lay their records out in several ways, and ask a local Trino "
        "the same questions of each. Check every answer. Print requests, bytes, times, modelled "
        "dollars, and after how many queries a layout has paid for its making. The first run "
        "fetches 800 MB.",
    )
    parser.add_argument(
        "--days", type=positive, default=7, metavar="N", help="number of days; default 7"
    )
    parser.add_argument(
        "--objects", type=positive, metavar="N", help=f"sources a day; default {_OBJECTS}"
    )
    parser.add_argument(
        "--seed", type=positive, metavar="S", help=f"seed of the first day; default {_SEED}"
    )
    parser.add_argument(
        "--line-breaks",
        action="store_true",
        help="print one generated source in a hundred over several lines; the engine can't read it",
    )
    parser.add_argument(
        "--source",
        type=Path,
        metavar="DIR",
        help="use the first days of a local folder with AWSLogs/ instead of generated ones",
    )
    parser.add_argument(
        "--layouts",
        type=names,
        default=("raw", "chunks", "parquet", "iceberg"),
        metavar="A,B",
        help="the layouts; default: raw,chunks,parquet,iceberg. ignoring is raw, but the engine "
        "leaves out what it can't read. Others have partitions of another kind: accounts, json by "
        "region, parquet by region, iceberg by region, from 2013, integers, enum, injected, "
        "registered, repaired",
    )
    parser.add_argument(
        "--chunk-mb",
        type=positives,
        default=(64,),
        metavar="N,N",
        help="sizes of a chunk, in MiB of text; default 64",
    )
    parser.add_argument(
        "--rounds", type=positive, default=5, metavar="N", help="timed rounds; default 5"
    )
    parser.add_argument(
        "--s3-latency",
        type=latency,
        metavar="20ms+-5ms",
        help="delay each answer of the S3 server; default: none",
    )
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write tables in Markdown")
    parser.add_argument("--html", type=Path, metavar="FILE", help="write one page with plots")
    add_export(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace, target: Target) -> int:
    outputs = [arguments.markdown, arguments.html, arguments.export_json]
    with reserved(outputs, trail=arguments.source):
        return _measure(arguments, target)


def _measure(arguments: argparse.Namespace, target: Target) -> int:
    from harness.build.choice import choose
    from harness.model import Artefact, NotReady
    from harness.query.layouts import layouts
    from harness.query.measure import Request, measure
    from harness.query.tables import render, to_json
    from harness.report.html_page.query_page import render_query_page
    from harness.terminal import progress_on
    from harness.toolchain.tools import trino_home

    chosen, days = layouts(arguments.layouts, arguments.chunk_mb), _days(arguments)
    with progress_on(sys.stderr) as progress:
        trino_home(progress)
        made = target.build(choose(target.load(), (_LANGUAGE,)), progress)[_LANGUAGE]
        if not isinstance(made, Artefact):
            raise NotReady(f"{_LANGUAGE}: {made}")
        request = Request(days, chosen, arguments.rounds, arguments.s3_latency)
        outcome = measure(request, made.with_client(_CLIENT), progress)
    print(render(outcome))
    code = write_each(
        (file, text)
        for file, text in (
            (arguments.markdown, lambda: render(outcome, "github") + "\n"),
            (arguments.html, lambda: render_query_page(outcome)),
            (arguments.export_json, lambda: as_json(to_json(outcome))),
        )
        if file is not None
    )
    return DIFFERENT if outcome.answers_differ() else code


def _days(arguments: argparse.Namespace) -> Mapping[date, Iterable[StagedObject]]:
    from harness.fixtures.sources import source_day
    from harness.fixtures.trail import find_trail
    from harness.model import UsageError

    if arguments.source is not None:
        if (arguments.objects, arguments.seed, arguments.line_breaks) != (None, None, False):
            raise UsageError(
                "--objects, --seed and --line-breaks describe generated days: leave out --source"
            )
        trail = find_trail(arguments.source).days.items()
        found = [date.fromisoformat(name) for name, each in trail if each.sources]
        if not found:
            raise UsageError(f"{arguments.source} has no day with sources")
        return {day: source_day(arguments.source, day) for day in found[: arguments.days]}
    days = [_FIRST + timedelta(number) for number in range(arguments.days)]
    return {day: _sources(arguments, day, number) for number, day in enumerate(days)}


def _sources(arguments: argparse.Namespace, day: date, number: int) -> Iterator[StagedObject]:
    """A day's sources without its neighbours, some of which are of the next day."""
    from harness.fixtures.recipe import Recipe, make_day

    recipe = Recipe(
        arguments.seed or _SEED,
        arguments.objects or _OBJECTS,
        day=day,
        variation=number + 1,
        one_line=not arguments.line_breaks,  # CloudTrail writes each on one line
    )
    return (each for each in make_day(recipe) if each.records is not None)
