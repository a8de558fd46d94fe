"""The types that the rooms of the harness share.

They are frozen dataclasses, and this module imports no other one of the harness. Names contain
their units. A value that was not measured is ``None``, never 0.
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
    """The purpose of a row. The ``language`` of a floor or a peer is the name of its role."""

    LANGUAGE = "language"
    FLOOR = "floor"  # only moves the data: other rows are divided by it; it has no rank
    PEER = "peer"  # an existing program for the same task; it has no rank


def _role(language: str) -> Role:
    return Role(language) if language in (Role.FLOOR, Role.PEER) else Role.LANGUAGE


class HarnessError(Exception):
    """The harness can't continue. The message names the cause and the remedy."""


class NotReady(HarnessError):
    """A tool, a toolchain or a system facility is missing (exit code 3)."""


class UsageError(HarnessError):
    """The arguments are wrong or contradict each other (exit code 2)."""


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

    ``environment`` holds the template's literal settings. It leaves out the buckets and prefixes,
    which the target sets. ``with_snap_start`` are the variables that the template adds with
    SnapStart. ``build_properties`` are the template's options for ``sam build``. ``clients`` are
    the values that the template allows for S3_CLIENT.
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
    with_snap_start: Mapping[str, str] = field(default_factory=dict)

    @property
    def client(self) -> str:
        return self.environment.get(_CLIENT, _DEFAULT_CLIENT)

    @property
    def name(self) -> str:
        """The language and the client, as in the tables."""
        return f"{self.language} {self.client}"

    @property
    def role(self) -> Role:
        return _role(self.language)

    @property
    def choice(self) -> dict[str, str]:
        """The variable that chooses the client; empty for the contract's default."""
        return {} if self.client == _DEFAULT_CLIENT else {_CLIENT: self.client}

    def with_client(self, client: str) -> Implementation:
        """The same function with another of its clients."""
        if client == self.client:
            return self
        return replace(self, environment={**self.environment, _CLIENT: client})


@dataclass(frozen=True, slots=True)
class Own:
    """The size of the project's own code in a package; the rest are the dependencies.

    ``zip_bytes`` is ``None`` where one compressed file holds both.
    """

    unzipped_bytes: int
    zip_bytes: int | None


@dataclass(frozen=True, slots=True)
class Artefact:
    """The build of one implementation by ``sam build``, or a companion, which has no package.

    ``own`` is ``None`` if it is unknown. ``runtime_version`` is the version of the program that
    runs the artefact here, such as ``24.11.1``. ``aot`` is the folder of its AOT cache; then the
    sizes contain the cache.
    """

    implementation: Implementation
    folder: Path
    zip_bytes: int | None
    unzipped_bytes: int | None
    own: Own | None = None
    runtime_version: str | None = None
    aot: Path | None = None

    def with_client(self, client: str) -> Artefact:
        """The same package for another client."""
        return replace(self, implementation=self.implementation.with_client(client))


class FailureKind(StrEnum):
    ERROR = "error"  # the function's own answer
    TIMED_OUT = "timed out"
    OUT_OF_MEMORY = "out of memory"  # killed by the kernel at the limit of its group
    DIED = "died"  # any other end of the runtime or of the emulator


@dataclass(frozen=True, slots=True)
class Failure:
    """The cause why an invocation gave no result; ``reason`` is a text for a verdict."""

    kind: FailureKind
    reason: str


@dataclass(frozen=True, slots=True)
class EmulatorReport:
    """The emulator's own REPORT line. A table shows it; no other use is made of it.

    Its ``init_ms`` ends before the runtime starts, its ``duration_ms`` contains the init, and its
    ``max_memory_mb`` is the configured size.
    """

    init_ms: float | None
    duration_ms: float
    billed_ms: float
    memory_mb: int
    max_memory_mb: int


class PeakSince(StrEnum):
    """The start of the time whose peak memory was measured."""

    INVOCATION = "invocation"
    START = "start"  # of the runtime's processes
    REPORT = "report"  # Lambda's own line: since the start of its execution environment


@dataclass(frozen=True, slots=True)
class Invocation:
    """One invocation as the target saw it.

    ``result`` is the parsed JSON result or ``None``. ``error`` is the error message that a caller
    sees, or ``None``; ``failure`` is its kind. Only a cold invocation has ``init_ms``. ``log`` has
    the function's JSON log lines of this invocation. ``peak_since`` is the start of the time to
    which ``peak_rss_bytes`` belongs. ``throttled_ms`` is the time for which the CPU quota stopped
    the function, summed over cores; it is ``None`` without limits. Only AWS reports ``restore_ms``
    (from a snapshot, in place of an init) and ``billed_ms``. ``publish_ms`` is the time until the
    version of a cold invocation was ready. ``after_restore_ms`` is the time of the hooks after the
    restore of a primed sandbox; its init came before, and no caller waited for it. Only a task has
    ``process_ms``, from its start to its exit; its ``init_ms`` ends at the line ``start`` (O2).
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
    after_restore_ms: float | None = None
    process_ms: float | None = None


@dataclass(frozen=True, slots=True)
class Enforcement:
    """The limits that a sandbox runs under.

    ``mechanism`` is a kind of control group. It is ``None`` if nothing is limited; then ``reason``
    says why, and the members after ``reason`` are ``None``. A ``reason`` beside a mechanism names
    a limit that the mechanism can't set. ``vcpus`` is the share of CPU. ``quota_delay_ms`` is the
    time from the emulator's line at the end of the last init to the quota. It is up to 1 ms too
    large, because the line has whole milliseconds. It is ``None`` before an init and with
    ``throttle_init``.
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


