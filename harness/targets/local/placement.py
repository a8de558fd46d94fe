"""The cores for the function, and those for the S3 server and the harness."""

from __future__ import annotations

import os
from collections.abc import Iterator, Set
from contextlib import contextmanager
from pathlib import Path

from harness.targets.interface import Placement


def place(cores: Set[int] | None = None) -> Placement:
    """One core for the sandbox, the others for the rest; ``cores`` default to the caller's.

    The sandbox gets the last core, because the first often serves the devices. If enough cores are
    left, the other hardware threads of the sandbox's physical core stay unused.
    """
    usable = os.sched_getaffinity(0) if cores is None else cores
    if len(usable) < 2:
        return Placement(None, None, "the function and the S3 server share the only core")
    own = max(usable)
    others = frozenset(usable) - {own}
    if apart := others - _threads_beside(own):
        return Placement(frozenset({own}), apart)
    return Placement(
        frozenset({own}), others, "the cores are hardware threads of one physical core"
    )


@contextmanager
def pinned(cores: frozenset[int] | None) -> Iterator[None]:
    """Run the calling thread on ``cores``, and all threads and children that it then starts."""
    before = os.sched_getaffinity(0)
    if cores is not None:
        os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def _threads_beside(core: int) -> frozenset[int]:
    topology = Path(f"/sys/devices/system/cpu/cpu{core}/topology/thread_siblings_list")
    try:
        spans = topology.read_text().strip().split(",")
    except OSError:
        return frozenset()
    ends = [span.partition("-") for span in spans if span]
    return frozenset(
        core for first, _, last in ends for core in range(int(first), int(last or first) + 1)
    )
