"""``feed``: play a third party's stream, and count what becomes of each message."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from harness.commands.arguments import add_export, as_json, names, positive
from harness.commands.exits import DIFFERENT
from harness.commands.output_files import reserved, write_each

if TYPE_CHECKING:
    from harness.commands.arguments import Commands
    from harness.feed.buffers import Hint
    from harness.feed.run import Contender, Request
    from harness.targets.interface import Target


def add_parser(commands: Commands) -> None:
    parser = commands.add_parser(
        "feed",
        help="play a source of small files, and count the losses on the way",
        description="Play a third party's WebSocket stream, with cuts, doubles and gaps. A client "
        "puts it into a local Kinesis with the limits of shards, and a consumer writes files in "
        "CloudTrail's layout. Count each message from end to end. Times are of the stream's clock.",
    )
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="keep the files of the last client in a new folder"
    )
    parser.add_argument(
        "--seconds",
        type=positive,
        default=300,
        metavar="N",
        help="length of the stream; default: 300",
    )
    parser.add_argument(
        "--rate", type=positive, default=10, metavar="N", help="messages a second; default: 10"
    )
    parser.add_argument(
        "--speed", type=positive, default=5, metavar="N", help="play N times as fast; default: 5"
    )
    parser.add_argument(
        "--seed", type=positive, default=1, metavar="S", help="seed of the stream; default: 1"
    )
    parser.add_argument(
        "--shards", type=positive, default=2, metavar="N", help="shards of Kinesis; default: 2"
    )
    parser.add_argument(
        "--shard-share",
        type=_share,
        default=0.02,
        metavar="X",
        help="share of AWS's limits that a shard has, as the stream is small; default: 0.02",
    )
    parser.add_argument(
        "--replay",
        type=positive,
        default=300,
        metavar="N",
        help="messages that the third party can send again; default: 300",
    )
    parser.add_argument(
        "--hint",
        type=_hint,
        default="5/60",
        metavar="MIB/S",
        help="size and time at which the consumer writes a buffer; default: 5/60",
    )
    parser.add_argument(
        "--hints",
        type=_hints,
        default="1/60,5/300,64/900,128/900",
        metavar="MIB/S,MIB/S",
        help="hints of the table of file sizes; default: 1/60,5/300,64/900,128/900",
    )
    parser.add_argument(
        "--hint-minutes",
        type=positive,
        default=60,
        metavar="N",
        help="minutes of the stream for that table; default: 60",
    )
    parser.add_argument(
        "--clients",
        type=names,
        default=("naive", "account", "number"),
        metavar="A,B",
        help="only these: naive; account and number are the client with that partition key",
    )
    parser.add_argument(
        "--no-faults", action="store_true", help="no cuts, outages and kills beside the plan's own"
    )
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write tables in Markdown")
    add_export(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace, _: Target) -> int:
    """Exit code 1: a message is lost without a word, or has another text."""
    with reserved([arguments.markdown, arguments.export_json]):
        return _measure(arguments)


def _measure(arguments: argparse.Namespace) -> int:
    from harness.feed.run import measure
    from harness.feed.tables import render, to_json
    from harness.fixtures.trail import find_trail
    from harness.targets.environment import describe
    from harness.terminal import progress_on

    request = _request(arguments)
    out: Path | None = arguments.out
    if out is not None:
        _make_new(out)
    environment = describe()
    with progress_on(sys.stderr) as progress:
        outcome = measure(request, out, progress)
    print(render(outcome))
    for problem in outcome.problems():
        print(f"\n{problem}")
    if out is not None:
        for day in find_trail(out).days:
            print(f"\nNext: python -m harness compare --source {out} --day {day}")
    code = write_each(
        (file, text)
        for file, text in (
            (arguments.markdown, lambda: render(outcome, "github") + "\n"),
            (arguments.export_json, lambda: as_json(to_json(outcome, environment))),
        )
        if file is not None
    )
    return DIFFERENT if outcome.problems() else code


def _request(arguments: argparse.Namespace) -> Request:
    from harness.feed.plan import Recipe
    from harness.feed.run import Request

    return Request(
        recipe=Recipe(arguments.seed, arguments.seconds, arguments.rate),
        speed=arguments.speed,
        shards=arguments.shards,
        shard_share=arguments.shard_share,
        replay=arguments.replay,
        hint=arguments.hint,
        faults=not arguments.no_faults,
        contenders=_contenders(arguments),
        hints=arguments.hints,
        hint_seconds=60 * arguments.hint_minutes,
    )


def _contenders(arguments: argparse.Namespace) -> tuple[Contender, ...]:
    from harness.feed.run import BY_ACCOUNT, BY_NUMBER, NAIVE
    from harness.model import UsageError

    known = {"naive": NAIVE, "account": BY_ACCOUNT, "number": BY_NUMBER}
    if unknown := [name for name in arguments.clients if name not in known]:
        raise UsageError(f"unknown client {', '.join(unknown)}; known are {', '.join(known)}")
    if arguments.out is not None and arguments.clients == ("naive",):
        raise UsageError("--out keeps the files of a client that keeps account: name one")
    return tuple(known[name] for name in arguments.clients)


def _make_new(folder: Path) -> None:
    from harness.model import UsageError

    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"{folder} is not empty: name a new folder")
    folder.mkdir(parents=True, exist_ok=True)


def _share(text: str) -> float:
    try:
        share = float(text)
    except ValueError:
        share = 0.0
    if not 0 < share <= 1:
        raise argparse.ArgumentTypeError(f"{text} is no share above 0 and up to 1")
    return share


def _hint(text: str) -> Hint:
    from harness.feed.buffers import Hint

    size, _, seconds = text.partition("/")
    if not (size.isdecimal() and 1 <= int(size) <= 128):
        raise argparse.ArgumentTypeError(f"{text}: a size is from 1 to 128 MiB, as in 5/60")
    if not (seconds.isdecimal() and 1 <= int(seconds) <= 900):
        raise argparse.ArgumentTypeError(f"{text}: a time is from 1 to 900 s, as in 5/60")
    return Hint(int(size), int(seconds))


def _hints(text: str) -> tuple[Hint, ...]:
    return tuple(_hint(each) for each in text.split(","))
