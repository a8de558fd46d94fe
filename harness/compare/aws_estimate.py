"""The estimated cost of a comparison on AWS, shown before it begins."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from harness.analysis.cost import (
    gb_second_prices,
    price_list,
    request_price,
    s3_price,
    snapshot_price,
)
from harness.build.choice import choose, choose_clients
from harness.compare.request import Request, make_plan
from harness.compare.schedule import WARM_UPS, Plan
from harness.model import Implementation, SampleKind, UsageError

#: An assumption for sources that are not measured yet: over twice the slowest row of README.md.
_ASSUMED_MS_PER_SOURCE = 4.0
_ASSUMED_FIXED_MS = 1500.0
_KEYS_PER_PAGE = 1000
_PAYS_FOR_SNAPSHOTS = "python"
_PUBLISHING_S = 60  # an assumption: a version with a snapshot takes minutes


@dataclass(frozen=True, slots=True)
class Estimate:
    """US dollars. ``most`` is the cost if every invocation runs into its time-out. ``snapshots``
    is the cost of the versions of Python with SnapStart.
    """

    invocations: int
    likely: float
    most: float
    requests: float
    snapshots: float = 0.0

    def __str__(self) -> str:
        return (
            f"{self.invocations:,} invocations: about ${self.likely:.2f} if a source takes "
            f"{_ASSUMED_MS_PER_SOURCE:.0f} ms, at most ${self.most:.2f} if each runs into its "
            f"time-out; and ${self.requests:.2f} for S3 requests"
            + (f" and ${self.snapshots:.2f} for snapshots of Python" if self.snapshots else "")
            + f" ({price_list()})"
        )


def estimate(
    plan: Plan,
    memory_mb: list[int],
    timeout_s: int,
    sources: int,
    architecture: str,
    snapshots_mb: Sequence[int] = (),
) -> Estimate:
    """The cost of a plan; ``memory_mb`` has the memory size of each row. ``snapshots_mb`` has those
    of the rows that pay for snapshots.

    A plan with ``seconds`` is estimated by its time, not by its counts.
    """
    rows = len(memory_mb)
    cold, warm, rerun = (
        0 if plan.seconds else int(plan.most(kind))
        for kind in (SampleKind.COLD, SampleKind.WARM, SampleKind.RERUN)
    )
    of_row = 1 + cold + WARM_UPS + warm * (2 if plan.halved else 1) + rerun
    again = WARM_UPS + warm if plan.again else 0
    invocations = rows * of_row + again
    if plan.seconds:
        invocations += int(plan.seconds / (_ASSUMED_FIXED_MS / 1000))
    gb_second = gb_second_prices()[architecture]
    gigabytes = max(memory_mb) / 1024
    likely_s = (_ASSUMED_FIXED_MS + _ASSUMED_MS_PER_SOURCE * sources) / 1000
    pages = sources / _KEYS_PER_PAGE + 1
    requests = sources * s3_price("put") + invocations * (
        sources * s3_price("get") + (pages + 3) * s3_price("put")
    )
    # one to verify, one for the warm samples, one for each cold one, perhaps one more
    versions = 2 + (plan.seconds / _PUBLISHING_S if plan.seconds else cold) + plan.again
    return Estimate(
        invocations,
        invocations * (likely_s * gigabytes * gb_second + request_price()),
        invocations * (timeout_s * gigabytes * gb_second + request_price()),
        requests,
        versions * sum(snapshots_mb) / 1024 * snapshot_price(),
    )


def estimate_request(
    request: Request,
    functions: Sequence[Implementation],
    architecture: str,
    *,
    snap_start: bool = False,
) -> Estimate:
    """The cost of the request on these functions. ``snap_start`` is the setting of the stack."""
    each_client = choose_clients(choose(functions, request.languages), request.clients)
    rows = [(variant, each) for variant, _ in request.variants() for each in each_client]
    sizes = [variant.memory_mb or each.memory_mb for variant, each in rows]
    snapshots = [
        size
        for (variant, each), size in zip(rows, sizes, strict=True)
        if each.runtime.startswith(_PAYS_FOR_SNAPSHOTS)
        and (snap_start if variant.snap_start is None else variant.snap_start)
    ]
    if request.source is None:
        sources = request.recipe.objects
    else:  # all files: no day of the folder has more
        sources = sum(1 for each in request.source.rglob("*") if each.is_file())
    timeout_s = max(each.timeout_s for each in each_client)
    plan = make_plan(request, each_client)
    return estimate(plan, sizes, timeout_s, sources, architecture, snapshots)


def ask(yes: bool) -> Callable[[Estimate], None]:
    """A function that shows an estimate and waits for consent.

    It raises ``UsageError`` if the answer is no, or if no terminal is there for an answer.
    """

    def agree(found: Estimate) -> None:
        print(found, file=sys.stderr)
        if yes:
            return
        if not sys.stdin.isatty():
            raise UsageError("the input is no terminal: accept the cost with --yes")
        if input("Start? [y/N] ").strip().lower() not in ("y", "yes"):
            raise UsageError("not started")

    return agree
