"""The command line: arguments in, an exit code out; the work is elsewhere.

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
    from harness.bench import Doors

_COMMANDS = (compare, report, verify, mutants, fuzz, trail, doctor, backfill, redrive, status)


def main(argv: Sequence[str], doors: Doors | None = None) -> int:
    """Run one command. ``doors`` is how tests keep it off the machine."""
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
            run: Callable[[argparse.Namespace, Doors], int] = arguments.run
            return run(arguments, doors or _real_doors(template))
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
