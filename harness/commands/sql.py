"""``sql``: the aggregation of a day by SQL, on AWS's Athena; and what SQL loses of a day."""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from harness.commands.arguments import add_athena, add_region, day
from harness.commands.exits import DIFFERENT, OK
from harness.commands.output_files import reserved, write_each
from harness.model import UsageError

if TYPE_CHECKING:
    from harness.commands.arguments import Commands
    from harness.operate.day_sql import Places
    from harness.targets.aws.session import Clients
    from harness.targets.aws.stack import Stack
    from harness.targets.interface import Target

_PLACE = re.compile(r"s3://([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])/((?:[^/]+/)*)")


def add_parser(commands: Commands) -> None:
    parser = commands.add_parser(
        "sql",
        help="aggregate a day by SQL on Athena, or show what SQL loses",
        description="Run sql/aggregate.athena.sql for one day of a deployed stack by Athena. Its "
        "files go to the stack's prefix for comparisons, not to the published days. Or, with "
        "--losses, run the same statement by a local Trino and DuckDB over peculiar sources, and "
        "print what each loses or changes.",
    )
    chosen = parser.add_mutually_exclusive_group(required=True)
    chosen.add_argument("--stack", metavar="NAME", help="the deployed stack")
    chosen.add_argument(
        "--losses", action="store_true", help="measure on this machine what SQL loses or changes"
    )
    group = parser.add_argument_group("on Athena")
    add_region(group)
    group.add_argument("--day", type=day, metavar="YYYY-MM-DD", help="the day; required")
    group.add_argument(
        "--destination",
        metavar="s3://BUCKET/PREFIX/",
        help="where the day's folder is made; default: sql/ below the stack's fixture prefix",
    )
    add_athena(group)
    group.add_argument("--dry-run", action="store_true", help="print the SQL and run nothing")
    group = parser.add_argument_group("with --losses")
    group.add_argument("--markdown", type=Path, metavar="FILE", help="write the table in Markdown")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace, target: Target) -> int:
    """Exit code 0: done; 1: Athena failed, or the day's manifest counts other records."""
    if arguments.losses:
        if arguments.day or arguments.destination or arguments.dry_run:
            raise UsageError("--day, --destination and --dry-run need --stack: leave out --losses")
        with reserved([arguments.markdown]):
            return _losses(arguments, target)
    if arguments.markdown:
        raise UsageError("--markdown is for the table of --losses: leave it out with --stack")
    if arguments.day is None:
        raise UsageError("--stack needs --day YYYY-MM-DD")
    return _aggregate(arguments)


# ---- on Athena ----


def _aggregate(arguments: argparse.Namespace) -> int:
    from harness.analysis.cost import athena_cost
    from harness.operate.day_sql import aggregate, filled_in
    from harness.operate.status import from_bucket, read_status
    from harness.targets.aws.athena import Athena
    from harness.targets.aws.session import open_clients
    from harness.targets.aws.stack import read_stack
    from harness.terminal import progress_on

    bucket, prefix = _destination(arguments.destination)
    clients = open_clients(arguments.region)
    stack = read_stack(clients, arguments.stack)
    places = _places(clients, stack, bucket, prefix)
    if arguments.dry_run:
        print(filled_in(places, arguments.day))
        return OK
    with progress_on(sys.stderr) as progress:
        athena = Athena(clients, arguments.workgroup, arguments.output, progress)
        result = aggregate(athena, arguments.database, places, arguments.day, progress)
    records = result.written or 0
    print(
        f"{arguments.day}: {records:,} records in {result.seconds:,.1f} s, "
        f"{result.scanned_bytes / 1e6:,.1f} MB scanned, ${athena_cost(result.scanned_bytes):.6f} "
        f"by Athena's price, at s3://{places.destination_bucket}/{places.destination_prefix}"
        f"{arguments.day:%Y/%m/%d}/"
    )
    read = from_bucket(clients, stack.output("DestinationBucket"))
    published = stack.outputs.get("DestinationPrefix", "")
    (status,) = read_status(read, published, [arguments.day], [None])
    if status.counts is None:
        print("no manifest to compare with: the day is not published")
        return OK
    same = status.counts["records"] == records
    print(f"the manifest has {status.counts['records']:,} records{'' if same else ': they differ'}")
    return OK if same else DIFFERENT


def _destination(text: str | None) -> tuple[str | None, str]:
    if text is None:
        return None, ""
    found = _PLACE.fullmatch(text)
    if found is None:
        raise UsageError(f"{text} has not the form s3://BUCKET/PREFIX/")
    return found[1], found[2]


def _places(clients: Clients, stack: Stack, bucket: str | None, prefix: str) -> Places:
    from harness.operate.day_sql import Places
    from harness.operate.trails import TrailFinder

    source, source_prefix = stack.output("SourceBucket"), stack.outputs.get("SourcePrefix", "")
    trails = TrailFinder(clients.s3, source, source_prefix)
    accounts = trails.accounts()
    if bucket is None:
        bucket, prefix = stack.output("FixtureBucket"), f"{stack.output('FixturePrefix')}sql/"
    return Places(source, source_prefix, bucket, prefix, accounts, trails.regions(accounts))


# ---- on this machine ----


def _losses(arguments: argparse.Namespace, target: Target) -> int:
    from harness.compare.companions import DUCKDB, prepare
    from harness.compare.peers.losses import DESTINATION, SOURCES, markdown, measure, render
    from harness.model import NotReady
    from harness.targets.local.s3server import S3Server
    from harness.targets.local.sandbox import LocalSandbox
    from harness.targets.local.trino_server import TrinoServer
    from harness.terminal import progress_on

    with progress_on(sys.stderr) as progress:
        duckdb = prepare(DUCKDB.beside(target.load()[0]), progress)
        if isinstance(duckdb, NotReady):
            raise duckdb
        with S3Server() as s3, TrinoServer(s3, progress=progress) as server:
            for bucket in (SOURCES, DESTINATION):
                s3.bucket_path(bucket)
            env = {
                **duckdb.implementation.environment,
                **s3.env(),
                **{"SRC_BUCKET": SOURCES, "SRC_PREFIX": ""},
                **{"DST_BUCKET": DESTINATION, "DST_PREFIX": ""},
            }
            with LocalSandbox(duckdb, env) as sandbox:
                losses = measure(s3, server, sandbox, progress)
    print(render(losses))
    file = arguments.markdown
    return write_each([] if file is None else [(file, lambda: markdown(losses))])
