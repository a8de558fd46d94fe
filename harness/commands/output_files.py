"""Files that a command writes: checked before the work, and never left half-written."""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from itertools import combinations
from pathlib import Path

from harness.commands.exits import NOT_READY, OK, complain
from harness.model import NotReady, UsageError
from harness.reservation import hold_name
from harness.scratch import is_abandoned, owned_name

_FULL = {errno.ENOSPC: "the disk is full", errno.EDQUOT: "the disk quota is used up"}


@contextmanager
def reserved(
    outputs: Iterable[Path | None], inputs: Iterable[Path | None] = (), trail: Path | None = None
) -> Iterator[None]:
    """Check the outputs before the work, and keep other runs from them until the end.

    Raises ``UsageError`` for a file that can't be written, that is also an input or another
    output, that lies in ``trail``, or that another run has reserved. Links are followed. A device
    such as /dev/stdout may be named more than once.
    """
    named = [file for file in outputs if file is not None]
    for file in named:
        _require_writable(file)
    files = [file for file in named if file.is_file() or not file.exists()]
    for file in files:
        if trail is not None and _is_in_trail(file, trail):
            raise UsageError(f"{file} lies among the sources of {trail}: name a file elsewhere")
    for file, other in combinations(files, 2):
        if is_same(file, other):
            raise UsageError(f"{file} and {other} are one file: name two")
    for file in files:
        for read in inputs:
            if read is not None and is_same(file, read):
                raise UsageError(f"{file} would replace the input {read}: name another file")
    with ExitStack() as stack:
        for file in files:
            stack.enter_context(_only_user(file))
            _remove_abandoned(file.resolve().parent)
        yield


def _require_writable(path: Path) -> None:
    place = path if path.exists() else path.parent
    if path.is_dir() or not place.exists() or not os.access(place, os.W_OK):
        raise UsageError(f"{path} can't be written: name a file in a writable folder")


def is_same(one: Path, other: Path) -> bool:
    """Whether both name one file. Links are followed."""
    if one.exists() and other.exists():
        return one.samefile(other)
    return one.resolve() == other.resolve()


def _is_in_trail(file: Path, trail: Path) -> bool:
    """Whether the file lies in the folder ``AWSLogs`` of a trail."""
    file, trail = file.resolve(), trail.resolve()
    return file.is_relative_to(trail) and "AWSLogs" in (*trail.parts[-1:], *file.parts[:-1])


@contextmanager
def _only_user(file: Path) -> Iterator[None]:
    digest = hashlib.sha256(os.fsencode(file.resolve())).hexdigest()[:32]
    with hold_name(f"output-{digest}") as holder:
        if holder is None:
            raise UsageError(f"another run writes {file}: name another file")
        yield


def _remove_abandoned(folder: Path) -> None:
    for each in folder.glob(".rosetta-*"):
        if is_abandoned(each.name):
            with suppress(OSError):
                each.unlink()


def write(path: Path, text: str) -> None:
    """Write the whole file or nothing. A device such as /dev/stdout is written to directly.

    Raises ``NotReady`` where that fails.
    """
    try:
        if path.exists() and not path.is_file():
            path.write_text(text, encoding="utf-8")
            return
        path = path.resolve()
        unfinished = path.with_name(f".{owned_name('output')}")
        try:
            unfinished.write_text(text, encoding="utf-8")
            unfinished.replace(path)
        finally:
            unfinished.unlink(missing_ok=True)
    except BrokenPipeError:
        raise
    except OSError as error:
        words = _FULL.get(error.errno or 0, error.strerror)
        remedy = "free space there, or name a file elsewhere"
        raise NotReady(f"{path} can't be written: {words}: {remedy}") from error


def write_each(files: Iterable[tuple[Path, Callable[[], str]]]) -> int:
    """Write the files that can be written, and complain about the others; the exit code."""
    code = OK
    for path, text in files:
        try:
            write(path, text())
        except NotReady as error:
            code = complain(str(error), NOT_READY)
    return code
