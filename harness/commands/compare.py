"""``compare``: verify and measure the implementations."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from harness.commands.arguments import (
    add_choice,
    add_report_files,
    count,
    day,
    export,
    latencies,
    positive,
    positives,
    slowdown,
    switches,
)
from harness.commands.exits import DIFFERENT, INTERRUPTED, NOT_READY, OK, complain
from harness.commands.output_files import require_writable
from harness.commands.report import write_reports
from harness.model import Comparison, Role, UsageError, VerdictKind

if TYPE_CHECKING:
    from harness.commands.arguments import Commands
    from harness.compare.orchestrate import Request
    from harness.targets.interface import Target


def add_parser(commands: Commands) -> None:
    parser = commands.add_parser("compare", help="verify and measure the implementations")
    parser.add_argument("--objects", type=positive, metavar="N", help="default 2000")
    parser.add_argument("--seed", type=int, help="of the generated day, default 1")
    parser.add_argument("--organisation", action="store_true", help="both layouts in one bucket")
    parser.add_argument("--source", type=Path, metavar="DIR", help="a folder with AWSLogs/")
    parser.add_argument("--day", type=day, metavar="YYYY-MM-DD", help="needed with --source")
    parser.add_argument("--require-all", action="store_true", help="fail if one can't run")
    parser.add_argument("--cold", type=count, metavar="N", help="cold samples, default 5")
    parser.add_argument("--warm", type=count, metavar="N", help="warm samples, default 8")
    parser.add_argument("--rerun", type=count, metavar="N", help="re-runs, default 3")
    parser.add_argument(
        "--seconds", type=positive, metavar="N", help="measure for so long instead of by counts"
    )
    parser.add_argument(
        "--once", action="store_true", help="each row runs once: for days that take minutes"
    )
    parser.add_argument(
        "--order-seed", type=int, default=1, metavar="S", help="of the order of samples, default 1"
    )
    parser.add_argument("--export-json", type=Path, metavar="FILE")
    parser.add_argument(
        "--memory", type=positives, default=(), metavar="512,1769", help="sweep the MB of memory"
    )
    parser.add_argument(
        "--no-limits", action="store_true", help="the whole machine instead of Lambda's share"
    )
    parser.add_argument(
        "--throttle-init", action="store_true", help="the share of CPU from the start on"
    )
    parser.add_argument(
        "--concurrency", type=positives, default=(), metavar="1,4,16", help="sweep CONCURRENCY"
    )
    parser.add_argument(
        "--s3-latency", type=latencies, default=(), metavar="0ms,20ms+-5ms", help="added to S3"
    )
    parser.add_argument(
        "--resume", type=Path, metavar="FILE", help="go on from an export that was not finished"
    )
    parser.add_argument("--no-floor", action="store_true", help="leave out what all divide by")
    parser.add_argument(
        "--peers", action="store_true", help="beside them what one would pick instead: DuckDB"
    )
    parser.add_argument("--baseline", type=Path, metavar="FILE", help="an earlier export")
    parser.add_argument(
        "--max-slowdown",
        type=slowdown,
        default=1.15,
        metavar="X",
        help="against the baseline, as a ratio of ratios; default 1.15",
    )
    parser.add_argument("--target", choices=("local", "aws"), default="local", help="default local")
    parser.add_argument("--stack", metavar="NAME", help="with --target aws, what is deployed")
    parser.add_argument("--region", metavar="NAME", help="of the stack; default: AWS's own rules")
    parser.add_argument("--yes", action="store_true", help="agree to what it costs on AWS")
    parser.add_argument(
        "--snap-start", type=switches, default=(), metavar="off,on", help="sweep it, on AWS"
    )
    add_report_files(parser)
    add_choice(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace, target: Target) -> int:
    from harness.analysis.regression import judge_slowdown
    from harness.compare.orchestrate import Request, compare
    from harness.fixtures.recipe import Recipe
    from harness.fixtures.survey import survey
    from harness.fixtures.trail import find_trail
    from harness.report.json_export import read_export, to_json
    from harness.report.terminal_report import render
    from harness.report.trail import render_oddities
    from harness.targets.interface import Limits
    from harness.terminal import progress_on

    if arguments.no_limits and (arguments.memory or arguments.throttle_init):
        raise UsageError("--memory and --throttle-init need the limits: not with --no-limits")
    if arguments.once:
        _require_nothing_beside_once(arguments)
    if arguments.peers and arguments.target == "aws":
        raise UsageError("--peers run on this machine only: not with --target aws")
    if arguments.source is None:
        given = {name: getattr(arguments, name) for name in ("objects", "seed", "day")}
        given = {name: value for name, value in given.items() if value is not None}
        recipe = Recipe(**given, organisation=arguments.organisation)
    elif arguments.day is None:
        raise UsageError("--source needs --day")
    elif arguments.objects is not None or arguments.seed is not None or arguments.organisation:
        generated = "--objects, --seed and --organisation"
        raise UsageError(f"{generated} are of a generated day: not with --source")
    else:
        recipe = Recipe(day=arguments.day)
    for file in (arguments.export_json, arguments.html, arguments.markdown, arguments.csv):
        if file is not None:
            require_writable(file)
    baseline = None if arguments.baseline is None else read_export(arguments.baseline)
    earlier = None if arguments.resume is None else read_export(arguments.resume)
    request = Request(
        recipe,
        arguments.source,
        arguments.languages,
        arguments.clients,
        arguments.require_all,
        arguments.cold,
        arguments.warm,
        arguments.rerun,
        arguments.seconds,
        arguments.order_seed,
        floor=not arguments.no_floor,
        peers=arguments.peers,
        memory_mb=arguments.memory,
        limits=None if arguments.no_limits else Limits(arguments.throttle_init),
        concurrency=arguments.concurrency,
        s3_latency=arguments.s3_latency,
        snap_start=arguments.snap_start,
        on_aws=arguments.target == "aws",
        once=arguments.once,
    )
    file = arguments.export_json
    with _chosen_target(arguments, request, target) as target, progress_on(sys.stderr) as progress:
        comparison = compare(
            request,
            target,
            progress,
            # a kill loses one round at most
            lambda so_far: None if file is None else export(to_json(so_far), file),
            earlier,
        )
        oddities = None
        if arguments.source is not None:
            limit = int(str(comparison.settings["MAX_SOURCE_BYTES"]))
            oddities = survey(find_trail(arguments.source), arguments.day, limit, progress)
    exported = to_json(comparison)
    if oddities is not None:
        exported["oddities"] = oddities.to_json()
    export(exported, arguments.export_json)
    write_reports(comparison, arguments)
    render(comparison, sys.stdout)
    if oddities is not None:
        print()
        render_oddities(oddities, sys.stdout)
    if comparison.interrupted:
        return complain("interrupted: the samples up to here are above", INTERRUPTED)
    code = _exit_code(comparison, required=bool(arguments.languages or arguments.require_all))
    if os.environ.get("CI") and target.may_limit() and (names := _unheld(comparison)):
        reason = f"CI: limits could be set here, and were not for {', '.join(names)}"
        code = max(code, complain(f"{reason} (--no-limits asks for none)", DIFFERENT))
    if baseline is not None:
        judgements = list(judge_slowdown(baseline, comparison, arguments.max_slowdown))
        print("\nagainst the baseline", *judgements, sep="\n")
        code = max(code, DIFFERENT if any(each.failed for each in judgements) else OK)
    return code


def _require_nothing_beside_once(arguments: argparse.Namespace) -> None:
    """One cold invocation is all: what asks for more of them, or goes on with some, contradicts."""
    others = ("cold", "warm", "rerun", "seconds", "resume", "baseline")
    if given := [f"--{name}" for name in others if getattr(arguments, name) is not None]:
        raise UsageError(f"--once is one cold invocation a row: not with {', '.join(given)}")


@contextmanager
def _chosen_target(
    arguments: argparse.Namespace, request: Request, target: Target
) -> Iterator[Target]:
    """``target`` itself, or the stack that is named."""
    if arguments.target == "local":
        if arguments.stack or arguments.snap_start:
            raise UsageError("--stack and --snap-start need --target aws")
        yield target
        return
    from harness.compare.aws_estimate import ask, estimate_request
    from harness.targets.aws.session import open_clients
    from harness.targets.aws.stack import read_stack
    from harness.targets.aws.target import aws_target
    from harness.terminal import to_stderr

    if not arguments.stack:
        raise UsageError("--target aws needs --stack NAME: what `sam deploy` made")
    clients = open_clients(arguments.region)
    stack = read_stack(clients, arguments.stack)
    agree = ask(arguments.yes)
    with aws_target(
        clients,
        stack,
        target.load(),
        lambda functions: agree(estimate_request(request, functions, stack.architecture)),
        to_stderr,
    ) as stack_target:
        yield stack_target


def _unheld(comparison: Comparison) -> list[str]:
    """The rows that were to be held to Lambda's limits, and were not."""
    if comparison.settings["limits"] is None:
        return []
    held = ((row.name, row.enforcement) for row in comparison.rows)
    return [name for name, by in held if by is not None and by.mechanism is None]


def _exit_code(comparison: Comparison, *, required: bool) -> int:
    at_limits = {VerdictKind.TIMED_OUT, VerdictKind.OUT_OF_MEMORY}
    kinds = [
        row.verdict.kind
        for row in comparison.rows
        # without the floor there are no ratios to it, and that is all
        if not (row.role is Role.FLOOR and row.verdict.kind is VerdictKind.SKIPPED)
        # what a peer can't do is what its row is there to show, once it runs
        and (row.role is not Role.PEER or row.verdict.kind is VerdictKind.SKIPPED)
        # what a sweep of memory finds out is no failure
        and (row.variant.memory_mb is None or row.verdict.kind not in at_limits)
    ]
    if (at_limits | {VerdictKind.MISMATCH, VerdictKind.FAILED}) & {*kinds}:
        return DIFFERENT
    skipped = kinds.count(VerdictKind.SKIPPED)
    required = required or any(row.role is Role.PEER for row in comparison.rows)
    # Nothing that ran is nothing that matched.
    return NOT_READY if skipped and (required or skipped == len(kinds)) else OK