class Start(StrEnum):
    """The way in which a sandbox of this machine starts."""

    ZIP = "zip"  # as Lambda starts a zip without SnapStart
    AOT = "AOT"  # with an AOT cache of the JVM, which only a container image should hold
    PRIMED = "primed"  # from the state at a snapshot, as SnapStart does


class SampleKind(StrEnum):
    COLD = "cold"  # the first invocation of a fresh sandbox
    WARM = "warm"
    RERUN = "rerun"  # warm, over a day that is already published
    HALF = "half"  # warm, over every other source of the day


@dataclass(frozen=True, slots=True)
class Sample:
    """One measured invocation; ``round`` counts from 1.

    ``cpu_ms`` is the CPU time of the function, ``server_cpu_ms`` that of the S3 server. ``phases``
    (O3) and ``wait_ms`` (O4) come from the function's log.
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
    after_restore_ms: float | None = None
    process_ms: float | None = None

    @property
    def first_ms(self) -> float | None:
        """The wait of the first caller: start and duration; of a task, until its exit."""
        if self.process_ms is not None:
            return self.process_ms
        if self.start_ms is None or self.duration_ms is None:
            return None
        return self.start_ms + self.duration_ms

    @property
    def start_ms(self) -> float | None:
        """The init, or the restore from a snapshot.

        Of the restore of a primed sandbox only the hooks after it are known.
        """
        starts = (self.restore_ms, self.after_restore_ms, self.init_ms)
        return next((each for each in starts if each is not None), None)


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
    """The judge's verdict on one row; ``reason`` is ``None`` for a match."""

    kind: VerdictKind
    reason: str | None = None

    @property
    def accepts(self) -> bool:
        """Whether the output is right for the row's role. Only such a row is measured."""
        return self.kind in (VerdictKind.MATCH, VerdictKind.VALUES)


def transport(*, tls: bool) -> str:
    """The name of the way to S3 in every report."""
    return "TLS" if tls else "plain HTTP"


@dataclass(frozen=True, slots=True)
class Variant:
    """The values of a sweep that replace the template's; ``None`` is not swept.

    ``s3_latency`` is the latency that was added on the way to S3, such as ``20ms`` or ``0ms``.
    Without ``tls``, the way to S3 is plain HTTP.
    """

    memory_mb: int | None = None
    concurrency: int | None = None
    s3_latency: str | None = None
    snap_start: bool | None = None
    start: Start | None = None
    tls: bool | None = None

    def __str__(self) -> str:
        parts = (
            None if self.memory_mb is None else f"{self.memory_mb} MB",
            None if self.concurrency is None else f"c={self.concurrency}",
            None if self.s3_latency is None else f"+{self.s3_latency}",
            {None: None, True: "SnapStart", False: "no SnapStart"}[self.snap_start],
            self.start,
            None if self.tls is None else transport(tls=self.tls),
        )
        return " ".join(part for part in parts if part)


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the comparison.

    ``own`` is the project's part of the package. ``runtime`` is the name in the template, and
    ``runtime_version`` the version of the program that ran the function. ``discarded`` counts the
    invocations that met another sandbox than the expected one; they are no samples. ``tls`` tells
    how the row's requests went to S3; ``variant`` has it only in a sweep.
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
    discarded: int = 0
    tls: bool = True

    @property
    def name(self) -> str:
        return f"{self.language} {self.client} {self.variant}".rstrip()

    @property
    def role(self) -> Role:
        return _role(self.language)

    @property
    def is_contended(self) -> bool:
        """Whether its share of CPU is above the one core that only the sandbox uses."""
        held = self.enforcement
        return held is not None and held.mechanism != LAMBDA and held.vcpus > 1


@dataclass(frozen=True, slots=True)
class RepeatedRow:
    """The A/A run: a second measurement of the named row, in another sandbox."""

    name: str
    samples: tuple[Sample, ...]


@dataclass(frozen=True, slots=True)
class Comparison:
    """All facts of a comparison: the input of every report and of the export."""

    environment: Mapping[str, object]
    settings: Mapping[str, object]
    fixture: Mapping[str, object]
    rows: tuple[Row, ...] = field(default_factory=tuple)
    again: RepeatedRow | None = None
    interrupted: bool = False
