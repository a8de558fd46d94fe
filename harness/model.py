"""The facts that cross between the harness's modules.

Frozen dataclasses and nothing else: this module imports no sibling. Units are in the
names; a figure that was not measured is ``None``, never 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path


class HarnessError(Exception):
    """The harness can't go on; the message names the thing and the remedy."""


class NotReady(HarnessError):
    """A tool, a toolchain or a system facility is missing (exit code 3)."""


class UsageError(HarnessError):
    """The arguments ask for something that can't be (exit code 2)."""


@dataclass(frozen=True, slots=True)
class Implementation:
    """One function of ``template.yaml``.

    ``environment`` holds the template's literal settings; the references to parameters
    (buckets, prefixes) are left out, the target gives those.
    """

    language: str
    function: str
    runtime: str
    handler: str
    code: Path
    memory_mb: int
    timeout_s: int
    environment: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Artefact:
    """What ``sam build`` made of one implementation."""

    implementation: Implementation
    folder: Path
    zip_bytes: int
    unzipped_bytes: int


@dataclass(frozen=True, slots=True)
class Invocation:
    """One invocation as the target saw it.

    ``result`` is the parsed JSON result or ``None``; ``error`` is the error message that
    a caller sees, or ``None``. ``init_ms`` belongs to a cold invocation only.
    ``log`` holds the function's own JSON log lines of this invocation.
    """

    result: object | None
    error: str | None
    cold: bool
    init_ms: float | None
    duration_ms: float | None
    cpu_ms: float | None
    peak_rss_bytes: int | None
    log: tuple[Mapping[str, object], ...] = ()


class SampleKind(StrEnum):
    COLD = "cold"
    WARM = "warm"


@dataclass(frozen=True, slots=True)
class Sample:
    """One measured invocation."""

    kind: SampleKind
    init_ms: float | None
    duration_ms: float | None
    cpu_ms: float | None
    peak_rss_bytes: int | None


class VerdictKind(StrEnum):
    MATCH = "match"
    MISMATCH = "mismatch"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the judge says of one implementation; ``reason`` is ``None`` for a match."""

    kind: VerdictKind
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the comparison."""

    language: str
    client: str
    verdict: Verdict
    zip_bytes: int | None = None
    unzipped_bytes: int | None = None
    output: Mapping[str, object] | None = None
    phases: Mapping[str, object] | None = None
    samples: tuple[Sample, ...] = ()


@dataclass(frozen=True, slots=True)
class Comparison:
    """All that a report needs, and all that is exported."""

    environment: Mapping[str, object]
    settings: Mapping[str, object]
    fixture: Mapping[str, object]
    rows: tuple[Row, ...] = field(default_factory=tuple)
