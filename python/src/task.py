"""The entry of a task: one run outside of Lambda, by ``python -m task EVENT`` (SPEC K)."""

import os
import signal
import sys

if __name__ == "__main__":  # before the imports that take time: process 1 would lose the signal
    signal.signal(signal.SIGTERM, lambda *_: os._exit(143))  # nothing has begun (K4)

import asyncio
import time
import uuid
from contextlib import suppress
from threading import Timer
from typing import get_args

from aggregator.attempts import Attempts
from aggregator.errors import AggregationError, ErrorCode
from aggregator.handler import Prepared, prepare, run
from aggregator.trigger import STRICT_JSON

_CODES: tuple[ErrorCode, ...] = get_args(ErrorCode)
_MORE_CHUNKS_THAN_THERE_ARE = 1 << 40
EXIT_CODES = {code: number for number, code in enumerate(_CODES, 10)}  # K3
TIME_IS_OVER = 21  # K2


class TaskContext:
    """The part of Lambda's context that a run uses."""

    def __init__(self, limit_s: float) -> None:
        self.aws_request_id = str(uuid.uuid4())
        self._ends_at = time.monotonic() + limit_s

    def get_remaining_time_in_millis(self) -> int:
        return int((self._ends_at - time.monotonic()) * 1000)


def main(text: str) -> int:
    """Do the run and give the exit code."""
    try:
        event = STRICT_JSON.decode(text)
    except (ValueError, RecursionError):
        event = text  # which is no object (T5)
    try:
        run(event, TaskContext(_limit_s()), _prepare_stoppable)
    except AggregationError as error:
        return EXIT_CODES[error.code]
    return 0


def _limit_s() -> float:
    """The run's time, at whose end the process ends, too (K2)."""
    try:
        limit_s = prepare().config.task_timeout_s
    except AggregationError:
        return 0  # the run reports it
    end = Timer(limit_s, os._exit, [TIME_IS_OVER])
    end.daemon = True
    end.start()
    return limit_s


def _prepare_stoppable() -> Prepared:
    return prepare()._replace(begin=_stop_at_sigterm)


def _stop_at_sigterm(attempts: Attempts) -> None:
    """Not asyncio's handler: it runs between two sources only, and is gone after the run."""
    loop = asyncio.get_running_loop()

    def stop(*_: object) -> None:
        _stop(attempts)  # a busy loop sees it
        with suppress(RuntimeError):  # asyncio has ended
            loop.call_soon_threadsafe(_stop, attempts)  # wakes a run that waits

    signal.signal(signal.SIGTERM, stop)


def _stop(attempts: Attempts) -> None:
    """Reserve more time than there is, so that the run has none left (K4)."""
    with suppress(RuntimeError):  # the run ends already
        attempts.reserve_time(_MORE_CHUNKS_THAN_THERE_ARE)


if __name__ == "__main__":
    code = main(" ".join(sys.argv[1:]))
    sys.stdout.flush()
    os._exit(code)  # without a wait for the SDK's threads, which may still ask S3
