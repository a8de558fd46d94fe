"""The tables of starts: from a zip, with an AOT cache, and from a snapshot."""

from __future__ import annotations

from harness.analysis.cost import price_list
from harness.analysis.starts import SnapStartCost, architecture, starts
from harness.model import Comparison, Start
from harness.report.formatting import Table, median_text, megabytes, ratio

_THOUSAND = 1000
#: By which a report names the AOT cache's place, and why.
_AOT = (
    "AOT is for a container image only: AWS advises against it in a zip, because Lambda changes "
    "the JVM of a managed runtime without notice, and the cache belongs to one build of the JVM."
)
_PRIMED = (
    "The init of a primed row has run before, and no caller waits for it. Its first is the hooks "
    "after the restore and the invocation; the restore itself can be measured on AWS only."
)


def starts_table(comparison: Comparison) -> Table:
    found = list(starts(comparison))
    notes = ["Medians in ms. First is what the first caller waits for."]
    if any(each.row.variant.start is Start.PRIMED for each in found):
        notes.append(_PRIMED)
    if any(each.row.variant.start is Start.AOT for each in found):
        notes.append(_AOT)
    return Table(
        "starts",
        "Starts",
        " ".join([*notes, "The ratio is that of first to the row with plain starts."]),
        ("row", "init", "restore", "hooks after", "first", "ratio", "warm", "zip MB"),
        [
            (
                each.row.name,
                median_text(each.init),
                median_text(each.restore),
                median_text(each.after_restore),
                median_text(each.first),
                ratio(each.to_plain),
                median_text(each.warm),
                megabytes(each.row.zip_bytes),
            )
            for each in found
        ],
    )


def snap_start_cost_table(comparison: Comparison) -> Table:
    return Table(
        "snap-start-cost",
        "Cost of SnapStart, modelled",
        f"US dollars by {price_list()}, {architecture(comparison)}: for a thousand cold starts "
        "the duration that they save and their restores, for a month of 730 hours the cache of one "
        "version. A version pays for three hours of its cache at least. The last column is the "
        "number of cold starts a month from which SnapStart costs less than it saves.",
        ("row", "saved", "restores", "cache a month", "cache, least", "pays from"),
        [
            (each.row.name, *_cells(each.cost))
            for each in starts(comparison)
            if each.cost is not None
        ],
    )


def _cells(cost: SnapStartCost) -> tuple[str, ...]:
    return (
        f"{cost.saved * _THOUSAND:.4f}",
        f"{cost.restore * _THOUSAND:.4f}",
        f"{cost.month:.2f}",
        f"{cost.least:.3f}",
        "never" if cost.pays_from is None else f"{cost.pays_from:,}",
    )
