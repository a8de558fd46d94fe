"""What a comparison asks of a place to run: ``Target``, its parts and its settings.

Everything that touches the machine, or AWS, comes through a ``Target``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from harness.model import Artefact, Enforcement, Finding, Implementation, Invocation, NotReady
from harness.terminal import Progress

#: The memory size that has one vCPU:
#: https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html
VCPU_MB = 1769


@dataclass(frozen=True, slots=True)
class Limits:
    """What is asked for; ``throttle_init`` sets the quota from the start."""

    throttle_init: bool = False


@dataclass(frozen=True, slots=True)
class Latency:
    """Milliseconds; ``jitter_ms`` is at most ``latency_ms``."""

    latency_ms: int
    jitter_ms: int = 0

    def __str__(self) -> str:
        return f"{self.latency_ms}ms" + (f"+-{self.jitter_ms}ms" if self.jitter_ms else "")


@dataclass(frozen=True, slots=True)
class Placement:
    """Sets of core numbers as of ``os.sched_setaffinity``; ``None`` is not pinned.

    ``reason`` tells why nothing is pinned, or what the pinning can't keep apart.
    """

    sandbox: frozenset[int] | None
    others: frozenset[int] | None
    reason: str | None = None


class Sandbox(Protocol):
    """One execution environment: its first invocation is the cold one."""

    def invoke(self, event: object) -> Invocation: ...
    def freeze(self) -> None: ...
    def thaw(self) -> None: ...

    @property
    def enforcement(self) -> Enforcement:
        """What holds it to its memory size."""
        ...


class Store(Protocol):
    """The local S3."""

    def env(self) -> dict[str, str]: ...
    def bucket_path(self, bucket: str) -> Path: ...
    def put_file(
        self, bucket: str, key: str, body: bytes, content_encoding: str | None = None
    ) -> None: ...
    def read_tree(self, bucket: str, prefix: str = "") -> Mapping[str, bytes]: ...
    def clear(self, bucket: str) -> None: ...
    def cpu_s(self) -> float | None: ...


class StartsSandbox(Protocol):
    """Makes a sandbox that is not started yet."""

    def __call__(
        self,
        artefact: Artefact,
        env: Mapping[str, str],
        memory_mb: int | None = None,
        *,
        limits: Limits | None = None,
        cores: frozenset[int] | None = None,
        reset_peak: bool = False,
        snap_start: bool | None = None,
    ) -> AbstractContextManager[Sandbox]: ...


@dataclass(frozen=True, slots=True)
class Target:
    """All that touches the machine or AWS; tests hand in others."""

    load: Callable[[], Sequence[Implementation]]
    check: Callable[[Implementation], Sequence[Finding]]
    build: Callable[[Sequence[Implementation], Progress], Mapping[str, Artefact | NotReady]]
    serve: Callable[[frozenset[int] | None], AbstractContextManager[Store]]
    sandbox: StartsSandbox
    describe: Callable[[], Mapping[str, object]]
    delay: Callable[[int, Latency], AbstractContextManager[int]]
    place: Callable[[], Placement]
    may_limit: Callable[[], bool]
    prepare: Callable[[Implementation, Progress], Artefact | NotReady] | None = None
