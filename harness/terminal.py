"""The progress line of a command, and the end of its processes after an interruption."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import IO, NoReturn

import psutil
import rich.console
from rich.markup import escape

from harness.model import HarnessError

_PR_SET_CHILD_SUBREAPER = 36

#: Shows the current step, given in a few words.
Progress = Callable[[str], None]


def to_stderr(message: str) -> None:
    print(message, file=sys.stderr, flush=True)


def end_with(main: Callable[[Sequence[str]], int]) -> NoReturn:
    """End the process with the code that ``main`` makes of the words behind the command.

    A ``HarnessError`` is told, and gives 2.
    """
    try:
        sys.exit(main(sys.argv[1:]))
    except HarnessError as error:
        to_stderr(str(error))
        sys.exit(2)


class Console(rich.console.Console):
    """rich's console, but a closed pipe is an error. rich would end the process with code 1."""

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError


@contextmanager
def progress_on(stream: IO[str]) -> Iterator[Progress]:
    """Show the current step: in one changing line on a terminal, else in a line for each step."""
    console = Console(file=stream)
    if not console.is_terminal:
        # in one write: steps of several threads may end at the same time
        yield lambda step: print(f"{step}\n", end="", file=stream, flush=True)
        return
    with console.status("starting") as status:
        yield lambda step: status.update(escape(step))


# loaded here, because a signal handler should not load a library
_prctl = ctypes.CDLL(None, use_errno=True).prctl


@contextmanager
def interruptible() -> Iterator[None]:
    """Treat SIGTERM and SIGHUP as Ctrl-C, and end all descendants of this process after each.

    SIGHUP comes when the terminal is closed; under ``nohup`` it stays ignored. After the first
    signal only Ctrl-C is obeyed, so that a second SIGHUP does not disturb the end.

    Context managers end the processes that they started. They do not know the children of those
    processes, such as those of a build. So after the signal this process adopts every descendant
    whose parent dies, and kills it at the end. Use it in the main thread only, and only where all
    children of the process belong to the command.
    """
    came: list[int] = []

    def interrupt(number: int, _frame: FrameType | None) -> None:
        came.append(number)
        _prctl(_PR_SET_CHILD_SUBREAPER, 1)
        for each in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(each, signal.SIG_IGN)
        raise KeyboardInterrupt

    signals = [signal.SIGINT, signal.SIGTERM]
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        signals.append(signal.SIGHUP)
    previous = [signal.signal(each, interrupt) for each in signals]
    try:
        yield
    except Exception as error:
        if came:  # such as an OSError, because a closed terminal takes no message
            raise KeyboardInterrupt from error
        raise
    finally:
        if came:
            _kill_descendants()
        for each, handler in zip(signals, previous, strict=True):
            signal.signal(each, handler)


def _kill_descendants() -> None:
    own = psutil.Process(os.getpid())
    while family := [child for child in own.children(recursive=True) if _lives(child)]:
        for child in family:
            try:
                child.kill()
            except psutil.NoSuchProcess:
                continue
        psutil.wait_procs(family, timeout=5)


def _lives(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
