"""The terminal of a command: its progress line, and an interruption that leaves no process."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import IO

import psutil
from rich.console import Console
from rich.markup import escape

_PR_SET_CHILD_SUBREAPER = 36

#: Told what is being done, in a few words.
Progress = Callable[[str], None]


def to_stderr(message: str) -> None:
    print(message, file=sys.stderr, flush=True)


@contextmanager
def progress_on(stream: IO[str]) -> Iterator[Progress]:
    """One line that changes on a terminal, a line for each step elsewhere."""
    console = Console(file=stream)
    if not console.is_terminal:
        yield lambda step: print(step, file=stream, flush=True)
        return
    with console.status("starting") as status:
        yield lambda step: status.update(escape(step))


# Loaded before any signal: a handler should not have to.
_prctl = ctypes.CDLL(None, use_errno=True).prctl


@contextmanager
def interruptible() -> Iterator[None]:
    """SIGTERM counts as Ctrl-C, and after either no process that was started here lives on.

    Context managers end what they know. A build's grandchildren only the kernel knows: from the
    signal on this process adopts those whose parent dies, and kills them in the end. Only for
    a main thread whose process has no children but the command's.
    """
    signals = (signal.SIGINT, signal.SIGTERM)
    previous = [signal.signal(each, _interrupt) for each in signals]
    try:
        yield
    except KeyboardInterrupt:
        _kill_descendants()
        raise
    finally:
        for each, handler in zip(signals, previous, strict=True):
            signal.signal(each, handler)


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)
    raise KeyboardInterrupt


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
