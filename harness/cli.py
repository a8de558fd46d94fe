"""The command line: arguments in, an exit code out; the work is elsewhere.

Exit codes: 0 all matched, 1 mismatch or failed run, 2 usage, 3 environment not ready,
130 interrupted. Results go to stdout, progress and complaints to stderr.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from harness.aws import commands as aws_commands
from harness.files import require_writable, write
from harness.model import Comparison, HarnessError, NotReady, Role, UsageError, VerdictKind

if TYPE_CHECKING:
    from harness.bench import Doors, Finding
    from harness.compare import Request
    from harness.local.latency import Latency
    from harness.side_by_side import SideBySide

OK, DIFFERENT, USAGE, NOT_READY, INTERRUPTED = 0, 1, 2, 3, 130

_SHARE_OF_BODIES = 0.5  # of a fuzzer's time; the rest is for lakes


def main(argv: Sequence[str], doors: Doors | None = None) -> int:
    """Run one command. ``doors`` is how tests keep it off the machine."""
    try:
        arguments = _parser().parse_args(argv)
    except SystemExit as end:  # argparse has said what was wrong
        return end.code if isinstance(end.code, int) else USAGE
    if platform.system() != "Linux":
        return _complain(
            "the emulator needs Linux: run this in a Linux machine, container or WSL", NOT_READY
        )
    # Only now: the modules behind this need Linux.
    from harness.terminal import interruptible

    try:
        with interruptible():
            commands: dict[str, Callable[[argparse.Namespace, Doors], int]] = {
                "compare": _compare,
                "report": _report,
                "verify": _verify,
                "mutants": _mutants,
                "fuzz": _fuzz,
                "trail": _trail,
                "doctor": _doctor,
                "backfill": lambda arguments, _: aws_commands.backfill(arguments),
                "redrive": lambda arguments, _: aws_commands.redrive(arguments),
                "status": lambda arguments, _: aws_commands.status(arguments),
            }
            template = getattr(arguments, "template", None)
            return commands[arguments.command](arguments, doors or _real_doors(template))
    except KeyboardInterrupt:
        return _complain("interrupted", INTERRUPTED)
    except UsageError as error:
        return _complain(str(error), USAGE)
    except NotReady as error:
        return _complain(f"{error}\n`python -m harness doctor` checks everything", NOT_READY)
    except HarnessError as error:
        return _complain(str(error), DIFFERENT)
    except OSError as error:  # a full disk, a folder that may not be written
        place = f"{error.filename}: " if error.filename else ""
        return _complain(f"{place}{error.strerror or error}", NOT_READY)


def _complain(message: str, code: int) -> int:
    print(message, file=sys.stderr)
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m harness", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    compare = commands.add_parser("compare", help="verify and measure the implementations")
    compare.add_argument("--objects", type=_positive, metavar="N", help="default 2000")
    compare.add_argument("--seed", type=int, help="of the generated day, default 1")
    compare.add_argument("--organisation", action="store_true", help="both layouts in one bucket")
    compare.add_argument("--source", type=Path, metavar="DIR", help="a folder with AWSLogs/")
    compare.add_argument("--day", type=_day, metavar="YYYY-MM-DD", help="needed with --source")
    compare.add_argument("--languages", type=_names, default=(), metavar="A,B", help="only these")
    compare.add_argument("--require-all", action="store_true", help="fail if one can't run")
    compare.add_argument("--cold", type=_count, metavar="N", help="cold samples, default 5")
    compare.add_argument("--warm", type=_count, metavar="N", help="warm samples, default 8")
    compare.add_argument("--rerun", type=_count, metavar="N", help="re-runs, default 3")
    compare.add_argument(
        "--seconds", type=_positive, metavar="N", help="measure for so long instead of by counts"
    )
    compare.add_argument(
        "--once", action="store_true", help="each row runs once: for days that take minutes"
    )
    compare.add_argument(
        "--order-seed", type=int, default=1, metavar="S", help="of the order of samples, default 1"
    )
    compare.add_argument("--export-json", type=Path, metavar="FILE")
    compare.add_argument(
        "--memory", type=_positives, default=(), metavar="512,1769", help="sweep the MB of memory"
    )
    compare.add_argument(
        "--no-limits", action="store_true", help="the whole machine instead of Lambda's share"
    )
    compare.add_argument(
        "--throttle-init", action="store_true", help="the share of CPU from the start on"
    )
    compare.add_argument(
        "--concurrency", type=_positives, default=(), metavar="1,4,16", help="sweep CONCURRENCY"
    )
    compare.add_argument(
        "--s3-latency", type=_latencies, default=(), metavar="0ms,20ms+-5ms", help="added to S3"
    )
    compare.add_argument(
        "--resume", type=Path, metavar="FILE", help="go on from an export that was not finished"
    )
    compare.add_argument("--no-floor", action="store_true", help="leave out what all divide by")
    compare.add_argument(
        "--peers", action="store_true", help="beside them what one would pick instead: DuckDB"
    )
    compare.add_argument("--baseline", type=Path, metavar="FILE", help="an earlier export")
    compare.add_argument(
        "--max-slowdown",
        type=_slowdown,
        default=1.15,
        metavar="X",
        help="against the baseline, as a ratio of ratios; default 1.15",
    )
    compare.add_argument(
        "--target", choices=("local", "aws"), default="local", help="default local"
    )
    compare.add_argument("--stack", metavar="NAME", help="with --target aws, what is deployed")
    compare.add_argument("--region", metavar="NAME", help="of the stack; default: AWS's own rules")
    compare.add_argument("--yes", action="store_true", help="agree to what it costs on AWS")
    compare.add_argument(
        "--snap-start", type=_switches, default=(), metavar="off,on", help="sweep it, on AWS"
    )
    _add_report_files(compare)
    report = commands.add_parser("report", help="show exports of compare again")
    report.add_argument("files", type=Path, nargs="+", metavar="FILE", help="by --export-json")
    _add_report_files(report)
    verify = commands.add_parser("verify", help="judge the implementations by the vectors")
    verify.add_argument("--case", default="*", metavar="GLOB", help="only these case ids")
    verify.add_argument("--languages", type=_names, default=(), metavar="A,B", help="only these")
    verify.add_argument("--vectors", type=Path, metavar="DIR", help="another folder of vectors")
    mutants = commands.add_parser("mutants", help="judge the vectors by faulty implementations")
    mutants.add_argument("--languages", type=_names, default=(), metavar="A,B", help="only these")
    mutants.add_argument("--sample", type=_positive, metavar="N", help="only N of them, by chance")
    mutants.add_argument("--seed", type=int, default=1, help="of the sample, default 1")
    fuzz = commands.add_parser("fuzz", help="look for bodies and lakes on which they disagree")
    fuzz.add_argument("--seconds", type=_positive, default=60, metavar="N", help="default 60")
    fuzz.add_argument("--seed", type=int, metavar="S", help="repeats its rounds; default random")
    fuzz.add_argument("--languages", type=_names, default=(), metavar="A,B", help="only these")
    fuzz.add_argument("--keep", type=Path, metavar="DIR", help="for drafts; default .build/fuzz")
    trail = commands.add_parser("trail", help="what is odd in a trail of your own; builds nothing")
    trail.add_argument("--source", type=Path, metavar="DIR", required=True, help="has AWSLogs/")
    trail.add_argument("--day", type=_day, metavar="YYYY-MM-DD", help="without: lists the days")
    trail.add_argument("--export-json", type=Path, metavar="FILE")
    doctor = commands.add_parser("doctor", help="check what compare needs, with remedies")
    doctor.add_argument("--stack", metavar="NAME", help="check this stack on AWS, too")
    doctor.add_argument("--region", metavar="NAME", help="of the stack; default: AWS's own rules")
    aws_commands.add_commands(commands, _day, _positive)
    for command in (compare, verify, fuzz):
        command.add_argument(
            "--clients", type=_names, default=(), metavar="A,B", help="only these: sdk, light"
        )
    for command in (compare, verify, fuzz, doctor):
        command.add_argument(
            "--template",
            type=Path,
            metavar="FILE",
            help="of other functions; default template.yaml",
        )
    return parser


def _add_report_files(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--html", type=Path, metavar="FILE", help="a page with plots")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="tables for a README")
    parser.add_argument("--csv", type=Path, metavar="FILE", help="the samples")


def _count(text: str, least: int = 0) -> int:
    if not text.isdecimal() or int(text) < least:
        raise argparse.ArgumentTypeError(f"{text} is no whole number of at least {least}")
    return int(text)


def _positive(text: str) -> int:
    return _count(text, least=1)


def _slowdown(text: str) -> float:
    try:
        value = float(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text} is no number") from error
    if not value >= 1:
        raise argparse.ArgumentTypeError(f"{text} is below 1")
    return value


def _switches(text: str) -> tuple[bool, ...]:
    switches = {"on": True, "off": False}
    if unknown := [each for each in text.split(",") if each not in switches]:
        raise argparse.ArgumentTypeError(f"{unknown[0]} is neither on nor off")
    return tuple(switches[each] for each in text.split(","))


def _positives(text: str) -> tuple[int, ...]:
    return tuple(_positive(each) for each in text.split(","))


def _latencies(text: str) -> tuple[Latency, ...]:
    from harness.local.latency import parse_latency

    try:
        return tuple(parse_latency(each) for each in text.split(","))
    except UsageError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _day(text: str) -> date:
    try:
        day = date.fromisoformat(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text} is no day of the form YYYY-MM-DD") from error
    if day.year < 1000:
        raise argparse.ArgumentTypeError(f"{text} is before the year 1000")
    return day


def _names(text: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    if not names:
        raise argparse.ArgumentTypeError("names nothing")
    return names


def _compare(arguments: argparse.Namespace, doors: Doors) -> int:
    from harness.compare import Request, compare
    from harness.export import read_export, to_json
    from harness.fixtures.recipe import Recipe
    from harness.fixtures.survey import survey
    from harness.fixtures.trail import find_trail
    from harness.gate import judge_slowdown
    from harness.local.limits import Limits
    from harness.report import render
    from harness.terminal import progress_on
    from harness.trail_report import render_oddities

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
    with _doors_to_target(arguments, request, doors) as doors, progress_on(sys.stderr) as progress:
        comparison = compare(
            request,
            doors,
            progress,
            # a kill loses one round at most
            lambda so_far: None if file is None else _export(to_json(so_far), file),
            earlier,
        )
        oddities = None
        if arguments.source is not None:
            limit = int(str(comparison.settings["MAX_SOURCE_BYTES"]))
            oddities = survey(find_trail(arguments.source), arguments.day, limit, progress)
    exported = to_json(comparison)
    if oddities is not None:
        exported["oddities"] = oddities.to_json()
    _export(exported, arguments.export_json)
    _write_reports(comparison, arguments)
    render(comparison, sys.stdout)
    if oddities is not None:
        print()
        render_oddities(oddities, sys.stdout)
    if comparison.interrupted:
        return _complain("interrupted: the samples up to here are above", INTERRUPTED)
    code = _exit_code(comparison, required=bool(arguments.languages or arguments.require_all))
    if os.environ.get("CI") and doors.may_limit() and (names := _unheld(comparison)):
        reason = f"CI: limits could be set here, and were not for {', '.join(names)}"
        code = max(code, _complain(f"{reason} (--no-limits asks for none)", DIFFERENT))
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
def _doors_to_target(
    arguments: argparse.Namespace, request: Request, doors: Doors
) -> Iterator[Doors]:
    """``doors`` themselves, or those of the stack that is named."""
    if arguments.target == "local":
        if arguments.stack or arguments.snap_start:
            raise UsageError("--stack and --snap-start need --target aws")
        yield doors
        return
    from harness.aws.comparison import ask, aws_doors
    from harness.aws.session import open_clients
    from harness.aws.stack import read_stack
    from harness.toolchain import to_stderr

    if not arguments.stack:
        raise UsageError("--target aws needs --stack NAME: what `sam deploy` made")
    clients = open_clients(arguments.region)
    stack = read_stack(clients, arguments.stack)
    with aws_doors(
        request, clients, stack, doors.load(), ask(arguments.yes), to_stderr
    ) as to_stack:
        yield to_stack


def _report(arguments: argparse.Namespace, _: Doors) -> int:
    from harness.export import read_export
    from harness.report import render, render_side_by_side

    comparisons = {file.name: read_export(file) for file in arguments.files}
    if len(comparisons) < len(arguments.files):
        raise UsageError("two of the files have the same name: the columns would, too")
    if len(comparisons) > 1:
        if arguments.csv:
            raise UsageError("--csv is of one file: the samples of several are no table")
        _write_side_by_side(comparisons, arguments)
        render_side_by_side(comparisons, sys.stdout)
        return OK
    (comparison,) = comparisons.values()
    _write_reports(comparison, arguments)
    render(comparison, sys.stdout)
    return OK


def _write_reports(comparison: Comparison, arguments: argparse.Namespace) -> None:
    if arguments.html is not None:
        from harness.page.page import render_page

        write(arguments.html, render_page(comparison))
    if arguments.markdown is not None or arguments.csv is not None:
        from harness.text_report import markdown, samples_csv

        if arguments.markdown is not None:
            write(arguments.markdown, markdown(comparison))
        if arguments.csv is not None:
            write(arguments.csv, samples_csv(comparison))


def _write_side_by_side(comparisons: SideBySide, arguments: argparse.Namespace) -> None:
    if arguments.html is not None:
        from harness.page.page import render_side_by_side_page

        write(arguments.html, render_side_by_side_page(comparisons))
    if arguments.markdown is not None:
        from harness.text_report import side_by_side_markdown

        write(arguments.markdown, side_by_side_markdown(comparisons))


def _trail(arguments: argparse.Namespace, _: Doors) -> int:
    from harness.fixtures.survey import survey
    from harness.fixtures.trail import find_trail
    from harness.terminal import progress_on
    from harness.trail_report import days_to_json, render_days, render_oddities

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
    _export(exported, arguments.export_json)
    return OK


def _export(value: Mapping[str, object], path: Path | None) -> None:
    if path is None:
        return
    write(path, json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def _verify(arguments: argparse.Namespace, doors: Doors) -> int:
    from harness.compare import by_client, choose, choose_clients
    from harness.contract.conformance import conformance, describe
    from harness.contract.vectors import VECTORS, load_cases
    from harness.terminal import progress_on

    cases = load_cases(arguments.vectors or VECTORS, arguments.case)
    if not cases:
        raise UsageError(f"no vector's id matches {arguments.case}")
    chosen = choose(doors.load(), arguments.languages)
    each_client = choose_clients(chosen, arguments.clients)
    unfit = {each.language for each in chosen if not all(f.ok for f in doors.check(each))}
    lacking = {each.name for each in each_client if each.language in unfit}
    with progress_on(sys.stderr) as progress:
        built = by_client(each_client, doors.build(chosen, progress))
        all_done = list(conformance(built, cases, progress))
    for done in all_done:
        print("\n".join(describe(done)))
    # With its tools there, what can't be built or started is the implementation's own fault.
    if any(done.failed or (done.not_ready and done.name not in lacking) for done in all_done):
        return DIFFERENT
    return NOT_READY if any(done.not_ready for done in all_done) else OK


def _mutants(arguments: argparse.Namespace, _: Doors) -> int:
    from random import Random

    from harness.contract.mutants import Fate, describe, load_mutants, run_mutants

    mutants = load_mutants(arguments.languages)
    if arguments.sample is not None:
        mutants = Random(arguments.seed).sample(mutants, min(arguments.sample, len(mutants)))
    fates = []
    for outcome in run_mutants(mutants):
        print(describe(outcome), flush=True)
        fates.append(outcome.fate)
    killed = fates.count(Fate.KILLED)
    print(f"{killed} of {len(fates)} killed")
    return OK if killed == len(fates) else DIFFERENT


def _fuzz(arguments: argparse.Namespace, doors: Doors) -> int:
    from harness.compare import by_client, choose, choose_clients
    from harness.contract.fuzz import describe, fuzz
    from harness.contract.fuzz_days import subjects
    from harness.contract.lake_rounds import describe_lakes, fuzz_lakes, lake_functions
    from harness.contract.scripted_s3 import ScriptedS3
    from harness.terminal import progress_on
    from harness.toolchain import ROOT

    chosen = choose(doors.load(), arguments.languages)
    each_client = choose_clients(chosen, arguments.clients)
    seed = random.randrange(1 << 32) if arguments.seed is None else arguments.seed
    with progress_on(sys.stderr) as progress:
        built = by_client(each_client, doors.build(chosen, progress))
        reasons = [str(each) for each in built.values() if isinstance(each, NotReady)]
        if reasons:
            raise NotReady("\n".join(reasons))
        artefacts = [each for each in built.values() if not isinstance(each, NotReady)]
        keep = arguments.keep or ROOT / ".build/fuzz"
        begin = time.monotonic()
        middle = begin + arguments.seconds * _SHARE_OF_BODIES
        with subjects(artefacts) as each:
            tally = fuzz(each, seed, keep, lambda _: time.monotonic() < middle, progress)
        print("\n".join(describe(tally, seed, time.monotonic() - begin)))
        begin_lakes, end = time.monotonic(), begin + arguments.seconds
        with ScriptedS3() as s3, lake_functions(artefacts) as functions:
            # one round at least, however long the bodies took
            go_on: Callable[[int], bool] = lambda n: n == 0 or time.monotonic() < end  # noqa: E731
            lakes = fuzz_lakes(s3, functions, seed, keep, go_on, progress)
        print("\n".join(describe_lakes(lakes, seed, time.monotonic() - begin_lakes)))
    return DIFFERENT if tally.disagreements or lakes.drafts else OK


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


def _doctor(arguments: argparse.Namespace, doors: Doors) -> int:
    from harness.aws.health import check_stack
    from harness.doctor import check_machine

    machine = list(check_machine())
    _print_findings("this machine", machine)
    stack: list[Finding] = []
    if arguments.stack:
        stack += check_stack(arguments.stack, arguments.region, doors.load())
        _print_findings(f"stack {arguments.stack}", stack)
    findings = {each.language: list(doors.check(each)) for each in doors.load()}
    shared = [f for f in next(iter(findings.values()), []) if _in_all(f, findings.values())]
    _print_findings("every language", shared)
    for language, own in findings.items():
        _print_findings(language, [finding for finding in own if not _in_all(finding, [shared])])
    # without limits a comparison runs, too, and says so
    needed = [finding for finding in machine if finding.name != "limits"]
    every = (*needed, *stack, *(finding for own in findings.values() for finding in own))
    return OK if all(finding.ok for finding in every) else NOT_READY


def _in_all(finding: Finding, lists: Iterable[Sequence[Finding]]) -> bool:
    return all(any(_facts(other) == _facts(finding) for other in each) for each in lists)


def _facts(finding: Finding) -> tuple[str, bool, str]:
    return finding.name, finding.ok, finding.detail


def _print_findings(title: str, findings: Sequence[Finding]) -> None:
    print(title)
    for finding in findings:
        if finding.ok:
            print(f"  ok       {finding.name}: {finding.detail}")
        else:
            print(f"  missing  {finding.name}: {finding.detail}\n           {finding.remedy}")
    if not findings:
        print("  ok       needs nothing more")


def _real_doors(template: Path | None) -> Doors:
    from harness.bench import Doors
    from harness.build import build
    from harness.companions import prepare
    from harness.local.s3server import S3Server
    from harness.local.sandbox import Sandbox
    from harness.machine import describe
    from harness.template import TEMPLATE, load_implementations
    from harness.toolchain import check

    file = TEMPLATE if template is None else template.absolute()
    return Doors(
        partial(load_implementations, file),
        check,
        partial(build, template=file),
        lambda cores: S3Server(cores=cores),
        Sandbox,
        describe,
        prepare=prepare,
    )
