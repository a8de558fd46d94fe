"""All kinds of disturbances, in the order of the table."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from harness.verify.disturb.cuts import CUTS, cuts
from harness.verify.disturb.hostile import HOSTILE_TRIALS, hostile
from harness.verify.disturb.kills import kills
from harness.verify.disturb.proxy import proxy_faults
from harness.verify.disturb.runs import runs
from harness.verify.disturb.trials import Kind
from harness.verify.disturb.warm import warm

KINDS: Sequence[Kind] = (
    Kind("kill", "SIGKILL at a moment of a run with 20 or 40 chunks, then a repeat", 200, kills),
    Kind("two-runs", "two runs of a day at once", 52, partial(runs, count=2)),
    Kind("one-killed", "two runs, one is killed", 52, partial(runs, count=2, kill=True)),
    Kind("three-runs", "three runs of a day at once", 52, partial(runs, count=3)),
    Kind("cuts", "an answer breaks off, once or for ever", len(CUTS), cuts),
    Kind("proxy", "toxiproxy delays, cuts, resets and throttles", 56, proxy_faults),
    Kind("hostile", "hostile bodies and keys at 1,024 MB", HOSTILE_TRIALS, hostile),
    Kind("warm", "1,000 invocations of one sandbox, a fifth of them disturbed", 1, warm),
)
