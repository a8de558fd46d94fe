"""``compare``: verify and measure the implementations."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from harness.commands.arguments import (
    add_choice,
    add_export,
    add_region,
    add_report_files,
    as_json,
    count,
    day,
    latencies,
    names,
    positive,
    positives,
    share,
    slowdown,
    starts,
    switches,
)
from harness.commands.exits import DIFFERENT, INTERRUPTED, NOT_READY, OK, complain
from harness.commands.output_files import is_same, reserved, write_each
from harness.commands.report import Report, reports
from harness.model import Comparison, Role, UsageError, VerdictKind

if TYPE_CHECKING:
    from harness.commands.arguments import Commands, Group
    from harness.compare.request import Request
    from harness.fixtures.recipe import Recipe
    from harness.fixtures.survey import Oddities
    from harness.targets.interface import Target
    from harness.terminal import Progress


_MAX_SLOWDOWN = 1.15


def add_parser(commands: Commands) -> None:
    parser = commands.add_parser(
        "compare",
        help="verify and measure the implementations",
        usage="python -m harness compare [flags]",
        description="Run every implementation over one day of CloudTrail files, verify its "
        "output, and measure time, memory and package size. Without flags it generates a day "
        "and measures each language with each of its S3 clients.",
    )
    _add_day(parser.add_argument_group("input: the day"))
    group = parser.add_argument_group("implementations")
    add_choice(group)
    group.add_argument(
        "--require-all", action="store_true", help="stop if an implementation can't run"
    )
    _add_samples(parser.add_argument_group("samples: their number and order"))
    _add_limits(parser.add_argument_group("limits on the functions"))
    _add_sweeps(parser.add_argument_group("sweeps: one row for each value"))
    _add_companions(parser.add_argument_group("rows beside the languages"))
    _add_baseline(parser.add_argument_group("check against an earlier run"))
    group = parser.add_argument_group("reports, in addition to the terminal's")
    add_export(group)
    add_report_files(group)
    _add_target(parser.add_argument_group("tasks or functions on AWS, instead of functions here"))
    parser.set_defaults(run=run)


def _add_day(group: Group) -> None:
    group.add_argument(
        "--objects", type=positive, metavar="N", help="generate N source objects; default 2000"
    )
    group.add_argument("--seed", type=int, metavar="S", help="seed of the generated day; default 1")
    group.add_argument(
        "--organisation",
        action="store_true",
        help="generate an organisation's key layout, too (SPEC L1)",
    )
    group.add_argument(
        "--one-line",
        action="store_true",
        help="generate no source with line breaks, which Trino can't read",
    )
    group.add_argument(
        "--source",
        type=Path,
        metavar="DIR",
        help="read the day from a folder that contains AWSLogs/",
    )
    group.add_argument(
        "--day",
        type=day,
        metavar="YYYY-MM-DD",
        help="the date; required with --source, else default 2024-02-08",
    )


def _add_samples(group: Group) -> None:
    group.add_argument("--cold", type=count, metavar="N", help="cold samples per row; default 5")
    group.add_argument("--warm", type=count, metavar="N", help="warm samples per row; default 8")
    group.add_argument(
        "--rerun",
        type=count,
        metavar="N",
        help="warm samples over a published day, per row; default 3",
    )
    group.add_argument(
        "--seconds",
        type=positive,
        metavar="N",
        help="measure as many rounds as fit in N seconds",
    )
    group.add_argument(
        "--once",
        action="store_true",
        help="one cold sample per row, for a day that takes minutes",
    )
    group.add_argument(
        "--order-seed",
        type=int,
        default=1,
        metavar="S",
        help="seed of the order of the samples; default 1",
    )
    group.add_argument(
        "--resume", type=Path, metavar="FILE", help="continue the run of an unfinished export"
    )


def _add_limits(group: Group) -> None:
    group.add_argument(
        "--no-limits", action="store_true", help="give each function the whole machine"
    )
    group.add_argument(
        "--throttle-init", action="store_true", help="limit the CPU during the init, too"
    )


def _add_sweeps(group: Group) -> None:
    group.add_argument(
        "--memory", type=positives, default=(), metavar="512,1769", help="memory sizes in MB"
    )
    group.add_argument(
        "--concurrency",
        type=positives,
        default=(),
        metavar="1,4,16",
        help="values of CONCURRENCY (SPEC S6)",
    )
    group.add_argument(
        "--s3-latency",
        type=latencies,
        default=(),
        metavar="0ms,20ms+-5ms",
        help="delays that are added to every answer of S3",
    )
    group.add_argument(
        "--tls",
        type=switches,
        default=(),
        metavar="off,on",
        help="measure over plain HTTP, over TLS, or over both; default TLS",
    )

    group.add_argument(
        "--start",
        type=starts,
        default=(),
        metavar="zip,aot,primed",
        help="plain starts, starts with an AOT cache (Java), and starts as SnapStart's, from "
        "primed and frozen processes (Java, Python)",
    )


def _add_companions(group: Group) -> None:
    group.add_argument(
        "--no-floor",
        action="store_true",
        help="leave out the floor: a function that only moves the data",
    )
    group.add_argument(
        "--peers",
        nargs="?",
        type=names,
        const=("duckdb",),
        default=(),
        metavar="duckdb,trino",
        help="add a row for the same task done by DuckDB, by Trino, or by each; without names by "
        "DuckDB",
    )


def _add_baseline(group: Group) -> None:
    group.add_argument(
        "--baseline", type=Path, metavar="FILE", help="the export of the earlier run"
    )
    group.add_argument(
        "--max-slowdown",
        type=slowdown,
        metavar="X",
        help=f"fail if a row surely takes over X times as long; default {_MAX_SLOWDOWN}",
    )


def _add_target(group: Group) -> None:
    group.add_argument(
        "--target",
        choices=("local", "task", "aws"),
        default="local",
        help="where the functions run: on this machine, on this machine as tasks as in ECS, or on "
        "AWS; default local",
    )
    group.add_argument(
        "--vcpus",
        type=share,
        metavar="N",
        help="processors of a task; default 1, with 2048 MiB of --memory",
    )
    group.add_argument("--stack", metavar="NAME", help="the deployed stack")
    add_region(group)
    group.add_argument("--yes", action="store_true", help="accept the cost without a question")
    group.add_argument(
        "--snap-start",
        type=switches,
        default=(),
        metavar="off,on",
        help="measure without SnapStart, with it, or both",
    )


def run(arguments: argparse.Namespace, target: Target) -> int:
    request = _request(arguments)
    outputs = (arguments.export_json, arguments.html, arguments.markdown, arguments.csv)
    with reserved(outputs, _inputs(arguments), arguments.source):
        return _compare(request, arguments, target)


def _inputs(arguments: argparse.Namespace) -> list[Path | None]:
    """The files that no output may replace."""
    inputs = [arguments.baseline, arguments.template]
    export, resumed = arguments.export_json, arguments.resume
    # the export of a resumed run contains the one that it goes on from
    if export is None or resumed is None or not is_same(export, resumed):
        inputs.append(resumed)
    return inputs


def _compare(request: Request, arguments: argparse.Namespace, target: Target) -> int:
    from harness.analysis.regression import require_comparable
    from harness.compare.orchestrate import compare
    from harness.report.json_export import read_export, to_json
    from harness.report.terminal_report import render
    from harness.report.trail import render_oddities
    from harness.terminal import progress_on

    baseline = None if arguments.baseline is None else read_export(arguments.baseline)
    earlier = None if arguments.resume is None else read_export(arguments.resume)

    def keep(so_far: Comparison) -> None:  # so that a kill loses one round at most
        write_each(_export(to_json(so_far), arguments))

    def check(planned: Comparison) -> None:
        if baseline is not None:
            require_comparable(baseline, planned)

    with _chosen_target(arguments, request, target) as chosen, progress_on(sys.stderr) as progress:
        comparison = compare(request, chosen, progress, keep, earlier, check)
        oddities = _oddities(arguments, comparison, progress)
        may_limit = chosen.may_limit()
    exported = to_json(comparison)
    if oddities is not None:
        exported["oddities"] = oddities.to_json()
    code = write_each([*_export(exported, arguments), *reports(comparison, arguments)])
    render(comparison, sys.stdout)
    if oddities is not None:
        print()
        render_oddities(oddities, sys.stdout)
    if comparison.interrupted:
        return complain("interrupted: the report above is of the samples until then", INTERRUPTED)
    return max(
        code,
        _exit_code(comparison, required=bool(arguments.languages or arguments.require_all)),
        _exit_code_of_limits(comparison, may_limit=may_limit),
        _exit_code_against(baseline, comparison, arguments.max_slowdown or _MAX_SLOWDOWN),
    )


def _export(exported: Mapping[str, object], arguments: argparse.Namespace) -> list[Report]:
    file = arguments.export_json
    return [] if file is None else [(file, lambda: as_json(exported))]


def _request(arguments: argparse.Namespace) -> Request:
    """The request that the arguments make. Raises ``UsageError`` where they contradict."""
    from harness.compare.request import Request
    from harness.targets.interface import Limits

    if arguments.no_limits and (arguments.memory or arguments.throttle_init):
        raise UsageError("--memory and --throttle-init need the limits: leave out --no-limits")
    if arguments.max_slowdown is not None and arguments.baseline is None:
        raise UsageError("--max-slowdown needs --baseline FILE: the export to compare with")
    if arguments.once:
        _require_nothing_beside_once(arguments)
    if arguments.peers and arguments.target == "aws":
        raise UsageError("--peers works on this machine only: leave out --target aws")
    is_task = arguments.target == "task"
    if is_task:
        _require_nothing_beside_tasks(arguments)
    elif arguments.vcpus is not None:
        raise UsageError("--vcpus is the size of a task: add --target task")
    return Request(
        _recipe(arguments),
        arguments.source,
        arguments.languages,
        arguments.clients,
        arguments.require_all,
        arguments.cold,
        0 if is_task else arguments.warm,
        0 if is_task else arguments.rerun,
        arguments.seconds,
        arguments.order_seed,
        floor=not arguments.no_floor,
        peers=arguments.peers,
        memory_mb=arguments.memory,
        limits=None if arguments.no_limits else Limits(arguments.throttle_init),
        concurrency=arguments.concurrency,
        s3_latency=arguments.s3_latency,
        snap_start=arguments.snap_start,
        starts=arguments.start,
        tls=arguments.tls,
        on_aws=arguments.target == "aws",
        once=arguments.once,
    )


def _recipe(arguments: argparse.Namespace) -> Recipe:
    from harness.fixtures.recipe import Recipe

    if arguments.source is None:
        given = {name: getattr(arguments, name) for name in ("objects", "seed", "day")}
        given = {name: value for name, value in given.items() if value is not None}
        return Recipe(**given, organisation=arguments.organisation, one_line=arguments.one_line)
    if arguments.day is None:
        raise UsageError("--source needs --day")
    numbers = (arguments.objects, arguments.seed)
    if numbers != (None, None) or arguments.organisation or arguments.one_line:
        raise UsageError(
            "--objects, --seed, --organisation and --one-line describe a generated day: leave out "
            "--source"
        )
    return Recipe(day=arguments.day)


def _oddities(
    arguments: argparse.Namespace, comparison: Comparison, progress: Progress
) -> Oddities | None:
    """The unusual sources of the day; ``None`` for a generated day."""
    from harness.fixtures.survey import survey
    from harness.fixtures.trail import find_trail

    if arguments.source is None:
        return None
    limit = int(str(comparison.settings["MAX_SOURCE_BYTES"]))
    return survey(find_trail(arguments.source), arguments.day, limit, progress)


def _exit_code_of_limits(comparison: Comparison, *, may_limit: bool) -> int:
    """In CI, a machine that can limit functions has to limit all of them."""
    if os.environ.get("CI") and may_limit and (names := _unheld(comparison)):
        return complain(
            f"CI: this machine can set limits, but {', '.join(names)} ran without them "
            "(--no-limits allows it)",
            DIFFERENT,
        )
    return OK


def _exit_code_against(
    baseline: Comparison | None, comparison: Comparison, max_slowdown: float
) -> int:
    from harness.analysis.regression import judge_slowdown

    if baseline is None:
        return OK
    judgements = list(judge_slowdown(baseline, comparison, max_slowdown))
    print("\nagainst the baseline", *judgements, sep="\n")
    return DIFFERENT if any(each.failed for each in judgements) else OK


def _require_nothing_beside_once(arguments: argparse.Namespace) -> None:
    """``--once`` takes one cold sample of each row, so flags for other samples contradict it."""
    others = ("cold", "warm", "rerun", "seconds", "resume", "baseline")
    if given := [f"--{name}" for name in others if getattr(arguments, name) is not None]:
        raise UsageError(f"--once takes one cold sample of each row: leave out {', '.join(given)}")


def _require_nothing_beside_tasks(arguments: argparse.Namespace) -> None:
    """A task is started for one run, under its limits. So it is never warm, and has no snapshot."""
    others = (
        *("warm", "rerun", "s3_latency", "start", "peers", "no_limits", "throttle_init"),
        *("baseline", "stack", "region", "snap_start"),
    )
    given = [name for name in others if getattr(arguments, name) not in (None, (), False)]
    if given:
        flags = ", ".join(f"--{name.replace('_', '-')}" for name in given)
        raise UsageError(f"--target task measures whole runs of tasks here: leave out {flags}")


@contextmanager
def _chosen_target(
    arguments: argparse.Namespace, request: Request, target: Target
) -> Iterator[Target]:
    """``target`` itself, its tasks, or the stack that the arguments name."""
    if arguments.target == "task":
        from harness.targets.local.tasks import TASK_MEMORY_MB, task_target

        with task_target(target, arguments.vcpus or 1, TASK_MEMORY_MB) as tasks:
            yield tasks
        return
    if arguments.target == "local":
        if arguments.stack or arguments.region or arguments.snap_start:
            raise UsageError("--stack, --region and --snap-start need --target aws")
        yield target
        return
    from harness.compare.aws_estimate import ask, estimate_request
    from harness.targets.aws.session import open_clients
    from harness.targets.aws.stack import read_stack
    from harness.targets.aws.target import aws_target
    from harness.terminal import to_stderr

    if not arguments.stack:
        raise UsageError("--target aws needs --stack NAME: the stack that `sam deploy` made")
    clients = open_clients(arguments.region)
    stack = read_stack(clients, arguments.stack)
    agree = ask(arguments.yes)
    with aws_target(
        clients,
        stack,
        target.load(),
        lambda functions: agree(
            estimate_request(
                request,
                functions,
                stack.architecture,
                snap_start=stack.parameters.get("SnapStart") == "On",
            )
        ),
        to_stderr,
    ) as stack_target:
        yield stack_target


def _unheld(comparison: Comparison) -> list[str]:
    """The rows that should have run under Lambda's limits, but ran without."""
    if comparison.settings["limits"] is None:
        return []
    held = ((row.name, row.enforcement) for row in comparison.rows)
    return [name for name, by in held if by is not None and by.mechanism is None]


def _exit_code(comparison: Comparison, *, required: bool) -> int:
    at_limits = {VerdictKind.TIMED_OUT, VerdictKind.OUT_OF_MEMORY}
    kinds = [
        row.verdict.kind
        for row in comparison.rows
        # a skipped floor only leaves the ratios to it empty
        if not (row.role is Role.FLOOR and row.verdict.kind is VerdictKind.SKIPPED)
        # the row of a peer exists to show its failures, too
        and (row.role is not Role.PEER or row.verdict.kind is VerdictKind.SKIPPED)
        # a sweep of memory looks for the sizes that are too small
        and (row.variant.memory_mb is None or row.verdict.kind not in at_limits)
    ]
    if (at_limits | {VerdictKind.MISMATCH, VerdictKind.FAILED}) & {*kinds}:
        return DIFFERENT
    skipped = kinds.count(VerdictKind.SKIPPED)
    required = required or any(row.role is Role.PEER for row in comparison.rows)
    # if all rows were skipped, no output was verified
    return NOT_READY if skipped and (required or skipped == len(kinds)) else OK
