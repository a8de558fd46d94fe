"""Writes the tables of README.md, results.md and backfill.md from ``docs/results.json``, that of
tls.md from ``docs/tls.json``, that of growth.md and its picture from ``docs/growth-20k.json`` and
``docs/growth-200k.json``, those of lambda-or-fargate.md from ``docs/tasks.json``, too, with its
picture, that of nights.md from ``docs/drill.json``, and then those of feed.md and of the lessons.

``python -m harness compare --export-json docs/results.json`` writes the first export. The same with
``--tls off,on --export-json docs/tls.json`` writes the second, and with ``--target task --clients
light --export-json docs/tasks.json`` the third. ``python -m harness drill --export-json
docs/drill.json`` writes that of the nights. ``python tests/make_tables.py`` writes the tables. All
run in `.venv`. A test fails when a table is stale.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any
from urllib.request import urlopen

from night_table import night_table

if TYPE_CHECKING:
    from harness.report.side_by_side import SideBySide

ROOT = Path(__file__).parent.parent
EXPORT = ROOT / "docs/results.json"
TLS_EXPORT = ROOT / "docs/tls.json"
TASKS_EXPORT = ROOT / "docs/tasks.json"
DRILL_EXPORT = ROOT / "docs/drill.json"
GROWTH_EXPORTS = ROOT / "docs/growth-20k.json", ROOT / "docs/growth-200k.json"
README, RESULTS, BACKFILL, TLS, PLACES, NIGHTS, GROWTH = (
    ROOT / name
    for name in (
        *("README.md", "docs/results.md", "docs/backfill.md", "docs/tls.md"),
        *("docs/lambda-or-fargate.md", "docs/nights.md", "docs/growth.md"),
    )
)
BEGIN, END = "<!-- made by tests/make_tables.py -->\n", "<!-- end -->\n"
LANGUAGES = ("python", "java", "javascript", "go")
README_HEADINGS = (
    *("row", "rank", "warm ms [95 %]", "ratio to fastest"),
    *("first ms", "CPU ms", "MiB", "zip MB"),
)
NOT_MEASURED = "-"
# docs/backfill.md assumes these; the dataset's size is that of the one this project began with
GET_S, CONCURRENCY, DAYS_AT_A_TIME = 0.020, 16, 5
DATASET_SOURCES, DAY_SOURCES, LONGEST_S = 4_601_675, 30_000, 900

type Export = Mapping[str, Any]


def rows_of(export: Export) -> Iterator[Mapping[str, Any]]:
    """The rows of the languages, the fastest first; those without times last."""
    rows = (row for row in export["results"] if row["language"] in LANGUAGES)
    return iter(sorted(rows, key=lambda row: _median(row, "warm") or float("inf")))


def readme_table(export: Export) -> str:
    """The table of README.md: the rows and their values."""
    return "".join(
        [
            f"| {' | '.join(README_HEADINGS)} |\n",
            f"|---|{'--:|' * (len(README_HEADINGS) - 1)}\n",
            *(_readme_row(row) for row in rows_of(export)),
            f"\n{describe(export)}\n",
        ]
    )


def _readme_row(row: Mapping[str, Any]) -> str:
    if row["verdict"] != "match":
        return f"| {row['name']} | {row['verdict']} | | | | | | |\n"
    peak = row["figures"]["peak_rss_bytes"]
    cells = (
        row["name"],
        NOT_MEASURED if row["rank"] is None else row["rank"],
        _interval(row["figures"]["warm"] and row["figures"]["warm"]["interval"], ",.0f"),
        _interval(row["ratio_to_fastest"], ".2f") if row["ratio_to_fastest"] else "1.00",
        _number(_median(row, "first")),
        _number(_median(row, "cpu")),
        _number(None if peak is None else peak / 2**20),
        f"{row['package_zip_bytes'] / 1e6:.1f}",
    )
    return f"| {' | '.join(map(str, cells))} |\n"


def describe(export: Export) -> str:
    """The machine, the commit and its noise in one line."""
    environment = export["environment"]
    ratio = export["again"] and export["again"]["ratio"]
    noise = "not known"
    if ratio:
        most = max(ratio["high"], 1 / ratio["low"])
        noise = f"{1 / most:.2f} to {most:.2f}"
    cpu = environment["cpu"].replace("(R)", "").replace("(TM)", "")
    way = "TLS" if all(row.get("tls") for row in rows_of(export)) else "plain HTTP"
    return (
        f"(`make compare` at commit {environment['commit'][:7]}, over {way}, "
        f"{environment['cores']} cores of {cpu}; noise: {noise})"
    )


def backfill_table(export: Export) -> str:
    """The time for the whole dataset at the rate of each row."""
    limit = CONCURRENCY / GET_S
    lines = [
        f"| row | measured, sources/s | at {GET_S * 1000:.0f} ms | the dataset | a day |\n",
        "|---|--:|--:|--:|--:|\n",
    ]
    for row in rows_of(export):
        measured = row["figures"]["sources_per_s"]
        if measured is None:
            continue
        rate = min(measured, limit)
        minutes = DATASET_SOURCES / (rate * DAYS_AT_A_TIME) / 60
        lines.append(
            f"| {row['name']} | {measured:,.0f} | {rate:,.0f} | {minutes:.0f} minutes "
            f"| {DAY_SOURCES / rate:.0f} s |\n"
        )
    return "".join(lines)


def report_tables(export: Path) -> str:
    """All tables of the report, by the harness's own command."""
    return _markdown_of("report", export)


