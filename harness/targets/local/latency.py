"""A latency to S3 like that on AWS: toxiproxy runs between the function and the server.

It delays every answer by the latency, plus or minus an evenly distributed jitter. New and kept
connections have the same delay. Bandwidth is not limited.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from harness.model import UsageError
from harness.targets.interface import Latency
from harness.targets.local.toxiproxy import Toxic, proxied

_FORM = re.compile(r"(\d+)ms(?:(?:\+-|±)(\d+)ms)?")


def parse_latency(text: str) -> Latency:
    """From ``20ms`` or ``20ms+-5ms``; raises ``UsageError`` for anything else."""
    found = _FORM.fullmatch(text)
    if found is None:
        raise UsageError(f"{text} is not a latency: write it like 20ms or 20ms+-5ms")
    latency = Latency(int(found[1]), int(found[2] or 0))
    if latency.jitter_ms > latency.latency_ms:
        raise UsageError(f"{text}: make the jitter smaller than the latency")
    return latency


@contextmanager
def delayed(port: int, latency: Latency) -> Iterator[int]:
    """A loopback port that forwards to ``port`` with the latency, until the context ends.

    The calling thread must outlive the context. Raises ``NotReady`` if the proxy does not start.
    """
    late = {"latency": latency.latency_ms, "jitter": latency.jitter_ms}
    with proxied(port) as proxy:
        proxy.add(Toxic("latency", "downstream", late))
        yield proxy.port
