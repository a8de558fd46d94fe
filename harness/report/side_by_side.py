"""Several comparisons side by side: the same rows, and their growth with the size of the day.

Each comparison is one column, with the name of its file.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from harness.analysis.intervals import Summary
from harness.analysis.row_summary import ranking, summarise_row
from harness.model import Comparison, Row, SampleKind
from harness.report.formatting import (
    NOT_MEASURED,
    Table,
    mebibytes,
    median_text,
    number,
    standing_rows,
    standing_title,
    transports,
)

SideBySide = Mapping[str, Comparison]


@dataclass(frozen=True, slots=True)
class Size:
    """The wait of a first caller, at one number of sources: the start and the invocation.

    ``peak_rss_bytes`` is the largest peak of these invocations; warm ones do not count.
    """

    sources: int
    first: Summary
    peak_rss_bytes: int | None

    @property
    def ms_per_1000(self) -> float:
        return self.first.median / self.sources * 1000


@dataclass(frozen=True, slots=True)
class Growth:
    """One row over days of several sizes, in rising order."""

    name: str
    language: str
    client: str
    sizes: tuple[Size, ...]


def growth(comparisons: SideBySide) -> list[Growth]:
    """Rows that were measured over generated days of at least two sizes.

    There are none if the runs also differ in a setting or a machine, which times depend on.
    """
    if len({_conditions(each) for each in comparisons.values()}) > 1:
        return []
    found: dict[str, dict[int, Size]] = {}
    rows: dict[str, Row] = {}
    for comparison in comparisons.values():
        if comparison.fixture.get("kind") != "generated":
            return []
        sources = int(str(comparison.fixture["sources"]))
        for row in comparison.rows:
            first = summarise_row(row, comparison.fixture).first
            if first is not None:
                sizes = found.setdefault(row.name, {})
                sizes.setdefault(sources, Size(sources, first, _cold_peak(row)))
                rows[row.name] = row
    return [
        Growth(
            name,
            rows[name].language,
            rows[name].client,
            tuple(size for _, size in sorted(sizes.items())),
        )
        for name, sizes in found.items()
        if len(sizes) > 1
    ]


def side_by_side_table(comparisons: SideBySide) -> Table:
    """Warm medians, and ratios to the fastest row of each run.

    The ratios of different machines may be compared.
    """
    standings = {
        title: {name: ratio for _, name, ratio in standing_rows(ranking(each))}
        for title, each in comparisons.items()
    }
    rows = []
    for name in dict.fromkeys(row.name for each in comparisons.values() for row in each.rows):
        cells = [name]
        for title, each in comparisons.items():
            row = next((row for row in each.rows if row.name == name), None)
            warm = None if row is None else summarise_row(row, each.fixture).warm
            standing = standings[title].get(name, NOT_MEASURED)
            cells.append(NOT_MEASURED if warm is None else f"{median_text(warm)}, {standing}")
        rows.append(tuple(cells))
    text = "Warm medians in ms, and their ratios to the fastest row of the same run."
    return Table("side-by-side", "Side by side", text, ("row", *comparisons), rows)


def growth_table(comparisons: SideBySide) -> Table:
    rows = [
        (
            each.name,
            f"{size.sources:,}",
            number(size.first.median),
            f"{size.ms_per_1000:,.1f}",
            mebibytes(size.peak_rss_bytes),
            _times(size.peak_rss_bytes, before.peak_rss_bytes if before else None),
        )
        for each in growth(comparisons)
        for before, size in zip((None, *each.sizes), each.sizes, strict=False)
    ]
    return Table(
        "growth",
        "Growth with the day",
        "First is what the first caller waits for, with its peak memory. Time grows linearly if "
        "the ms per 1,000 sources stay equal. Times is the memory divided by that of the day "
        "before: 1.00 means that the memory does not grow.",
        ("row", "sources", "first ms", "per 1,000", "peak MiB", "times"),
        rows,
    )


def remarks(comparisons: SideBySide) -> Iterator[str]:
    """The references of the ratios, and a warning if the times can't be compared."""
    for title, each in comparisons.items():
        found = ranking(each)
        if found.fastest is not None:
            yield f"{title}: {standing_title(found)}"
    ways = {title: " and ".join(sorted(transports(each))) for title, each in comparisons.items()}
    ways = {title: way for title, way in ways.items() if way}  # some run may have no row
    if len(set(ways.values())) > 1:
        told = ", ".join(f"{title} {way}" for title, way in ways.items())
        yield f"the runs reached S3 in different ways: {told}; TLS is a part of each difference"
    if len({str(each.fixture) for each in comparisons.values()}) > 1:
        yield "the runs had different days: compare the ratios only"


def _conditions(comparison: Comparison) -> str:
    settings = comparison.settings
    variables = {name: value for name, value in settings.items() if name.isupper()}
    machine = [comparison.environment.get(name) for name in ("cpu", "cores", "target")]
    ways = sorted(transports(comparison))
    return repr((machine, ways, settings.get("memory_mb"), settings.get("limits"), variables))


def _cold_peak(row: Row) -> int | None:
    peaks = (each.peak_rss_bytes for each in row.samples if each.kind is SampleKind.COLD)
    return max(filter(None, peaks), default=None)


def _times(size: int | None, before: int | None) -> str:
    return NOT_MEASURED if size is None or before is None else f"{size / before:.2f}"
