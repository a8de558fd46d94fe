"""``preflight``: find what would stop a task in ECS, before it costs an hour."""

from __future__ import annotations

import argparse
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

from harness.commands.arguments import add_export, add_stack, as_json
from harness.commands.exits import DIFFERENT
from harness.commands.output_files import reserved, write_each
from harness.toolchain.paths import ROOT

if TYPE_CHECKING:
    from harness.commands.arguments import Commands
    from harness.preflight.model import Fault
    from harness.targets.interface import Target

_WIDTH = 100


def add_parser(commands: Commands) -> None:
    parser = commands.add_parser(
        "preflight",
        help="find what would stop a task in ECS, in a template or a stack",
        description="Look for the usual reasons why a task of ECS does not start or does not stay: "
        "the network, the roles, the logs, the image, the size, the service. Each fault comes with "
        "its place, the error that ECS would show, where it would be seen, and the remedy. Nothing "
        "is changed. Exit code 1: there is a fault.",
    )
    parser.add_argument(
        "--template",
        type=Path,
        metavar="FILE",
        help="the template; default: container.yaml",
    )
    add_stack(parser, required=False)
    parser.add_argument(
        "--parameters",
        type=_parameter,
        nargs="+",
        action="extend",
        default=[],
        metavar="NAME=VALUE",
        help="values of the template's parameters; default: their defaults",
    )
    parser.add_argument(
        "--image", type=Path, metavar="DIR", help="the image of the template, as an OCI layout"
    )
    add_export(parser)
    parser.set_defaults(run=run)


def _parameter(text: str) -> tuple[str, str]:
    name, sign, value = text.partition("=")
    if not name or not sign:
        raise argparse.ArgumentTypeError(f"{text} is not of the form NAME=VALUE")
    return name, value


def run(arguments: argparse.Namespace, _: Target) -> int:
    from harness.model import UsageError

    if arguments.stack:
        for name in ("template", "parameters", "image"):
            if getattr(arguments, name):
                raise UsageError(f"--{name} is for a template: leave it out with --stack")
    elif arguments.region:
        raise UsageError("--region is that of a stack: add --stack NAME")
    template = None if arguments.stack else arguments.template or ROOT / "container.yaml"
    with reserved([arguments.export_json], [template]):
        return _check(arguments, template)


def _check(arguments: argparse.Namespace, template: Path | None) -> int:
    from harness.preflight.check import faults_of, read_template
    from harness.preflight.stack import read_deployment

    if template is None:
        deployment = read_deployment(arguments.stack, arguments.region)
        name = f"stack {arguments.stack}"
    else:
        deployment = read_template(template, dict(arguments.parameters), arguments.image)
        name = template.name
    found = faults_of(deployment)
    for fault in found:
        _print(fault)
    count = {0: "no fault", 1: "1 fault"}.get(len(found), f"{len(found)} faults")
    unknown = list(deployment.unknown)
    print(_filled(f"{name}: {count}{'; not known: ' if unknown else ''}{', '.join(unknown)}"))
    faults = [_exported(each) for each in found]
    exported = {"of": name, "faults": faults, "not_known": unknown}
    file = arguments.export_json
    code = write_each([] if file is None else [(file, lambda: as_json(exported))])
    return DIFFERENT if found else code


def _print(fault: Fault) -> None:
    rule = fault.rule
    print(f"{rule.name}  {fault.place}: {fault.detail}")
    for word, text in (("why", rule.what), (rule.seen, rule.error), ("remedy", rule.remedy)):
        print(_filled(f"{word}: {text}", " " * 4))


def _filled(text: str, indent: str = "") -> str:
    later = f"{indent}    "
    return textwrap.fill(
        text,
        _WIDTH,
        initial_indent=indent,
        subsequent_indent=later,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _exported(fault: Fault) -> dict[str, object]:
    rule = fault.rule
    return {
        "rule": rule.name,
        "place": fault.place,
        "detail": fault.detail,
        "what": rule.what,
        "error": rule.error,
        "seen": rule.seen,
        "remedy": rule.remedy,
        "sources": list(rule.sources),
    }
