"""The types of arguments, and the arguments that several commands share."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from harness.commands.output_files import write
from harness.model import UsageError

if TYPE_CHECKING:
    from harness.targets.interface import Latency

    type Commands = argparse._SubParsersAction[argparse.ArgumentParser]
    #: A parser, or a group of its flags.
    type Group = argparse._ActionsContainer


def add_report_files(parser: Group) -> None:
    parser.add_argument("--html", type=Path, metavar="FILE", help="write a page with plots")
    parser.add_argument(
        "--markdown", type=Path, metavar="FILE", help="write the tables for a README"
    )
    parser.add_argument("--csv", type=Path, metavar="FILE", help="write a line for each sample")


def add_languages(parser: Group) -> None:
    parser.add_argument(
        "--languages", type=names, default=(), metavar="A,B", help="only these languages"
    )


def add_template(parser: Group) -> None:
    parser.add_argument(
        "--template", type=Path, metavar="FILE", help="the functions of another template"
    )


def add_choice(parser: Group) -> None:
    """The implementations: all of the template's, unless some are named."""
    add_languages(parser)
    parser.add_argument(
        "--clients", type=names, default=(), metavar="A,B", help="only these clients: sdk, light"
    )
    add_template(parser)


def add_range(parser: argparse.ArgumentParser) -> None:
    """Days of the past, for ``range_of``."""
    parser.add_argument("--from", dest="first", type=day, metavar="YYYY-MM-DD", required=True)
    parser.add_argument("--to", dest="last", type=day, metavar="YYYY-MM-DD", required=True)


def add_stack(parser: argparse.ArgumentParser, *, required: bool) -> None:
    parser.add_argument("--stack", metavar="NAME", required=required)
    parser.add_argument("--region", metavar="NAME", help="default: AWS's own rules")


def range_of(arguments: argparse.Namespace) -> tuple[date, date]:
    """The first day and the last; UsageError where they are in the wrong order."""
    if arguments.first > arguments.last:
        raise UsageError(f"--from {arguments.first} is after --to {arguments.last}")
    return arguments.first, arguments.last


def count(text: str, least: int = 0) -> int:
    if not text.isdecimal() or int(text) < least:
        raise argparse.ArgumentTypeError(f"{text} is no whole number of at least {least}")
    return int(text)


def positive(text: str) -> int:
    return count(text, least=1)


def slowdown(text: str) -> float:
    try:
        value = float(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text} is no number") from error
    if not value >= 1:
        raise argparse.ArgumentTypeError(f"{text} is below 1")
    return value


def switches(text: str) -> tuple[bool, ...]:
    switches = {"on": True, "off": False}
    if unknown := [each for each in text.split(",") if each not in switches]:
        raise argparse.ArgumentTypeError(f"{unknown[0]} is neither on nor off")
    return tuple(switches[each] for each in text.split(","))


def positives(text: str) -> tuple[int, ...]:
    return tuple(positive(each) for each in text.split(","))


def latencies(text: str) -> tuple[Latency, ...]:
    from harness.targets.local.latency import parse_latency

    try:
        return tuple(parse_latency(each) for each in text.split(","))
    except UsageError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def day(text: str) -> date:
    try:
        day = date.fromisoformat(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text} is no day of the form YYYY-MM-DD") from error
    if day.year < 1000:
        raise argparse.ArgumentTypeError(f"{text} is before the year 1000")
    return day


def names(text: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    if not names:
        raise argparse.ArgumentTypeError("names nothing")
    return names


def export(value: Mapping[str, object], path: Path | None) -> None:
    if path is None:
        return
    write(path, msgspec.json.format(msgspec.json.encode(value)).decode() + "\n")
