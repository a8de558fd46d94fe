"""The faults of a run, and their times: cuts of both connections, two outages, and two kills."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass

from harness.feed.clock import Clock
from harness.targets.local.toxiproxy import Proxy, Toxic

#: The bytes of Kinesis's answer that come through: it has the records, and the client can't know.
_ANSWER_BYTES = 100
_ANSWERS_CUT_S = 5.0
_UNREACHABLE_S = 10.0


@dataclass(frozen=True, slots=True)
class Fault:
    """``share`` says at which share of the run it happens."""

    share: float
    about: str
    happen: Callable[[], None]


def faults(
    line: Proxy,
    way: Proxy,
    clock: Clock,
    outage_s: float,
    kill_client: Callable[[], None],
    kill_consumer: Callable[[], None],
) -> Sequence[Fault]:
    """``line`` leads to the third party, ``way`` to Kinesis. All seconds are of the stream."""

    def wait(seconds: float) -> None:
        time.sleep(clock.real(seconds))

    def cut_answers() -> None:
        way.add(Toxic("limit_data", "downstream", {"bytes": _ANSWER_BYTES}))
        wait(_ANSWERS_CUT_S)
        way.begin_anew()

    def break_line() -> None:
        line.close()
        wait(outage_s)
        line.create()

    def break_way() -> None:
        way.close()
        wait(_UNREACHABLE_S)
        way.create()

    return (
        Fault(0.1, "the line to the third party is cut", line.begin_anew),
        Fault(0.2, "Kinesis's answers are cut off", cut_answers),
        Fault(0.3, "the client is killed and started again", kill_client),
        Fault(0.4, "the third party can't be reached for longer than it remembers", break_line),
        Fault(0.7, "Kinesis can't be reached", break_way),
        Fault(0.8, "the consumer is killed and started again", kill_consumer),
    )


def run_faults(
    chosen: Sequence[Fault],
    clock: Clock,
    seconds: float,
    playing: Future[None],
    look: Callable[[], None],
) -> None:
    """Let each happen at its time, and return when the stream has been played.

    ``look`` is called before each.
    """
    began = clock.now()
    for each in chosen:
        time.sleep(max(0.0, clock.real(began + each.share * seconds - clock.now())))
        look()
        each.happen()
    playing.result()
