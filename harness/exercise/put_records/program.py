"""A learner's program in one language: how it starts, and its conversation with the check."""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from harness.exercise.put_records.judge import FaultError, Judge
from harness.exercise.put_records.vectors import Vector
from harness.toolchain.programs import find_go, find_jdk
from harness.toolchain.tools import find_node

FILES = {
    "python": "put_records.py",
    "java": "PutRecords.java",
    "javascript": "put_records.mjs",
    "go": "put_records.go",
}
_ANSWER_S = 60  # the first answer waits for a compiler
_MOST_LINES = 1_000


def command(language: str, file: Path) -> Sequence[str | Path]:
    """Raises ``NotReady`` without the language's tools."""
    match language:
        case "java":
            return find_jdk(25) / "bin/java", file
        case "javascript":
            return find_node(), file
        case "go":
            return find_go(), "run", file
        case _:
            return sys.executable, file


class Outcome(NamedTuple):
    """The fault, if there is one, and how many records the stream has twice."""

    fault: str | None
    doubles: int = 0


def outcomes(started: Sequence[str | Path], vectors: Sequence[Vector]) -> Iterator[Outcome]:
    """One for each vector. A program that has failed is started again."""
    left = list(vectors)
    while left:
        with _running(started) as conversation:
            while left:
                outcome = _outcome(conversation, left.pop(0))
                yield outcome
                if outcome.fault is not None:
                    break


def _outcome(conversation: _Conversation, vector: Vector) -> Outcome:
    judge = Judge(vector)
    conversation.tell(" ".join(("sizes", *map(str, vector.sizes))))
    try:
        for _ in range(_MOST_LINES):
            line = conversation.hear()
            answer = judge.answer(line)
            if line == "done":
                return Outcome(None, judge.doubles)
            if answer is not None:
                conversation.tell(answer)
    except FaultError as error:
        return Outcome(str(error))
    return Outcome(f"it is not done after {_MOST_LINES} lines")


class _Conversation:
    """Lines to a process, and its lines, each within a time."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self._lines: queue.Queue[str | None] = queue.Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._lines.put(line.rstrip("\n"))
        self._lines.put(None)

    def join(self) -> None:
        """After the process: its pipes are closed when nobody reads them any more."""
        self._reader.join()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with suppress(BrokenPipeError):
                    pipe.close()

    def tell(self, line: str) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(f"{line}\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            return  # the next line tells that it has ended

    def hear(self) -> str:
        try:
            line = self._lines.get(timeout=_ANSWER_S)
        except queue.Empty:
            raise FaultError(f"it has said nothing for {_ANSWER_S} s") from None
        if line is None:
            raise FaultError("it has ended; its own words stand above")
        return line


@contextmanager
def _running(started: Sequence[str | Path]) -> Iterator[_Conversation]:
    process = subprocess.Popen(
        started,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,  # `go run` has a child
    )
    conversation = _Conversation(process)
    try:
        yield conversation
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        conversation.join()
