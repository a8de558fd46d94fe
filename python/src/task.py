"""The entry of a task: one run outside of Lambda, by ``python -m task EVENT`` (SPEC K)."""

import asyncio
import json
import signal
import sys
import time
import uuid
from contextlib import suppress
from typing import get_args

from aggregator.attempts import Attempts
from aggregator.errors import AggregationError, ErrorCode
from aggregator.handler import Prepared, prepare, run

_CODES: tuple[ErrorCode, ...] = get_args(ErrorCode)
_MORE_CHUNKS_THAN_THERE_ARE = 1 << 40
EXIT_CODES = {code: number for number, code in enumerate(_CODES, 10)}  # K3


class TaskContext:
    """What Lambda's context has of an invocation."""

    def __init__(self, limit_s: float) -> None:
        self.aws_request_id = str(uuid.uuid4())
        self._ends_at = time.monotonic() + limit_s

    def get_remaining_time_in_millis(self) -> int:
        return int((self._ends_at - time.monotonic()) * 1000)


def main(text: str) -> int:
    """Do the run and give the exit code."""
    try:
        event = json.loads(text)
    except ValueError:
        event = text  # which is no object (T5)
    try:
        run(event, TaskContext(_limit_s()), _prepare_stoppable)
    except AggregationError as error:
        return EXIT_CODES[error.code]
    return 0


def _limit_s() -> float:
    try:
        return prepare().config.task_timeout_s
    except AggregationError:
        return 0  # the run reports it


def _prepare_stoppable() -> Prepared:
    return prepare()._replace(begin=_stop_at_sigterm)


def _stop_at_sigterm(attempts: Attempts) -> None:
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, _stop, attempts)


def _stop(attempts: Attempts) -> None:
    """Reserve more time than there is, so that the run has none left (K4)."""
    with suppress(RuntimeError):  # the run ends already
        attempts.reserve_time(_MORE_CHUNKS_THAN_THERE_ARE)


if __name__ == "__main__":
    sys.exit(main(" ".join(sys.argv[1:])))
