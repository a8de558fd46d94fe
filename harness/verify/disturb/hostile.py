"""Hostile bodies and keys, between two sources that are sound, in a function with 1,024 MB."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from harness.model import Artefact, FailureKind, Invocation
from harness.targets.interface import Limits
from harness.verify.disturb.bench import Bench
from harness.verify.disturb.hostile_bodies import BODIES, KEYS, Hostile
from harness.verify.disturb.small_day import EVENT, FOLDER, differences, small_day
from harness.verify.disturb.trials import Outcome, Trial
from harness.verify.scripted_s3.scene import Stored

_MEMORY_MB = 1024
#: Enough for all bodies but those that are ``slow``: they show that the run ends itself.
_TIMEOUT_S = 20
_SOUND = b'{"sound":true}'
#: One day for the bodies, one for all keys together.
HOSTILE_TRIALS = len(BODIES) + 1


@contextmanager
def hostile(artefact: Artefact) -> Iterator[Trial]:
    with Bench(artefact, {}, _MEMORY_MB, _TIMEOUT_S, Limits()) as bench:
        bench.invoke([])  # no trigger: the time is the run's, not the runtime's start
        yield lambda seed: _trial(bench, seed % HOSTILE_TRIALS, seed)


def _trial(bench: Bench, number: int, seed: int) -> Outcome:
    if number == len(BODIES):
        return _keys(bench, seed)
    hostile = BODIES[number]
    outcome = Outcome(seed, note=hostile.name)
    sound = {f"{FOLDER}{name}.json": Stored(b'{"Records":[%s]}' % _SOUND) for name in "ac"}
    bench.begin({**sound, f"{FOLDER}b": Stored(hostile.body())})
    run = bench.invoke(EVENT)
    outcome.problems += _problems(hostile, run, bench)
    outcome.problems += _memory_problems(run)
    return outcome


def _problems(hostile: Hostile, run: Invocation, bench: Bench) -> Iterator[str]:
    if hostile.slow and (run.error or "").startswith("OUT_OF_TIME: 1 sources read"):
        return
    expected = f"BAD_SOURCES: 1 of 3: {FOLDER}b ({hostile.code})" if hostile.code else None
    if run.error != expected:
        yield f"the error is {(run.error or 'none')[:300]}, not {expected}"
        return
    lines = hostile.line * hostile.count if hostile.code is None else b""
    want = _SOUND + b"\n" + lines + _SOUND + b"\n"
    chunks = [o.body for key, o in sorted(bench.destination().items()) if key.endswith(".gz")]
    if b"".join(map(gzip.decompress, chunks)) != want:
        yield "the published records are not those of the sources"


def _keys(bench: Bench, seed: int) -> Outcome:
    """All odd keys, of which every second one has a fault."""
    outcome = Outcome(seed, note="odd keys")
    keys = sorted((FOLDER + name for name in KEYS), key=str.encode)
    bad, sound = keys[::2], keys[1::2]
    day = small_day({key: [_SOUND] for key in sound}, 1 << 20)
    bench.begin({**day.sources, **{key: Stored(b"no JSON") for key in bad}})
    run = bench.invoke(EVENT)
    shown = ", ".join(f"{_escaped(key)} (BAD_JSON)" for key in bad[:10])
    expected = f"BAD_SOURCES: {len(bad)} of {len(keys)}: {shown}"
    if run.error != expected:
        outcome.problems.append(f"the error is {run.error!r}, not {expected!r}")
    logged = [str(entry["key"]) for entry in run.log if entry["event"] == "bad_source"]
    if sorted(logged) != sorted(bad):
        outcome.problems.append(f"the log names {logged}")
    expectation = replace(day.expected, sources=len(keys), bad=tuple((k, "BAD_JSON") for k in bad))
    outcome.problems += differences(expectation, bench.destination())
    return outcome


def _escaped(key: str) -> str:
    """E3."""
    odd = [*range(0x20), *range(0x7F, 0xA0)]
    return key.translate({code: f"\\u{code:04x}" for code in odd})


def _memory_problems(run: Invocation) -> Iterator[str]:
    if run.failure is not None and run.failure.kind is not FailureKind.ERROR:
        yield f"the function was killed: {run.failure.reason[:300]}"
    peak = (run.peak_rss_bytes or 0) >> 20
    if peak >= _MEMORY_MB:
        yield f"{peak} MiB of memory, {_MEMORY_MB} are allowed"
