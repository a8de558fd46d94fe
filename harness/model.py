"""The facts that cross between the harness's modules.

Frozen dataclasses and nothing else: this module imports no sibling. Units are in the
names; a figure that was not measured is ``None``, never 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path

_CLIENT = "S3_CLIENT"
_DEFAULT_CLIENT = "sdk"  # S12


#: The mechanism of ``Enforcement`` at AWS, where each sandbox has its share for itself.
LAMBDA = "AWS Lambda"


class Role(StrEnum):
    """What a row is there for; the ``language`` of what is none is its role."""

    LANGUAGE = "language"
    FLOOR = "floor"  # what all others are divided by: it moves texts, and stands in no rank
    PEER = "peer"  # what somebody would pick instead: it stands in no rank either


def _role(language: str) -> Role:
    return Role(language) if language in (Role.FLOOR, Role.PEER) else Role.LANGUAGE


class HarnessError(Exception):
    """The harness can't go on; the message names the thing and the remedy."""


class NotReady(HarnessError):
    """A tool, a toolchain or a system facility is missing (exit code 3)."""


class UsageError(HarnessError):
    """The arguments ask for something that can't be (exit code 2)."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of ``doctor``; ``remedy`` is ``None`` when ``ok``."""

    name: str
    ok: bool
    detail: str
    remedy: str | None = None


@dataclass(frozen=True, slots=True)
class Implementation:
    """One function of ``template.yaml``.

    ``environment`` holds the template's literal settings; the references to parameters
    (buckets, prefixes) are left out, the target gives those. ``build_properties`` are what the
    template tells ``sam build``, ``clients`` the values that it allows for S3_CLIENT.
    """

    language: str
    function: str
    runtime: str
    handler: str
    code: Path
    memory_mb: int
    timeout_s: int
    environment: Mapping[str, str]
    build_properties: Mapping[str, object] = field(default_factory=dict)
    clients: tuple[str, ...] = (_DEFAULT_CLIENT,)

    @property
    def client(self) -> str:
        return self.environment.get(_CLIENT, _DEFAULT_CLIENT)

    @property
    def name(self) -> str:
        """Tells it from the same language with another client."""
        return f"{self.language} {self.client}"

    @property
    def role(self) -> Role:
        return _role(self.language)

    @property
    def choice(self) -> dict[str, str]:
        """The variable that chooses its client; none for the contract's default."""
        return {} if self.client == _DEFAULT_CLIENT else {_CLIENT: self.client}

    def with_client(self, client: str) -> Implementation:
        """The same function, set to another of its clients."""
        if client == self.client:
            return self
        return replace(self, environment={**self.environment, _CLIENT: client})


@dataclass(frozen=True, slots=True)
class Own:
    """The project's own code in a package; all else are dependencies and what links them.

    ``zip_bytes`` is ``None`` where own code and others are compressed as one file.
    """

    unzipped_bytes: int
    zip_bytes: int | None


@dataclass(frozen=True, slots=True)
class Artefact:
    """What ``sam build`` made of one implementation, or a companion, which has no package.

    ``own`` is ``None`` where nothing can tell. ``runtime_version`` is that of the program that runs
    it here, such as ``24.11.1``.
    """

    implementation: Implementation
    folder: Path
    zip_bytes: int | None
    unzipped_bytes: int | None
    own: Own | None = None
    runtime_version: str | None = None

    def with_client(self, client: str) -> Artefact:
        """The same package, whose function is set to another client."""
        return replace(self, implementation=self.implementation.with_client(client))


class FailureKind(StrEnum):
    ERROR = "error"  # the function's own answer
    TIMED_OUT = "timed out"
    OUT_OF_MEMORY = "out of memory"  # killed by the kernel at the limit of its group
    DIED = "died"  # any other end of the runtime or of the emulator


@dataclass(frozen=True, slots=True)
class Failure:
    """Why an invocation gave no result; ``reason`` is fit for a verdict."""

    kind: FailureKind
    reason: str


@dataclass(frozen=True, slots=True)
class EmulatorReport:
    """The emulator's own REPORT line, kept to be shown and used for nothing: it does not hold.

    Its ``init_ms`` ends before the runtime starts, its ``duration_ms`` contains the init, and its
    ``max_memory_mb`` is the configured size.
    """

    init_ms: float | None
    duration_ms: float
    billed_ms: float
    memory_mb: int
    max_memory_mb: int


class PeakSince(StrEnum):
    """The begin of the time whose peak was measured."""

    INVOCATION = "invocation"
    START = "start"  # of the runtime's processes
    REPORT = "report"  # Lambda's own line: since the start of its execution environment


@dataclass(frozen=True, slots=True)
class Invocation:
    """One invocation as the target saw it.

    ``result`` is the parsed JSON result or ``None``; ``error`` is the error message that
    a caller sees, or ``None``; ``failure`` tells then of what kind it is. ``init_ms`` belongs to a
    cold invocation only. ``log`` holds the function's own JSON log lines of this invocation.
    ``peak_since`` tells what ``peak_rss_bytes`` is the peak of. ``throttled_ms`` is how long the
    CPU quota held the function up, summed over cores; ``None`` without limits. Only AWS tells
    ``restore_ms`` (from a snapshot, in place of an init) and ``billed_ms``; ``publish_ms`` is how
    long a cold invocation's version took to be ready.
    """

    result: object | None
    error: str | None
    cold: bool
    init_ms: float | None
    duration_ms: float | None
    cpu_ms: float | None
    peak_rss_bytes: int | None
    log: tuple[Mapping[str, object], ...] = ()
    failure: Failure | None = None
    peak_since: PeakSince | None = None
    throttled_ms: float | None = None
    emulator: EmulatorReport | None = None
    restore_ms: float | None = None
    billed_ms: float | None = None
    publish_ms: float | None = None


