"""The request to ``compare``, and the plan of samples that follows from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from harness.compare.companions import FLOOR, PEERS, Companion
from harness.compare.schedule import Plan
from harness.fixtures.recipe import Recipe
from harness.model import Implementation, Start, UsageError, Variant
from harness.targets.interface import Latency, Limits

#: Longer than a connection may be idle (SPEC E9). So each warm invocation opens its connections
#: anew, however many rows a comparison has.
_REST_S = 5.5
#: Lambda may replace a sandbox at any time. On this machine that would be a fault of the harness.
_REPEATS_ON_AWS = 3


@dataclass(frozen=True, slots=True)
class Request:
    """The request to ``compare``.

    The day's objects come from ``source``, a folder with ``AWSLogs/``, or else from ``recipe``.
    Its date is the recipe's in both cases. Empty ``languages`` mean all languages; named ones
    must run. Empty ``clients`` mean all that the template allows.
    """

    recipe: Recipe = field(default_factory=Recipe)
    source: Path | None = None
    languages: tuple[str, ...] = ()
    clients: tuple[str, ...] = ()
    require_all: bool = False
    cold: int | None = None
    warm: int | None = None
    rerun: int | None = None
    seconds: float | None = None
    order_seed: int = 1
    again: bool = True
    floor: bool = True
    peers: tuple[str, ...] = ()
    memory_mb: tuple[int, ...] = ()
    concurrency: tuple[int, ...] = ()
    s3_latency: tuple[Latency, ...] = ()
    limits: Limits | None = field(default_factory=Limits)
    snap_start: tuple[bool, ...] = ()
    starts: tuple[Start, ...] = ()
    tls: tuple[bool, ...] = ()
    on_aws: bool = False
    once: bool = False

    def __post_init__(self) -> None:
        throttled = self.limits is None or self.limits.throttle_init
        if self.on_aws and (self.s3_latency or throttled):
            raise UsageError(
                "--s3-latency, --no-limits and --throttle-init need the local target: leave out "
                "--target aws"
            )
        if self.on_aws and self.starts:
            raise UsageError("--start needs the local target: on AWS use --snap-start off,on")
        if self.on_aws and self.tls:
            raise UsageError("--tls needs the local target: S3 on AWS is over TLS")
        if unknown := [each for each in self.peers if each not in PEERS]:
            raise UsageError(f"{unknown[0]} is no peer: choose of {', '.join(PEERS)}")

    @property
    def companions(self) -> tuple[Companion, ...]:
        """The companions that are measured beside the languages, in the order of the rows."""
        peers = (PEERS[name] for name in dict.fromkeys(self.peers))
        return (*((FLOOR,) if self.floor else ()), *peers)

    @property
    def transports(self) -> frozenset[bool]:
        """``True`` for rows over TLS, ``False`` for rows over plain HTTP."""
        return frozenset(self.tls or (True,))

    @property
    def models_cost(self) -> bool:
        """Whether the latency to S3 is like that on AWS for some row."""
        return self.on_aws or any(each.latency_ms for each in self.s3_latency)

    def variants(self) -> list[tuple[Variant, Latency | None]]:
        """Every combination of the swept values; without a sweep, one that changes nothing."""
        return [
            (
                Variant(
                    memory_mb,
                    concurrency,
                    None if latency is None else str(latency),
                    snapped,
                    start,
                    tls,
                ),
                latency,
            )
            for tls in dict.fromkeys(self.tls) or (None,)
            for start in dict.fromkeys(self.starts) or (None,)
            for snapped in dict.fromkeys(self.snap_start) or (None,)
            for memory_mb in dict.fromkeys(self.memory_mb) or (None,)
            for latency in dict.fromkeys(self.s3_latency) or (None,)
            for concurrency in dict.fromkeys(self.concurrency) or (None,)
        ]


def make_plan(request: Request, implementations: Sequence[Implementation]) -> Plan:
    """The number of invocations of each row, and their events."""
    day = request.recipe.day
    late = [
        variant
        for variant, latency in request.variants()
        if request.on_aws or (latency and latency.latency_ms)
    ]
    return Plan(
        _event(request, day),
        request.cold,
        request.warm,
        request.rerun,
        request.seconds,
        request.order_seed,
        request.again,
        _event(request, half_day(day)),
        frozenset(
            f"{each.name} {variant}".rstrip() for variant in late for each in implementations
        ),
        request.once,
        _REPEATS_ON_AWS if request.on_aws else 0,
        frozenset(
            f"{each.name} {variant}".rstrip()
            for variant, _ in request.variants()
            for each in request.companions
            if each.server
        ),
        0.0 if request.on_aws else _REST_S,
    )


def _event(request: Request, day: date) -> dict[str, object]:
    event: dict[str, object] = {"year": day.year, "month": day.month, "day": day.day}
    if request.source is not None:
        event["force"] = True  # B2: a real dataset may have bad sources
    return event


def half_day(day: date) -> date:
    """The date for the half of the day's sources. No source of ``day`` itself belongs to it."""
    return day.replace(day=1, year=day.year - 1 if day.year > 1000 else day.year + 1)