def _markdown_of(*words: str | Path) -> str:
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / "made.md"
        command = (sys.executable, "-m", "harness", *words, "--markdown", made)
        subprocess.run(command, check=True, cwd=ROOT, stdout=subprocess.DEVNULL)
        return made.read_text()


def place_tables(export: Path) -> str:
    """The CPU of tasks beside that of functions, and the tables of ``crossover``."""
    modelled = _markdown_of("crossover", export, "--tasks", TASKS_EXPORT)
    tasks = task_table(json.loads(TASKS_EXPORT.read_text()), json.loads(export.read_text()))
    return f"{tasks}\n{modelled}"


def task_table(tasks: Export, functions: Export) -> str:
    """The CPU of one run of a day, by the way of its start. Other work hardly changes it."""
    found = {row["name"]: row for row in functions["results"]}
    about = tasks["environment"]
    lines = [
        "| row | task, CPU ms | first invocation | warm invocation | task, MiB |\n",
        "|---|--:|--:|--:|--:|\n",
    ]
    for row in rows_of(tasks):
        other = found[row["name"]]
        cells = (_cold_cpu(row), _cold_cpu(other), _median(other, "cpu"))
        peak = row["figures"]["peak_rss_bytes"] / 2**20
        lines.append(f"| {row['name']} | {' | '.join(map(_number, cells))} | {peak:,.0f} |\n")
    lines.append(
        f"\n(tasks: commit {about['commit'][:7]}, {tasks['fixture']['sources']:,} sources, "
        f"{about['cores']} cores with a load of {about['load']:.0f})\n"
    )
    return "".join(lines)


def _cold_cpu(row: Mapping[str, Any]) -> float:
    spent = (float(each["cpu_ms"]) for each in row["samples"] if each["kind"] == "cold")
    return median(spent)


def place_pictures(export: Path) -> dict[Path, str]:
    """The files of the picture, of the row with the shortest time of a source."""
    sys.path.insert(0, str(ROOT))  # so that it runs as a script from anywhere
    from crossover_picture import pictures

    from harness.analysis.crossover import Assumptions, works
    from harness.report.json_export import read_export

    found = works(read_export(export), read_export(TASKS_EXPORT))
    drawn = pictures(min(found, key=lambda each: each.elapsed_s), Assumptions())
    folder = ROOT / "docs/pictures"
    return {folder / f"lambda-or-fargate-{scheme}.svg": text for scheme, text in drawn.items()}


