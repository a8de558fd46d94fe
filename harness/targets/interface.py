"""The interface of a target: ``Target``, its parts and its settings.

A comparison uses the machine or AWS only through a ``Target``.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence, Set
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from harness.model import (
    Artefact,
    Enforcement,
    Finding,
    Implementation,
    Invocation,
    NotReady,
    Start,
)
from harness.terminal import Progress

#: The memory size that has one vCPU:
#: https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html
VCPU_MB = 1769


@dataclass(frozen=True, slots=True)
class Limits:
    """The requested limits. With ``throttle_init`` the CPU quota also holds during the init."""

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
    """Core numbers of the sandbox and of the rest, for ``os.sched_setaffinity``.

    ``None`` is not pinned. ``reason`` says why nothing is pinned, or what the cores still share.
    """

    sandbox: frozenset[int] | None
    others: frozenset[int] | None
    reason: str | None = None

    def cores(self, vcpus: float) -> frozenset[int] | None:
        """Those of a sandbox. One core is too few for more than one vCPU, so it takes the rest."""
        if self.sandbox is None or self.others is None or vcpus <= 1:
            return self.sandbox
        return self.sandbox | self.others


class Sandbox(Protocol):
    """One execution environment: its first invocation is the cold one."""

    def invoke(self, event: object) -> Invocation: ...
    def freeze(self) -> None: ...
    def thaw(self) -> None: ...

    @property
    def enforcement(self) -> Enforcement:
        """The limits that it runs under."""
        ...


class Store(Protocol):
    """The S3 that holds a comparison's objects."""

    def env(self, *, tls: bool) -> dict[str, str]:
        """The variables that point a function to it, over TLS or over plain HTTP."""
        ...

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
        start: Start | None = None,
    ) -> AbstractContextManager[Sandbox]: ...


@dataclass(frozen=True, slots=True)
class Target:
    """The functions that use the machine or AWS. Tests pass others.

    ``serve`` gets the cores of the store, and ``True`` for a store over TLS, ``False`` for one over
    plain HTTP, or both.
    """

    load: Callable[[], Sequence[Implementation]]
    check: Callable[[Implementation], Sequence[Finding]]
    build: Callable[[Sequence[Implementation], Progress], Mapping[str, Artefact | NotReady]]
    serve: Callable[[frozenset[int] | None, Set[bool]], AbstractContextManager[Store]]
    sandbox: StartsSandbox
    describe: Callable[[], Mapping[str, object]]
    delay: Callable[[int, Latency], AbstractContextManager[int]]
    place: Callable[[], Placement]
    may_limit: Callable[[], bool]
    prepare: Callable[[Implementation, Progress], Artefact | NotReady] | None = None
    #: Makes an AOT cache for an artefact and its client, by a training run.
    train: Callable[[Artefact, Progress], Artefact | NotReady] | None = None
    #: Lets so many seconds pass: a warm sandbox rests before its samples.
    wait: Callable[[float], None] = time.sleep
