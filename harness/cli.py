"""The command line of the harness.

Exit codes: 0 all matched, 1 mismatch or failed run, 2 usage, 3 environment not ready,
130 interrupted. Results go to stdout, progress and complaints to stderr.
"""

from __future__ import annotations

import argparse
import platform
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from harness.commands import (
    backfill,
    compare,
    doctor,
    fuzz,
    mutants,
    redrive,
    report,
    status,
    trail,
    verify,
)
from harness.commands.exits import DIFFERENT, INTERRUPTED, NOT_READY, USAGE, complain
from harness.model import HarnessError, NotReady, UsageError

if TYPE_CHECKING:
    from harness.targets.interface import Target

_COMMANDS = (compare, report, verify, mutants, fuzz, trail, doctor, backfill, redrive, status)


def main(argv: Sequence[str], target: Target | None = None) -> int:
    """Run one command. ``target`` is how tests keep it off the machine."""
    try:
        arguments = _parser().parse_args(argv)
    except SystemExit as end:  # argparse has said what was wrong
        return end.code if isinstance(end.code, int) else USAGE
    if platform.system() != "Linux":
        return complain(
            "the emulator needs Linux: run this in a Linux machine, container or WSL", NOT_READY
        )
    # Only now: the modules behind this need Linux.
    from harness.terminal import interruptible

    try:
        with interruptible():
            template = getattr(arguments, "template", None)
            run: Callable[[argparse.Namespace, Target], int] = arguments.run
            return run(arguments, target or _local_target(template))
    except KeyboardInterrupt:
        return complain("interrupted", INTERRUPTED)
    except UsageError as error:
        return complain(str(error), USAGE)
    except NotReady as error:
        return complain(f"{error}\n`python -m harness doctor` checks everything", NOT_READY)
    except HarnessError as error:
        return complain(str(error), DIFFERENT)
    except OSError as error:  # a full disk, a folder that may not be written
        place = f"{error.filename}: " if error.filename else ""
        return complain(f"{place}{error.strerror or error}", NOT_READY)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m harness", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for command in _COMMANDS:
        command.add_parser(commands)
    return parser


def _local_target(template: Path | None) -> Target:
    from harness.build.sam_build import build
    from harness.build.template import TEMPLATE, load_implementations
    from harness.compare.companions import prepare
    from harness.targets.environment import describe
    from harness.targets.interface import Target
    from harness.targets.local.cgroup_probe import may_limit
    from harness.targets.local.latency import delayed
    from harness.targets.local.placement import place
    from harness.targets.local.s3server import S3Server
    from harness.targets.local.sandbox import LocalSandbox
    from harness.toolchain.check import check

    file = TEMPLATE if template is None else template.absolute()
    return Target(
        partial(load_implementations, file),
        check,
        partial(build, template=file),
        lambda cores: S3Server(cores=cores),
        LocalSandbox,
        describe,
        delayed,
        place,
        may_limit,
        prepare,
    )
