"""The tables of details, for every report.

Headings contain the units. A value that was not measured is ``-``. The first column names the row.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from harness.analysis.intervals import LEAST_FOR_P95, Summary, summarise
from harness.analysis.row_summary import RowSummary, summarise_row, to_floor
from harness.model import Comparison, Role, Row, Sample, SampleKind, Start
from harness.report.formatting import (
    NOT_MEASURED,
    Table,
    between,
    median_text,
    megabytes,
    number,
    ratio,
)
from harness.report.start_tables import snap_start_cost_table, starts_table
from harness.report.sweep_tables import (
    cold_cost_table,
    concurrency_table,
    cost_table,
    memory_table,
    tls_table,
)
from harness.report.task_table import tasks_table

Measured = Sequence[tuple[Row, RowSummary]]


def with_summaries(comparison: Comparison) -> Measured:
    return [(row, summarise_row(row, comparison.fixture)) for row in comparison.rows]


def detail_tables(comparison: Comparison, rows: Measured) -> Iterator[Table]:
    """The tables of details; those without rows are left out."""
    of_rows = (warm_table, throughput_table, phases_table, package_table)
    of_all = (
        *(memory_table, concurrency_table, tls_table, cost_table, cold_cost_table),
        *(tasks_table, starts_table, snap_start_cost_table, start_table, emulator_table),
    )
    tables = [
        floor_table(comparison),
        *(make(rows) for make in of_rows),
        *(make(comparison) for make in of_all),
    ]
    yield from (each for each in tables if each.rows)


def floor_table(comparison: Comparison) -> Table:
    return Table(
        "floor",
        "Against the floor",
        "The floor moves the same objects by obstore and ISA-L without a look at records. Both "
        "ratios are to its warm time, with 95 % intervals: warm by rounds, first by medians.",
        ("row", "warm", "first"),
        [
            (name, ratio(found.warm), ratio(found.first))
            for name, found in to_floor(comparison).items()
        ],
    )


def warm_table(rows: Measured) -> Table:
    return Table(
        "warm",
        "Warm duration",
        f"Times in ms. The p95 needs at least {LEAST_FOR_P95} samples.",
        ("row", "n", "median", "95 %", "min", "max", "MAD", "p95", "re-run"),
        [
            (row.name, *_summary_cells(found.warm), median_text(found.rerun))
            for row, found in rows
            if found.warm is not None
        ],
    )


def start_table(comparison: Comparison) -> Table:
    """Only AWS has snapshots and bills."""
    rows = []
    for row in comparison.rows:
        cold = [sample for sample in row.samples if sample.kind is SampleKind.COLD]
        published = summarise([s.publish_ms for s in cold if s.publish_ms is not None])
        if published is None:
            continue
        restored = summarise([s.restore_ms for s in cold if s.restore_ms is not None])
        begun = summarise([s.init_ms for s in cold if s.init_ms is not None])
        billed = summarise([s.billed_ms for s in cold if s.billed_ms is not None])
        rows.append((row.name, *map(median_text, (published, begun, restored, billed))))
    return Table(
        "start",
        "Cold starts on AWS",
        "Medians in ms. Publishing ends when the version is active, which includes its snapshot "
        "with SnapStart. A restore replaces the init.",
        ("row", "publishing", "init", "restore", "billed"),
        rows,
    )


def throughput_table(rows: Measured) -> Table:
    return Table(
        "throughput",
        "Throughput and output",
        "Of the warm median. MB in are the stored sources. The ratio is the size of the records "
        "divided by that of the stored output.",
        ("row", "sources/s", "MB/s in", "output MB", "ratio"),
        [
            (
                row.name,
                number(found.sources_per_s),
                _decimal(found.megabytes_per_s),
                megabytes(row.output_zip_bytes),
                _decimal(_ratio(row)),
            )
            for row, found in rows
            if found.warm is not None
        ],
    )


def phases_table(rows: Measured) -> Table:
    names = phase_names(rows)
    return Table(
        "phases",
        "Time per phase",
        "The time of all operations of a phase in a warm invocation, and the time of one, in ms. "
        "Operations overlap, so the sums may exceed the duration. Wait is the consumer's.",
        ("row", "wait", *names),
        [
            (row.name, number(found.wait_ms), *(_phase(found, name) for name in names))
            for row, found in rows
            if found.warm is not None
        ],
    )


def phase_names(rows: Measured) -> list[str]:
    return list(next((found.phases for _, found in rows if found.phases), {}))


def package_table(rows: Measured) -> Table:
    """One line for each package: a sweep's rows share one. An AOT cache makes it another."""
    return Table(
        "package",
        "Package",
        "In kB. Own is the project's code, the rest are its dependencies. One file that is "
        "compressed as a whole has no own share of the zip.",
        ("package", "zip", "own", "rest", "unzipped", "own", "rest"),
        [
            (
                package_name(row),
                *_shares(row.zip_bytes, row.own.zip_bytes if row.own else None),
                *_shares(row.unzipped_bytes, row.own.unzipped_bytes if row.own else None),
            )
            for row in packages(rows)
        ],
    )


