"""The table of tasks: whole runs, from the start of a process to its exit."""

from __future__ import annotations

from collections.abc import Iterable
from statistics import median

from harness.analysis.intervals import ratio_of_medians, summarise
from harness.model import Comparison, Role, Row
from harness.report.formatting import Table, between, mebibytes, median_text, number, ratio


def tasks_table(comparison: Comparison) -> Table:
    measured = {row.name: _times(row) for row in comparison.rows if _times(row)}
    languages = [row.name for row in comparison.rows if row.role is Role.LANGUAGE]
    names = (name for name in languages if name in measured)
    fastest = min(names, key=lambda name: median(measured[name]), default=None)
    rows = []
    for row in comparison.rows:
        if row.name not in measured:
            continue
        times = summarise(measured[row.name])
        assert times is not None
        own = row.name == fastest or fastest is None
        to_fastest = None if own else ratio_of_medians(measured[row.name], measured[str(fastest)])
        peaks = [each.peak_rss_bytes for each in row.samples if each.peak_rss_bytes]
        rows.append(
            (
                row.name,
                str(times.n),
                number(times.median),
                between(times.interval),
                "1.00" if row.name == fastest else ratio(to_fastest),
                _median(each.init_ms for each in row.samples),
                _median(each.duration_ms for each in row.samples),
                _median(each.cpu_ms for each in row.samples),
                mebibytes(max(peaks, default=None)),
            )
        )
    return Table(
        "tasks",
        "Tasks",
        "Each sample is a task of its own. Medians in ms: from the start of its process to its "
        "exit, to its line start, and from there to its line end. The ratio is that of the medians "
        "to the fastest language. Fargate bills from the pull of the image to the stop; the pull "
        "and the provisioning before it can be had on AWS only.",
        ("row", "n", "start to exit", "95 %", "ratio", "start", "run", "CPU", "MiB"),
        rows,
    )


def _times(row: Row) -> list[float]:
    return [each.process_ms for each in row.samples if each.process_ms is not None]


def _median(values: Iterable[float | None]) -> str:
    return median_text(summarise([each for each in values if each is not None]))
