"""``doctor``: check the needs of ``compare``, and name remedies."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from harness.commands.arguments import add_region, add_template
from harness.commands.exits import NOT_READY, OK
from harness.model import UsageError

if TYPE_CHECKING:
    from harness.commands.arguments import Commands
    from harness.model import Finding
    from harness.targets.interface import Target


def add_parser(commands: Commands) -> None:
    parser = commands.add_parser(
        "doctor",
        help="check the needs of this machine, and name remedies",
        description="Check the tools and facilities that compare needs. The output names a "
        "remedy for each one that is missing.",
    )
    parser.add_argument("--stack", metavar="NAME", help="check this deployed stack, too")
    add_region(parser)
    add_template(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace, target: Target) -> int:
    from harness.build.doctor import check_machine
    from harness.operate.health import check_stack

    if arguments.region and not arguments.stack:
        raise UsageError("--region is that of a stack: add --stack NAME")
    machine = list(check_machine())
    _print_findings("this machine", machine)
    stack: list[Finding] = []
    if arguments.stack:
        stack += check_stack(arguments.stack, arguments.region, target.load())
        _print_findings(f"stack {arguments.stack}", stack)
    findings = {each.language: list(target.check(each)) for each in target.load()}
    shared = [f for f in next(iter(findings.values()), []) if _in_all(f, findings.values())]
    _print_findings("every language", shared)
    for language, own in findings.items():
        _print_findings(language, [finding for finding in own if not _in_all(finding, [shared])])
    # a comparison also runs without limits; its report says so
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
        print("  ok       nothing else is needed")
