"""The warnings that a reader must know before trusting the numbers, each with a remedy."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from harness.analysis.intervals import LEAST_ROUNDS, noise_floor
from harness.analysis.row_summary import Ranking, by_round, summarise_row
from harness.model import Comparison, PeakSince, SampleKind

_NOISY = 1.10
_OUTLIER_MADS = 8  # about five standard deviations of a normal distribution
_OUTLIER_SHARE = 1.2
_BUSY = 0.9
_LOADED = 0.5  # of the cores
_LATE_MS = 20  # one period
_MOST_NAMED = 4
_VERSION = re.compile(r"^(?:python|java|nodejs)([\d.]*\d)")


class Code(StrEnum):
    INTERRUPTED = "interrupted"
    TOO_FEW_SAMPLES = "too-few-samples"
    NO_NOISE_FLOOR = "no-noise-floor"
    NOISY_MACHINE = "noisy-machine"
    OUTLIERS = "outliers"
    SANDBOX_REPLACED = "sandbox-replaced"
    SERVER_BUSY = "server-busy"
    ONE_CORE = "one-core"
    BUSY_MACHINE = "busy-machine"
    RUNTIME_DIFFERS = "runtime-differs"
    LIMITS_NOT_ENFORCED = "limits-not-enforced"
    CONTENDED = "contended"
    SWAP_ON = "swap-on"
    LATE_QUOTA = "late-quota"
    PEAK_SINCE_START = "peak-since-start"
    MEMORY_NOT_MEASURED = "memory-not-measured"
    PLAIN_HTTP = "plain-http"
    DIRTY_CHECKOUT = "dirty-checkout"


@dataclass(frozen=True, slots=True)
class Caveat:
    """One warning: ``what`` was found, and the ``advice`` against it."""

    code: Code
    what: str
    advice: str


def find_caveats(comparison: Comparison, ranking: Ranking) -> tuple[Caveat, ...]:
    """The warnings about this run, in the order of :class:`Code`."""
    if not any(row.samples for row in comparison.rows):
        return ()
    return tuple(
        sorted(
            (*_of_samples(comparison, ranking), *_of_machine(comparison)),
            key=lambda found: list(Code).index(found.code),
        )
    )


def _of_samples(comparison: Comparison, ranking: Ranking) -> Iterator[Caveat]:
    if comparison.interrupted:
        yield Caveat(Code.INTERRUPTED, "the run was interrupted", "continue it with --resume")
    counts = [len(by_round(row.samples)) for row in comparison.rows if row.samples]
    samples = (each for row in comparison.rows for each in row.samples)
    if all(each.process_ms is not None for each in samples):
        pass  # tasks are never warm, and have no ranks
    elif min(counts) < LEAST_ROUNDS:
        yield Caveat(
            Code.TOO_FEW_SAMPLES,
            f"{min(counts)} warm samples are too few for a ranking",
            f"use --warm {LEAST_ROUNDS} or more",
        )
    elif ranking.noise is None:
        yield Caveat(
            Code.NO_NOISE_FLOOR,
            "no row was measured twice, so the noise is unknown",
            "let the A/A run come to its end",
        )
    else:
        low, high = noise_floor(ranking.noise)
        if high > _NOISY:
            yield Caveat(
                Code.NOISY_MACHINE,
                f"the ratio of one row to itself is {low:.2f} to {high:.2f}",
                "end other work on this machine, or take more samples (--warm 30)",
            )
    if far := list(_outliers(comparison)):
        yield Caveat(
            Code.OUTLIERS,
            f"some warm samples are far from the median: {_some(far)}",
            "end other work on this machine; a few outliers hardly change medians and intervals",
        )
    if replaced := [f"{row.name} {row.discarded}" for row in comparison.rows if row.discarded]:
        yield Caveat(
            Code.SANDBOX_REPLACED,
            f"invocations met another sandbox than expected, and are no samples: {_some(replaced)}",
            "no remedy is needed: Lambda replaces sandboxes, and such a sample is taken again",
        )


def _outliers(comparison: Comparison) -> Iterator[str]:
    for row in comparison.rows:
        warm = summarise_row(row, comparison.fixture).warm
        if warm is None:
            continue
        limit = max(warm.median + _OUTLIER_MADS * warm.mad, warm.median * _OUTLIER_SHARE)
        far = [each for each in by_round(row.samples).values() if each > limit]
        if far:
            yield (
                f"{row.name} {len(far)} of {warm.n} (up to {max(far):,.0f} ms, median "
                f"{warm.median:,.0f})"
            )


def _some(rows: Sequence[str]) -> str:
    more = len(rows) - _MOST_NAMED
    return ", ".join(rows[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")


def _of_machine(comparison: Comparison) -> Iterator[Caveat]:
    if busy := list(_busy(comparison)):
        yield Caveat(
            Code.SERVER_BUSY,
            f"the S3 server used CPU for much of the warm duration: {_some(busy)}",
            "the true differences are larger than these",
        )
    if comparison.environment.get("cores") == 1:
        yield Caveat(
            Code.ONE_CORE,
            "the function and the S3 server share one core",
            "use a machine with two cores or more",
        )
    load, cores = comparison.environment.get("load"), comparison.environment.get("cores")
    if isinstance(load, float) and isinstance(cores, int) and load > cores * _LOADED:
        yield Caveat(
            Code.BUSY_MACHINE,
            f"the load of the minute before the run was {load:.1f}, with {cores} cores",
            "end other work, and wait a minute",
        )
    yield from _of_runtimes(comparison)
    yield from _of_limits(comparison)
    yield from _of_memory(comparison)
    if not any(row.tls for row in comparison.rows if row.samples):
        yield Caveat(
            Code.PLAIN_HTTP,
            "requests to S3 went over plain HTTP, which costs less CPU than TLS",
            "leave out --tls off: on AWS each request uses TLS",
        )
    if comparison.environment.get("clean") is False:
        yield Caveat(
            Code.DIRTY_CHECKOUT,
            "the checkout has uncommitted changes",
            "commit them, so that the results belong to a commit",
        )


def _busy(comparison: Comparison) -> Iterator[str]:
    for row in comparison.rows:
        found = summarise_row(row, comparison.fixture)
        if found.warm is None or found.server_cpu is None:
            continue
        share = found.server_cpu.median / found.warm.median
        if share > _BUSY:
            yield f"{row.name} {share:.0%}"


def _of_limits(comparison: Comparison) -> Iterator[Caveat]:
    held = [row.enforcement for row in comparison.rows if row.enforcement is not None]
    free = [each for each in held if each.mechanism is None]
    if free:
        yield Caveat(
            Code.LIMITS_NOT_ENFORCED,
            f"Lambda's limits of CPU and memory are not enforced: {free[0].reason}",
            "run compare as root or under systemd; compare the rows with each other, not with AWS",
        )
    contended = [row.name for row in comparison.rows if row.samples and row.is_contended]
    if contended:
        yield Caveat(
            Code.CONTENDED,
            f"rows with more than one vCPU shared it with the S3 server: {', '.join(contended)}",
            "do not choose a memory size by them: on AWS they are faster",
        )
    if any(each.swap_off is False for each in held):
        yield Caveat(
            Code.SWAP_ON,
            "under the memory limit, pages can go to swap space, which Lambda does not have",
            "run swapoff -a, or boot with swapaccount=1",
        )
    delays = [each.quota_delay_ms for each in held if each.quota_delay_ms is not None]
    if delays and max(delays) > _LATE_MS:
        yield Caveat(
            Code.LATE_QUOTA,
            f"the CPU quota came {max(delays):.0f} ms late after an init, so first invocations are "
            "too fast",
            "end other work on this machine",
        )


def _of_runtimes(comparison: Comparison) -> Iterator[Caveat]:
    seen = set()
    for row in comparison.rows:
        wanted, found = _VERSION.match(row.runtime or ""), row.runtime_version
        if wanted is None or found is None or row.language in seen:
            continue
        if not f"{found}.".startswith(f"{wanted[1]}."):
            seen.add(row.language)
            yield Caveat(
                Code.RUNTIME_DIFFERS,
                f"{row.language} ran on version {found}, but the template names {row.runtime}",
                f"install version {wanted[1]}: another version has another speed",
            )


def _of_memory(comparison: Comparison) -> Iterator[Caveat]:
    rows = [row for row in comparison.rows if row.samples]
    unknown = [row.name for row in rows if all(s.peak_rss_bytes is None for s in row.samples)]
    if unknown:
        yield Caveat(
            Code.MEMORY_NOT_MEASURED,
            f"rows without peak memory: {', '.join(unknown)}",
            "run compare as the user who owns the processes, with /proc mounted",
        )
    since_start = {
        row.name
        for row in comparison.rows
        for sample in row.samples
        if sample.peak_since is PeakSince.START and sample.kind is not SampleKind.COLD
    }
    if since_start:
        yield Caveat(
            Code.PEAK_SINCE_START,
            "the peak memory is since the sandbox's start, not of one invocation",
            "run compare as root, so that it can reset the peak",
        )
