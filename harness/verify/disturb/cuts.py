"""Answers of S3 that break off: each operation of the contract, at sampled bytes."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from harness.model import Artefact
from harness.verify.disturb.bench import FAILED_BY_S3, Bench
from harness.verify.disturb.small_day import (
    CLAIM,
    FOLDER,
    FORCED,
    PREFIX,
    differences,
    small_day,
)
from harness.verify.disturb.trials import Outcome, Trial
from harness.verify.outputs import MANIFEST
from harness.verify.scripted_s3.scene import Fault, Stored

_HIDDEN = f"{PREFIX}_{{request_id}}-000002.ndjson.gz"
_LEFT = f"{PREFIX}_earlier-000001.ndjson.gz"  # of an earlier run that failed
_ORGANISATION = "AWSLogs/o-abc123/111122223333/CloudTrail/eu-west-1/"


@dataclass(frozen=True, slots=True)
class _Operation:
    """A request of the run. ``arrives``: S3 has done it, and a repeat shows that it is done.

    Without ``claimed`` the day has no claim of an earlier run.
    """

    name: str
    operation: str
    key: str
    has_body: bool = True
    arrives: bool = False
    claimed: bool = True


_OPERATIONS = (
    _Operation("put claim", "put", CLAIM, has_body=False, arrives=True, claimed=False),
    _Operation("take over claim", "put", CLAIM, has_body=False, arrives=True),
    _Operation("get claim", "get", CLAIM),
    _Operation("list root", "list", "AWSLogs/"),
    _Operation("list accounts", "list", "AWSLogs/o-abc123/"),
    _Operation("list regions", "list", "AWSLogs/111122223333/CloudTrail/"),
    _Operation("list day", "list", FOLDER),
    _Operation("get source", "get", f"{FOLDER}b.json"),
    _Operation("put hidden chunk", "put", _HIDDEN, has_body=False),
    _Operation("get manifest", "get", PREFIX + MANIFEST),
    _Operation("list chunks", "list", PREFIX),
    _Operation("copy new chunk", "copy", f"{PREFIX}000003.ndjson.gz"),
    _Operation("copy replacement", "copy", f"{PREFIX}000001.ndjson.gz"),
    _Operation("delete chunk", "delete", f"{PREFIX}000009.ndjson.gz", has_body=False),
    _Operation("put manifest", "put", PREFIX + MANIFEST, has_body=False),
    _Operation("delete hidden chunk", "delete", _HIDDEN, has_body=False),
    _Operation("delete what was left", "delete", _LEFT, has_body=False),
    _Operation("release", "delete", CLAIM, has_body=False, arrives=True),
)
#: Counted from the answer's end if negative; the others lie before the body.
_PLACES: Mapping[str, int | str] = {
    "nothing": 0,
    "status line": 9,
    "before the headers": 17,
    "headers": 70,
    "body byte 0": "body",
    "middle": -11,
    "last byte": -1,
}
_IN_BODY = ("body byte 0", "middle")  # where an answer without a body has nothing to cut
_TIMES: Mapping[str, int | None] = {"once": 1, "for ever": None}

#: All trials, in the order of their seeds.
CUTS = tuple(
    (operation, place, times)
    for operation, place, times in itertools.product(_OPERATIONS, _PLACES, _TIMES)
    if operation.has_body or place not in _IN_BODY
)
_CHUNK_BYTES = 40  # two records
_BEFORE = small_day({f"{FOLDER}{n}.json": [b'{"old":true,"n":%d}' % n] for n in range(2)}, 1)
_NOW = small_day(
    {f"{FOLDER}{name}.json": [b'{"source":"%s","n":1}' % name.encode()] * 2 for name in "abc"}
    | {f"{_ORGANISATION}{PREFIX}d.json": [b'{"source":"d"}']},
    _CHUNK_BYTES,
)


@contextmanager
def cuts(artefact: Artefact) -> Iterator[Trial]:
    with Bench(artefact, {"CHUNK_BYTES": str(_CHUNK_BYTES)}, timeout_s=60) as bench:
        yield lambda seed: _trial(bench, seed)


def _destination() -> dict[str, Stored]:
    """An older day with more chunks, and what a run left that died: hidden chunk and claim."""
    claim = Stored(b'{"run":"earlier","expires":"2024-02-08T00:00:00.000Z"}')
    return {
        **_BEFORE.published(),
        f"{PREFIX}000009.ndjson.gz": next(iter(_BEFORE.published().values())),
        _LEFT: Stored(b"", "application/gzip"),
        CLAIM: claim,
    }


def _trial(bench: Bench, seed: int) -> Outcome:
    operation, place, times = CUTS[seed % len(CUTS)]
    outcome = Outcome(seed, note=f"{operation.name}, cut at {place}, {times}")
    fault = Fault(
        operation.operation, operation.key, kind="cut", at=_PLACES[place], times=_TIMES[times]
    )
    before = _destination()
    if not operation.claimed:
        del before[CLAIM]
    bench.begin(_NOW.sources, before, (fault,))
    cut = bench.invoke(FORCED)
    requests, _ = bench.s3.take_requests()
    if not any(fault.matches(request.operation, request.key) for request in requests):
        outcome.problems.append("no such request was made")
    outcome.problems += bench.log_problems(cut)
    if cut.error is None:
        outcome.problems += differences(_NOW.expected, bench.destination())
        if times == "for ever" and not operation.arrives:
            outcome.problems.append("success, although no answer was complete")
    elif times == "once":
        outcome.problems.append(f"one cut fails the run: {cut.error}")
    elif operation.arrives or not cut.error.startswith(FAILED_BY_S3):
        outcome.problems.append(f"the run fails with {cut.error}")
    if cut.error is not None:
        bench.s3.scene.faults = ()
        outcome.problems += bench.repeat_problems(FORCED, _NOW.expected)
    return outcome
