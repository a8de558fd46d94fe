"""The command line of the harness."""

from __future__ import annotations

import argparse
import errno
import os
import platform
import shutil
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from harness.commands import (
    backfill,
    compact,
    compare,
    crossover,
    disturb,
    doctor,
    drill,
    exercise,
    feed,
    fuzz,
    image,
    mutants,
    preflight,
    query,
    redrive,
    report,
    slides,
    sql,
    status,
    stone,
    task,
    trail,
    verify,
)
from harness.commands.exits import DIFFERENT, INTERRUPTED, NOT_READY, UNREAD, USAGE, complain
from harness.model import HarnessError, NotReady, UsageError
from harness.scratch import temporary
from harness.toolchain.paths import ROOT

if TYPE_CHECKING:
    from harness.targets.interface import Target

_COMMANDS = (
    compare,
    report,
    verify,
    mutants,
    fuzz,
    disturb,
    drill,
    feed,
    query,
    sql,
    exercise,
    trail,
    task,
    image,
    crossover,
    stone,
    slides,
    doctor,
    preflight,
    backfill,
    redrive,
    status,
    compact,
)
_DESCRIPTION = "Build, verify, measure and operate the implementations of the Lambda function."
_EXIT_CODES = """\
`python -m harness COMMAND --help` lists the flags of a command.

Results go to stdout, progress and error messages to stderr. Exit codes:
  0    success: all outputs match, all checks pass
  1    an output differs, or a run failed
  2    the arguments are wrong
  3    a tool or a facility of the system is missing
  130  the command was interrupted
  141  the reader of the output closed it, as in `| head`
"""


def main(argv: Sequence[str], target: Target | None = None) -> int:
    """Run one command and return its exit code. Tests pass a ``target`` that starts nothing."""
    if sys.stdout is None:
        return complain("stdout is closed: redirect it to a file or to /dev/null", USAGE)
    if sys.stderr is None:
        _fill_streams()
    try:
        code = _run(argv, target)
        sys.stdout.flush()  # here, because the interpreter itself would print a traceback
    except BrokenPipeError:
        _discard_output()
        return UNREAD
    return code


def _fill_streams() -> None:
    """Give the closed standard streams to /dev/null, so that no other file takes their place."""
    while os.open(os.devnull, os.O_RDWR) < 2:
        pass
    sys.stderr = os.fdopen(2, "w")


def _discard_output() -> None:
    null = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        os.dup2(null, stream.fileno())


def _run(argv: Sequence[str], target: Target | None) -> int:
    try:
        arguments = _parser().parse_args(argv)
    except SystemExit as end:  # argparse has printed its message
        return end.code if isinstance(end.code, int) else USAGE
    if platform.system() != "Linux":
        return complain(
            "the emulator needs Linux: use a machine or container with Linux, or WSL", NOT_READY
        )
    # imported here: the modules behind this one need Linux
    from harness.targets.local.leftovers import clear_abandoned, clear_own
    from harness.terminal import interruptible

    try:
        with interruptible():
            clear_abandoned()
            template = getattr(arguments, "template", None)
            run: Callable[[argparse.Namespace, Target], int] = arguments.run
            return run(arguments, target or _local_target(template))
    except KeyboardInterrupt:
        clear_own()
        return complain("interrupted", INTERRUPTED)
    except UsageError as error:
        return complain(str(error), USAGE)
    except NotReady as error:
        return complain(f"{error}\n`python -m harness doctor` names other missing parts", NOT_READY)
    except HarnessError as error:
        return complain(str(error), DIFFERENT)
    except BrokenPipeError:
        raise
    except OSError as error:  # for example a full disk, or a folder without write permission
        return complain(_explain(error), NOT_READY)


def _explain(error: OSError) -> str:
    words = f"{error.filename}: " if error.filename else ""
    words += error.strerror or str(error)
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        # the error of a write has no path
        places = {path.stat().st_dev: path for path in (ROOT, temporary())}.values()
        free = (f"{path} has {shutil.disk_usage(path).free >> 20:,} MiB free" for path in places)
        words += f"\n{', '.join(free)}: free space there, or set TMPDIR to a folder with more"
    return words


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m harness",
        description=_DESCRIPTION,
        epilog=_EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(
        dest="command", required=True, title="commands", metavar="COMMAND"
    )
    for command in _COMMANDS:
        command.add_parser(commands)
    return parser


def _local_target(template: Path | None) -> Target:
    from harness.build.sam_build import build
    from harness.build.template import TEMPLATE, load_implementations
    from harness.compare.companions import prepare, sandbox
    from harness.compare.starts import train
    from harness.targets.environment import describe
    from harness.targets.interface import Target
    from harness.targets.local.cgroup_probe import may_limit
    from harness.targets.local.latency import delayed
    from harness.targets.local.placement import place
    from harness.targets.local.store import serve
    from harness.toolchain.check import check

    file = TEMPLATE if template is None else template.absolute()
    return Target(
        partial(load_implementations, file),
        check,
        partial(build, template=file),
        serve,
        sandbox,
        describe,
        delayed,
        place,
        may_limit,
        prepare,
        train,
    )
