"""A thousand invocations of one sandbox, of which some fail: nothing may grow."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from random import Random
from statistics import median

import psutil

from harness.model import Artefact
from harness.verify.disturb.bench import Bench
from harness.verify.disturb.small_day import CLAIM, EVENT, FOLDER, differences, small_day
from harness.verify.disturb.trials import Outcome, Trial
from harness.verify.scripted_s3.scene import Fault, Stored

INVOCATIONS = 1000
_MIB = 1 << 20
#: How much the median of the last fifth may be above that of the second. Between the two lie
#: 600 invocations at 1,000. A source has 256 KiB: if one of 20 invocations kept one, memory would
#: grow by 7.5 MiB; if each kept one, by 150 MiB. The runtimes' own heaps move by some MiB.
MOST_GROWTH: Mapping[str, float] = {
    "memory in MiB": 24,
    "descriptors": 2,
    "threads": 2,
    "connections": 2,
}
_SOURCE_BYTES = 256 << 10
_CHUNK_BYTES = 512 << 10
_BAD = f"{FOLDER}bad.json"


@dataclass(frozen=True, slots=True)
class _Turn:
    """The disturbance of one invocation, and its expected error."""

    faults: tuple[Fault, ...] = ()
    trigger: bool = True
    error: str | None = None
    claimed: bool = False
    damaged: bool = False


_SOURCE = f"{FOLDER}b.json"
_SOUND = _Turn()
_DISTURBED = (
    _Turn(trigger=False, error="INVALID_EVENT: event: expected a JSON object"),
    _Turn((Fault("get", _SOURCE, 403, "AccessDenied"),), error="S3_ERROR: get"),
    _Turn((Fault("list", FOLDER, 403, "AccessDenied"),), error="S3_ERROR: list"),
    _Turn((Fault("get", _SOURCE, kind="cut", at=300, times=1),)),
    _Turn((Fault("put", CLAIM, kind="reset", times=1),)),
    _Turn((Fault("get", _SOURCE, 404, "NoSuchKey"),), error="BAD_SOURCES: 1 of 4"),
    _Turn(error="BUSY", claimed=True),
    _Turn(error="BAD_SOURCES: 1 of 5", damaged=True),
)
_SHARE = 0.2  # of invocations that are disturbed

_DAY = small_day(
    {
        f"{FOLDER}{name}.json": [
            f'{{"source":"{name}","n":{n},"pad":"{"x" * 960}"}}'.encode()
            for n in range(_SOURCE_BYTES // 1000)
        ]
        for name in "abcd"
    },
    _CHUNK_BYTES,
)
_SOURCES = {key: Stored(gzip.compress(o.body, 1)) for key, o in _DAY.sources.items()}


@contextmanager
def warm(
    artefact: Artefact,
    invocations: int = INVOCATIONS,
    most_growth: Mapping[str, float] = MOST_GROWTH,
) -> Iterator[Trial]:
    # With four, as many as the sources, all connections are open from the first invocations on. How
    # many of sixteen are open depends on how busy the machine is.
    settings = {"CHUNK_BYTES": str(_CHUNK_BYTES), "CONCURRENCY": "4"}
    with Bench(artefact, settings) as bench:
        yield lambda seed: _trial(bench, seed, invocations, most_growth)


def _trial(bench: Bench, seed: int, invocations: int, most_growth: Mapping[str, float]) -> Outcome:
    rng = Random(f"warm {seed}")
    outcome = Outcome(seed)
    use: list[Mapping[str, float]] = []
    for number in range(invocations):
        turn = rng.choice(_DISTURBED) if rng.random() < _SHARE else _SOUND
        outcome.problems += (f"invocation {number}: {each}" for each in _invoke(bench, turn))
        use.append(_use(bench))
    second, last = (use[invocations * n // 5 : invocations * (n + 1) // 5] for n in (1, 4))
    grown = []
    for name, most in most_growth.items():
        before, after = (median(each[name] for each in part) for part in (second, last))
        grown.append(f"{name} {before:.0f} to {after:.0f}")
        if after - before > most:
            outcome.problems.append(f"{name}: from {before:.1f} to {after:.1f}")
    outcome.note = ", ".join(grown)
    return outcome


def _invoke(bench: Bench, turn: _Turn) -> Iterator[str]:
    claim = json.dumps({"run": "another", "expires": "2999-01-01T00:00:00.000Z"}).encode()
    bench.begin(
        {**_SOURCES, **({_BAD: Stored(b"\x1f\x8b")} if turn.damaged else {})},
        {CLAIM: Stored(claim)} if turn.claimed else {},
        turn.faults,
    )
    run = bench.invoke(EVENT if turn.trigger else [])
    if turn.error is None and run.error is not None:
        yield f"fails with {run.error}"
    elif turn.error is not None and not (run.error or "").startswith(turn.error):
        yield f"ends with {run.error}, not {turn.error}"
    elif turn.error is None:
        yield from differences(_DAY.expected, bench.destination())
    elif turn.damaged:
        expected = replace(_DAY.expected, sources=5, bad=((_BAD, "BAD_GZIP"),))
        yield from differences(expected, bench.destination())


def _use(bench: Bench) -> Mapping[str, float]:
    """The resources that the runtime holds between two invocations."""
    family = [psutil.Process(pid) for pid in bench.sandbox.runtime_pids()]
    to_s3 = [
        each
        for process in family
        for each in process.net_connections("tcp")
        if each.raddr and each.raddr.port == bench.s3.port
    ]
    return {
        "memory in MiB": sum(process.memory_info().rss for process in family) / _MIB,
        "descriptors": sum(process.num_fds() for process in family),
        "threads": sum(process.num_threads() for process in family),
        "connections": len(to_s3),
    }