@dataclass(frozen=True, slots=True)
class Enforcement:
    """What holds a sandbox to its memory size: for the report.

    ``mechanism`` is a kind of control group, or ``None`` with a ``reason``: then nothing is
    limited and the figures below are ``None``. A ``reason`` beside a mechanism
    tells what it can't give. ``vcpus`` is the share. ``quota_delay_ms`` is from the emulator's
    line at the end of the last init to the quota: up to 1 ms too large, for the line has whole
    milliseconds; ``None`` before an init and with ``throttle_init``.
    """

    memory_mb: int
    vcpus: float
    mechanism: str | None
    reason: str | None
    quota_us: int | None = None
    period_us: int | None = None
    swap_off: bool | None = None
    throttle_init: bool = False
    quota_delay_ms: float | None = None


class SampleKind(StrEnum):
    COLD = "cold"  # the first invocation of a fresh sandbox
    WARM = "warm"
    RERUN = "rerun"  # warm, over a day that is already published
    HALF = "half"  # warm, over every other source of the day


@dataclass(frozen=True, slots=True)
class Sample:
    """One measured invocation; ``round`` counts from 1.

    ``cpu_ms`` is the function's, ``server_cpu_ms`` the S3 server's. ``phases`` (O3) and
    ``wait_ms`` (O4) are from the function's own log.
    """

    kind: SampleKind
    round: int
    init_ms: float | None
    duration_ms: float | None
    cpu_ms: float | None
    server_cpu_ms: float | None
    peak_rss_bytes: int | None
    wait_ms: float | None = None
    phases: Mapping[str, object] | None = None
    peak_since: PeakSince | None = None
    throttled_ms: float | None = None
    emulator: EmulatorReport | None = None
    restore_ms: float | None = None
    billed_ms: float | None = None
    publish_ms: float | None = None

    @property
    def first_ms(self) -> float | None:
        """What the first caller waits for: init, or restore from a snapshot, and duration."""
        begun_ms = self.init_ms if self.restore_ms is None else self.restore_ms
        if begun_ms is None or self.duration_ms is None:
            return None
        return begun_ms + self.duration_ms


class VerdictKind(StrEnum):
    MATCH = "match"
    VALUES = "values"  # a peer's match: the same records as JSON values, not the same bytes
    MISMATCH = "mismatch"
    FAILED = "failed"
    TIMED_OUT = "timed out"
    OUT_OF_MEMORY = "out of memory"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the judge says of one row; ``reason`` is ``None`` for a match."""

    kind: VerdictKind
    reason: str | None = None

    @property
    def accepts(self) -> bool:
        """Whether the output is what the row's role asks for: only then it has times."""
        return self.kind in (VerdictKind.MATCH, VerdictKind.VALUES)


@dataclass(frozen=True, slots=True)
class Variant:
    """What a sweep sets otherwise than the template; ``None`` is not swept.

    ``s3_latency`` is the one that was added on the way to S3, such as ``20ms``, ``0ms`` none.
    """

    memory_mb: int | None = None
    concurrency: int | None = None
    s3_latency: str | None = None
    snap_start: bool | None = None

    def __str__(self) -> str:
        parts = (
            None if self.memory_mb is None else f"{self.memory_mb} MB",
            None if self.concurrency is None else f"c={self.concurrency}",
            None if self.s3_latency is None else f"+{self.s3_latency}",
            {None: None, True: "SnapStart", False: "no SnapStart"}[self.snap_start],
        )
        return " ".join(part for part in parts if part)


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the comparison.

    ``own`` is the part of the package that is the project's; ``runtime`` is the template's and
    ``runtime_version`` that of the program that stood for it.
    """

    language: str
    client: str
    verdict: Verdict
    zip_bytes: int | None = None
    unzipped_bytes: int | None = None
    output: Mapping[str, object] | None = None
    output_zip_bytes: int | None = None
    samples: tuple[Sample, ...] = ()
    variant: Variant = field(default_factory=Variant)
    enforcement: Enforcement | None = None
    own: Own | None = None
    runtime: str | None = None
    runtime_version: str | None = None

    @property
    def name(self) -> str:
        return f"{self.language} {self.client} {self.variant}".rstrip()

    @property
    def role(self) -> Role:
        return _role(self.language)

    @property
    def is_contended(self) -> bool:
        """Whether its share is more than the one core that it would have for itself."""
        held = self.enforcement
        return held is not None and held.mechanism != LAMBDA and held.vcpus > 1


@dataclass(frozen=True, slots=True)
class RepeatedRow:
    """The A/A run: the row of that name once more, in a sandbox of its own."""

    name: str
    samples: tuple[Sample, ...]


@dataclass(frozen=True, slots=True)
class Comparison:
    """All that a report needs, and all that is exported."""

    environment: Mapping[str, object]
    settings: Mapping[str, object]
    fixture: Mapping[str, object]
    rows: tuple[Row, ...] = field(default_factory=tuple)
    again: RepeatedRow | None = None
    interrupted: bool = False
