"""The tables of sweeps and of the modelled cost."""

from __future__ import annotations

from collections.abc import Iterator

from harness.analysis.cost import (
    ARCHITECTURES,
    Cost,
    cost,
    gb_second_prices,
    price_list,
    requests_cost,
)
from harness.analysis.intervals import ConfidenceInterval, Summary, paired_ratio
from harness.analysis.row_summary import by_round, summarise_row
from harness.analysis.sweeps import (
    best_memory,
    concurrency_lines,
    gb_seconds,
    memory_lines,
    pairs_by_tls,
)
from harness.model import Comparison, Row
from harness.report.formatting import NOT_MEASURED, Table, mebibytes, median_text, number, ratio

_MILLION = 1_000_000


def memory_table(comparison: Comparison) -> Table:
    """GB-seconds, which AWS bills. Dollars only for rows with a latency to S3 like that of AWS."""
    cheapest = {(each.name, each.cheapest.value) for each in best_memory(comparison)}
    fastest = {(each.name, each.fastest.value) for each in best_memory(comparison)}
    arm64, x86_64 = (gb_second_prices()[name] for name in ARCHITECTURES)
    rows = []
    for line in memory_lines(comparison):
        for point in line.points:
            billed, is_modelled = gb_seconds(point), cost(point.row, comparison) is not None
            dollars = [f"{_MILLION * billed * price:,.2f}" for price in (arm64, x86_64)]
            key = (line.name, point.value)
            best = [
                word for word, of in (("cheapest", cheapest), ("fastest", fastest)) if key in of
            ]
            rows.append(
                (
                    line.name,
                    f"{point.value:,}{'*' if point.row.is_contended else ''}",
                    number(point.warm.median),
                    f"{billed:.3f}",
                    *(dollars if is_modelled else (NOT_MEASURED, NOT_MEASURED)),
                    " and ".join(best),
                )
            )
    return Table(
        "memory-sweep",
        "Memory sizes",
        "AWS bills the GB-s of an invocation; these are of a warm one. Dollars are modelled per "
        f"million invocations by {price_list()}, only for rows with a latency to S3. A row with * "
        "shared its cores with the S3 server and is not ranked.",
        ("row", "MB", "warm ms", "GB-s", "$ arm64", "$ x86_64", "best"),
        rows,
    )


def concurrency_table(comparison: Comparison) -> Table:
    rows = [
        (
            line.name,
            str(point.value),
            number(point.warm.median),
            f"{line.points[0].warm.median / point.warm.median:.2f}",
        )
        for line in concurrency_lines(comparison)
        for point in line.points
    ]
    return Table(
        "concurrency",
        "Gain of concurrency",
        "Warm medians by the most requests in flight, and the speed relative to the fewest. With a "
        "latency to S3 (+), concurrency saves waiting; without one, it can only share the work.",
        ("row", "in flight", "warm ms", "times as fast"),
        rows,
    )


def tls_table(comparison: Comparison) -> Table:
    rows = []
    for name, plain, encrypted in pairs_by_tls(comparison):
        before, after = (summarise_row(each, comparison.fixture) for each in (plain, encrypted))
        rows.append(
            (
                name,
                _both(before.warm, after.warm),
                ratio(paired_ratio(by_round(encrypted.samples), by_round(plain.samples))),
                _both(before.cpu, after.cpu),
                _both(before.server_cpu, after.server_cpu),
                _both(before.first, after.first),
                f"{mebibytes(before.peak_rss_bytes)} / {mebibytes(after.peak_rss_bytes)}",
            )
        )
    return Table(
        "tls",
        "Cost of TLS",
        "Each pair is plain HTTP / TLS. The ratio is that of the warm times over TLS to those over "
        "plain HTTP in the same round.",
        ("row", "warm ms", "ratio [95 %]", "CPU ms", "S3 CPU ms", "first ms", "MiB"),
        rows,
    )


def _both(before: Summary | None, after: Summary | None) -> str:
    return f"{median_text(before)} / {median_text(after)}"


def cost_table(comparison: Comparison) -> Table:
    rows = [
        (
            _starred(row),
            _interval(found.ms_per_source, 2),
            *(f"{found.duration[name].estimate:.2f}" for name in ARCHITECTURES),
            f"{found.sources_per_invocation:,}",
        )
        for row, found in _costs(comparison)
    ]
    s3 = f"{requests_cost(comparison):.2f}" if rows else NOT_MEASURED
    return Table(
        "cost",
        "Cost on AWS, modelled",
        f"US dollars per million sources by {price_list()}, from the slope between the day and its "
        f"half, without the init. S3's requests cost all rows $ {s3} more per million sources. The "
        "last column is the number of sources in one invocation of 15 minutes.",
        ("row", "ms/source [95 %]", *(f"$ {name}" for name in ARCHITECTURES), "in 15 min"),
        rows,
    )


def cold_cost_table(comparison: Comparison) -> Table:
    return Table(
        "cold-cost",
        "Cold starts on AWS, modelled",
        f"US dollars for the init and the request of a million cold starts, by {price_list()}. "
        "From a snapshot, the hooks after the restore are billed instead of the init.",
        ("row", *(f"$ {name}" for name in ARCHITECTURES)),
        [
            (_starred(row), *(f"{found.cold_starts[name]:.2f}" for name in ARCHITECTURES))
            for row, found in _costs(comparison)
            if found.cold_starts is not None
        ],
    )


def _costs(comparison: Comparison) -> Iterator[tuple[Row, Cost]]:
    for row in comparison.rows:
        if (found := cost(row, comparison)) is not None:
            yield row, found


def _starred(row: Row) -> str:
    return f"{row.name}{'*' if row.is_contended else ''}"


def _interval(found: ConfidenceInterval, digits: int) -> str:
    middle = f"{found.estimate:.{digits}f}"
    if found.n < 2:
        return middle
    return f"{middle} [{found.low:.{digits}f}-{found.high:.{digits}f}]"
