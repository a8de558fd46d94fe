"""The types of arguments, and the arguments that several commands share."""

from __future__ import annotations

import argparse
import math
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from harness.model import Start, UsageError

if TYPE_CHECKING:
    from harness.targets.interface import Latency

    type Commands = argparse._SubParsersAction[argparse.ArgumentParser]
    #: A parser, or a group of its flags.
    type Group = argparse._ActionsContainer


def add_report_files(parser: Group) -> None:
    parser.add_argument("--html", type=Path, metavar="FILE", help="write a page with plots")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write tables in Markdown")
    parser.add_argument("--csv", type=Path, metavar="FILE", help="write one line per sample")


def add_languages(parser: Group) -> None:
    parser.add_argument(
        "--languages",
        type=names,
        default=(),
        metavar="A,B",
        help="use only these, e.g. go,python; default: all",
    )


def add_template(parser: Group) -> None:
    parser.add_argument(
        "--template", type=Path, metavar="FILE", help="read the functions from another template"
    )


def add_choice(parser: Group) -> None:
    """The flags that choose implementations; without them all of the template's are used."""
    add_languages(parser)
    parser.add_argument(
        "--clients",
        type=names,
        default=(),
        metavar="A,B",
        help="use only these S3 clients: sdk, light; default: all",
    )
    add_template(parser)


def add_range(parser: argparse.ArgumentParser) -> None:
    """The first and the last day of a range, for ``range_of``."""
    parser.add_argument(
        "--from",
        dest="first",
        type=day,
        metavar="YYYY-MM-DD",
        required=True,
        help="the first day; required",
    )
    parser.add_argument(
        "--to",
        dest="last",
        type=day,
        metavar="YYYY-MM-DD",
        required=True,
        help="the last day, inclusive; required",
    )


def add_stack(parser: argparse.ArgumentParser, *, required: bool) -> None:
    words = "the deployed stack; required" if required else "the deployed stack"
    parser.add_argument("--stack", metavar="NAME", required=required, help=words)
    add_region(parser)


def add_region(parser: Group) -> None:
    parser.add_argument(
        "--region", metavar="NAME", help="the stack's region; default: that of your AWS settings"
    )


def add_copy(parser: Group) -> None:
    """A local copy of the destination bucket, where a command also takes a stack."""
    parser.add_argument(
        "--destination",
        type=Path,
        metavar="DIR",
        help="a local copy of the destination bucket, in place of a stack",
    )
    parser.add_argument("--prefix", default="", help="the value of DST_PREFIX below --destination")


def add_athena(parser: Group) -> None:
    """The database, the workgroup and the place of results of Athena."""
    parser.add_argument(
        "--database",
        default="default",
        metavar="NAME",
        help="Glue's database for the tables of the run; default: default",
    )
    parser.add_argument(
        "--workgroup",
        default="primary",
        metavar="NAME",
        help="Athena's workgroup; default: primary",
    )
    parser.add_argument(
        "--output",
        metavar="s3://BUCKET/PREFIX/",
        help="place of Athena's own results; default: that of the workgroup",
    )


def add_export(parser: Group) -> None:
    parser.add_argument(
        "--export-json", type=Path, metavar="FILE", help="write all results as JSON"
    )


def range_of(arguments: argparse.Namespace) -> tuple[date, date]:
    """The first and the last day. Raises ``UsageError`` where the first is after the last."""
    if arguments.first > arguments.last:
        raise UsageError(f"--from {arguments.first} is after --to {arguments.last}")
    return arguments.first, arguments.last


def count(text: str, least: int = 0) -> int:
    if not text.isdecimal() or int(text) < least:
        raise argparse.ArgumentTypeError(f"{text} is not a whole number of at least {least}")
    return int(text)


def positive(text: str) -> int:
    return count(text, least=1)


def slowdown(text: str) -> float:
    if not 1 <= (value := _number(text)) < math.inf:
        raise argparse.ArgumentTypeError(f"{text} is not 1 or a number above it")
    return value


def share(text: str) -> float:
    """A number of processors, or a part of one."""
    if not 0 < (value := _number(text)) < math.inf:
        raise argparse.ArgumentTypeError(f"{text} is not a number above 0")
    return value


def seconds(text: str) -> float:
    if not 0 <= (value := _number(text)) < math.inf:
        raise argparse.ArgumentTypeError(f"{text} is not a number of seconds")
    return value


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text} is not a number") from error


def switches(text: str) -> tuple[bool, ...]:
    switches = {"on": True, "off": False}
    if unknown := [each for each in text.split(",") if each not in switches]:
        raise argparse.ArgumentTypeError(f"{unknown[0]} is neither on nor off")
    return tuple(switches[each] for each in text.split(","))


def starts(text: str) -> tuple[Start, ...]:
    known = {each.lower(): each for each in Start}
    if unknown := [each for each in text.split(",") if each not in known]:
        raise argparse.ArgumentTypeError(f"{unknown[0]} is no start: choose of {', '.join(known)}")
    return tuple(known[each] for each in text.split(","))


def positives(text: str) -> tuple[int, ...]:
    return tuple(positive(each) for each in text.split(","))


def latencies(text: str) -> tuple[Latency, ...]:
    return tuple(latency(each) for each in text.split(","))


def latency(text: str) -> Latency:
    from harness.targets.local.latency import parse_latency

    try:
        return parse_latency(text)
    except UsageError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def day(text: str) -> date:
    try:
        day = date.fromisoformat(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text} is not a day of the form YYYY-MM-DD") from error
    if day.year < 1000:
        raise argparse.ArgumentTypeError(f"{text} is before the year 1000")
    return day


def names(text: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    if not names:
        raise argparse.ArgumentTypeError("give at least one name")
    return names


def as_json(value: Mapping[str, object]) -> str:
    return msgspec.json.format(msgspec.json.encode(value)).decode() + "\n"