def tls_table(export: Path) -> str:
    """The facts of the run, and the pairs of rows over plain HTTP and over TLS."""
    report = report_tables(export)
    facts = report.partition("\n\n")[0]
    table = report.partition("**Cost of TLS**: ")[2].partition("\n**")[0]
    return f"{facts}\n\n{table.rstrip()}\n"


def _grown(export: Path) -> SideBySide:
    sys.path.insert(0, str(ROOT))  # so that it runs as a script from anywhere
    from harness.report.json_export import read_export

    return {str(each): read_export(each) for each in (export, *GROWTH_EXPORTS)}


def large_days_table(export: Path) -> str:
    """Each row over the three days: the time of a source, and the peak memory."""
    from harness.report.side_by_side import growth

    lines = [
        "| row | ms per 1,000 sources: 2,000 / 20,000 / 200,000 | 200,000, s | peak MiB "
        "| 200,000 by 20,000 |\n",
        "|---|--:|--:|--:|--:|\n",
    ]
    for row in growth(_grown(export)):
        times = " / ".join(f"{size.ms_per_1000:,.0f}" for size in row.sizes)
        peaks = [size.peak_rss_bytes / 2**20 for size in row.sizes if size.peak_rss_bytes]
        lines.append(
            f"| {row.name} | {times} | {row.sizes[-1].first.median / 1000:.0f} "
            f"| {' / '.join(map(_number, peaks))} | {peaks[-1] / peaks[-2]:.2f} |\n"
        )
    return "".join(lines)


def large_days_pictures(export: Path) -> dict[Path, bytes]:
    """The files of the picture of growth."""
    from harness.report.html_page.growth_plot import growth_plot

    plot = growth_plot(_grown(export))
    assert plot is not None
    drawn = {scheme: uri for (scheme, width), uri in plot.images.items() if width == "wide"}
    folder = ROOT / "docs/pictures"
    return {folder / f"growth-{each}.svg": _decoded(uri) for each, uri in drawn.items()}


def _decoded(data_uri: str) -> bytes:
    with urlopen(data_uri) as found:
        return bytes(found.read())


def block(text: str) -> str:
    """The part of a document between the two marks."""
    return text.partition(BEGIN)[2].partition(END)[0]


def with_block(text: str, made: str) -> str:
    before, _, rest = text.partition(BEGIN)
    return f"{before}{BEGIN}{made}{END}{rest.partition(END)[2]}"


def blocks(path: Path) -> dict[Path, str]:
    """Each document and its block, made from the export."""
    export = json.loads(path.read_text())
    return {
        README: readme_table(export),
        RESULTS: report_tables(path),
        BACKFILL: backfill_table(export),
        TLS: tls_table(TLS_EXPORT),
        PLACES: place_tables(path),
        GROWTH: large_days_table(path),
        NIGHTS: night_table(json.loads(DRILL_EXPORT.read_text())),
    }


def _median(row: Mapping[str, Any], name: str) -> float | None:
    summary = row["figures"][name]
    return None if summary is None else float(summary["median"])


def _number(value: float | None) -> str:
    return NOT_MEASURED if value is None else f"{value:,.0f}"


def _interval(interval: Mapping[str, Any] | None, form: str) -> str:
    if interval is None:
        return NOT_MEASURED
    estimate, low, high = (format(interval[name], form) for name in ("estimate", "low", "high"))
    return f"{estimate} [{low}-{high}]"


if __name__ == "__main__":
    for document, made in blocks(EXPORT).items():
        document.write_text(with_block(document.read_text(), made))
    for picture, drawn in place_pictures(EXPORT).items():
        picture.write_text(drawn)
    for picture, image in large_days_pictures(EXPORT).items():
        picture.write_bytes(image)
    for program in ("feed_tables.py", "make_lessons.py"):
        command = (sys.executable, ROOT / "tests" / program)
        subprocess.run(command, env={**os.environ, "PYTHONPATH": str(ROOT)}, check=True)
