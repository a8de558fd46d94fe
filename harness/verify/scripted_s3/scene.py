"""The objects of a vector's S3, its planned failures, and the requests that it got."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from threading import Condition, Lock

DEFAULT_PAGE = 1000
PATIENCE_S = 10


@dataclass(frozen=True, slots=True)
class Stored:
    """An object: its bytes and the headers that it was put with."""

    body: bytes
    content_type: str | None = None
    content_encoding: str | None = None


@dataclass(frozen=True, slots=True)
class Fault:
    """Requests of ``operation`` on ``key`` that fail: the first ``times`` attempts, or all.

    ``key`` may hold ``{request_id}``, which stands for any text without a slash. Either ``status``
    and ``code`` (an S3 error answer) or ``kind`` is given; ``tests/README.md`` explains the kinds.
    ``at`` belongs to the kind ``cut``: how many bytes of the answer are sent, from its end if
    negative; ``body`` stands for all before the body. The answer waits until ``beside`` other
    requests are in flight.
    """

    operation: str
    key: str
    status: int | None = None
    code: str | None = None
    kind: str | None = None
    times: int | None = None
    at: int | str = 0
    beside: int = 0

    def matches(self, operation: str, key: str) -> bool:
        pattern = "[^/]+".join(re.escape(part) for part in self.key.split("{request_id}"))
        return operation == self.operation and re.fullmatch(pattern, key, re.DOTALL) is not None


@dataclass(frozen=True, slots=True)
class Request:
    """One request as it arrived.

    ``detail`` is the token of a list, the source of a copy, the text of a claim that is put.
    ``condition`` is the header that a write depends on, as in ``If-Match: "etag"``, or empty.
    ``checksum`` names the header or trailer with the body's checksum, or is empty. ``code`` is the
    one in an answer that is an error.
    """

    operation: str
    bucket: str
    key: str
    detail: str
    status: int | None
    content_type: str | None
    content_encoding: str | None
    condition: str = ""
    checksum: str = ""
    code: str = ""


@dataclass(slots=True)
class Scene:
    """All that one vector sees; a new one begins with an empty log."""

    buckets: dict[str, dict[str, Stored]]
    faults: tuple[Fault, ...]
    requests: list[Request] = field(default_factory=list)
    failed: Counter[tuple[Fault, str]] = field(default_factory=Counter)
    arrivals: int = 0
    in_flight: int = 0
    most_in_flight: int = 0
    lock: Lock = field(default_factory=Lock)
    arrived: Condition = field(init=False)

    def __post_init__(self) -> None:
        self.arrived = Condition(self.lock)

    def wait_for(self, others: int) -> None:
        """Return when ``others`` requests have been in flight beside this one, or after 10 s."""
        with self.lock:
            missing = self.arrivals + others - (self.in_flight - 1)
            self.arrived.wait_for(lambda: self.arrivals >= missing, timeout=PATIENCE_S)

    def fault(self, operation: str, key: str) -> Fault | None:
        """The fault that this attempt meets, and counts it."""
        with self.lock:
            for fault in self.faults:
                if fault.matches(operation, key):
                    self.failed[fault, key] += 1
                    if fault.times is None or self.failed[fault, key] <= fault.times:
                        return fault
        return None