def packages(rows: Measured) -> list[Row]:
    """The first row of each language's package; companions have none."""
    shipped = (row for row, _ in reversed(rows) if row.zip_bytes and row.role is Role.LANGUAGE)
    return list({package_name(row): row for row in shipped}.values())[::-1]


def package_name(row: Row) -> str:
    is_larger = row.variant.start is Start.AOT
    return f"{row.language} {row.client} {Start.AOT}" if is_larger else row.language


def emulator_table(comparison: Comparison) -> Table:
    """The numbers of the emulator's REPORT line beside the true ones, of the first cold sample.

    The REPORT of a primed row is left out: its duration contains the freeze.
    """
    return Table(
        "emulator",
        "The emulator's own REPORT",
        "Of the first cold sample, in ms and MiB. No report uses the REPORT's numbers: its init "
        "ends before the runtime starts, its duration contains the init, and its memory is the "
        "configured size.",
        ("row", "init", "REPORT", "duration", "REPORT", "peak memory", "REPORT"),
        [
            (row.name, *_report_cells(sample))
            for row in comparison.rows
            if row.variant.start is not Start.PRIMED
            for sample in _first_cold(row.samples)
        ],
    )


def _first_cold(samples: Iterable[Sample]) -> Iterator[Sample]:
    cold = (each for each in samples if each.kind is SampleKind.COLD and each.emulator)
    yield from [first] if (first := next(cold, None)) else []


def _report_cells(sample: Sample) -> tuple[str, ...]:
    report = sample.emulator
    assert report is not None
    peak = sample.peak_rss_bytes
    return (
        *(_decimal(sample.init_ms), _decimal(report.init_ms)),
        *(number(sample.duration_ms), number(report.duration_ms)),
        *(number(None if peak is None else peak / 2**20), number(report.max_memory_mb)),
    )


def _shares(total: int | None, own: int | None) -> tuple[str, str, str]:
    rest = None if total is None or own is None else total - own
    return _kilobytes(total), _kilobytes(own), _kilobytes(rest)


def _kilobytes(size: int | None) -> str:
    return NOT_MEASURED if size is None else f"{size / 1000:,.0f}"


def _ratio(row: Row) -> float | None:
    plain = None if row.output is None else row.output.get("bytes")
    return plain / row.output_zip_bytes if isinstance(plain, int) and row.output_zip_bytes else None


def _phase(found: RowSummary, name: str) -> str:
    phase = found.phases.get(name)
    if phase is None:
        return NOT_MEASURED
    each = phase.sum_ms / phase.count if phase.count else None
    return f"{phase.sum_ms:,.0f} / {_decimal(each)}"


def _decimal(value: float | None) -> str:
    return NOT_MEASURED if value is None else f"{value:,.1f}"


def _summary_cells(summary: Summary | None) -> tuple[str, ...]:
    assert summary is not None
    return (
        str(summary.n),
        number(summary.median),
        between(summary.interval),
        *(number(each) for each in (summary.min, summary.max, summary.mad, summary.p95)),
    )
