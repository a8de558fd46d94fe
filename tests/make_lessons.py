"""Writes the generated blocks of docs/lessons/, from ``docs/results.json`` and from live programs.

``python tests/make_lessons.py`` in `.venv` writes them anew. A test fails when a block is stale.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import textwrap
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import make_tables

LESSONS = Path(__file__).parent.parent / "docs/lessons"
BLOCK = re.compile(
    r"(<!-- made by tests/make_lessons\.py: ([a-z-]+) -->\n)(.*?)(<!-- end -->\n)", re.DOTALL
)

type Row = Mapping[str, Any]


def round_trip(_: Mapping[str, Any]) -> str:
    return _printed("round_trip")


def sql(_: Mapping[str, Any]) -> str:
    return _printed("sql_reading")


def queue_days(_: Mapping[str, Any]) -> str:
    return _printed("queue_days")


def nights(_: Mapping[str, Any]) -> str:
    return _printed("nights", "--template")


def _printed(program: str, *arguments: str) -> str:
    """The output of a program of the room ``exercise``, live."""
    command = (sys.executable, "-m", f"harness.exercise.{program}", *arguments)
    made = subprocess.run(command, cwd=make_tables.ROOT, check=True, capture_output=True, text=True)
    return f"```text\n{made.stdout}```\n"


def clients(export: Mapping[str, Any]) -> str:
    """Both clients of each language: warm time, CPU, and the ratio of their CPU."""
    heads = ("language", "sdk warm ms", "light warm ms", "sdk CPU ms", "light CPU ms", "CPU ratio")
    by_name = {row["name"]: row for row in export["results"]}
    lines = []
    for language in make_tables.LANGUAGES:
        sdk, light = by_name[f"{language} sdk"], by_name[f"{language} light"]
        ratio = f"{_median(sdk, 'cpu') / _median(light, 'cpu'):.1f}"
        figures = [_median(row, name) for name in ("warm", "cpu") for row in (sdk, light)]
        lines.append((language, *(f"{each:,.0f}" for each in figures), ratio))
    return _table(heads, lines) + _source(export)


def memory(export: Mapping[str, Any]) -> str:
    """The peak of each row beside the size of the day's records."""
    heads = ("row", "peak MiB", "MB of records")
    lines = [
        (
            row["name"],
            f"{row['figures']['peak_rss_bytes'] / 2**20:,.0f}",
            f"{row['output']['bytes'] / 1e6:.1f}",
        )
        for row in _rows(export)
    ]
    return _table(heads, lines) + _source(export)


def starts(export: Mapping[str, Any]) -> str:
    """A cold invocation beside a warm one."""
    heads = ("row", "init ms", "first ms", "warm ms", "first by warm")
    lines = []
    for row in _rows(export):
        init, first, warm = (_median(row, name) for name in ("init", "first", "warm"))
        figures = (f"{init:,.0f}", f"{first:,.0f}", f"{warm:,.0f}", f"{first / warm:.1f}")
        lines.append((row["name"], *figures))
    return _table(heads, lines) + _source(export)


def compression(export: Mapping[str, Any]) -> str:
    """What the library of each language makes of the same records at its level 1."""
    heads = ("language", "compress ms", "output MB", "records by output")
    lines = []
    for row in _rows(export):
        if row["client"] == "light":
            stored = row["output_zip_bytes"]
            spent = row["figures"]["phases"]["compress"]["sum_ms"]
            ratio = f"{row['output']['bytes'] / stored:.1f}"
            lines.append((row["language"], f"{spent:,.0f}", f"{stored / 1e6:.2f}", ratio))
    return _table(heads, lines) + _source(export)


def noise(export: Mapping[str, Any]) -> str:
    """The warm samples of each row: middle, interval and extremes, and the CPU."""
    heads = ("row", "median ms", "95 %", "min", "max", "CPU ms, min to max")
    lines = []
    for row in _rows(export):
        warm, cpu = row["figures"]["warm"], row["figures"]["cpu"]
        interval = f"{warm['interval']['low']:,.0f}-{warm['interval']['high']:,.0f}"
        extremes = (f"{warm['min']:,.0f}", f"{warm['max']:,.0f}")
        spread = f"{cpu['min']:,.0f}-{cpu['max']:,.0f}"
        lines.append((row["name"], f"{warm['median']:,.0f}", interval, *extremes, spread))
    return _table(heads, lines) + _source(export)


def snap_start(export: Mapping[str, Any]) -> str:
    """The price of the inits that a restore saves, and of restores and cache, in US dollars."""
    prices = tomllib.loads((make_tables.ROOT / "harness/analysis/prices.toml").read_text())
    snapshot = prices["lambda"]["snapshot"]
    second = prices["lambda"]["gb_second"][export["environment"]["architecture"]]
    gigabytes = export["settings"]["memory_mb"] / 1024
    heads = ("row", "init ms", "init saved", "restores", "cache a month")
    lines = []
    for row in _rows(export):
        if row["language"] in ("python", "java"):
            pays = row["language"] == "python"
            init = _median(row, "init")
            lines.append(
                (
                    row["name"],
                    f"{init:,.0f}",
                    f"{1000 * init / 1000 * gigabytes * second:.3f}",
                    f"{pays * 1000 * gigabytes * snapshot['restored_gb']:.3f}",
                    f"{pays * 730 * 3600 * gigabytes * snapshot['cached_gb_second']:.2f}",
                )
            )
    return _table(heads, lines) + _source(export)


def caps(_: Mapping[str, Any]) -> str:
    """The warm time of each row by its cap on requests, from docs/caps.json."""
    export = json.loads((make_tables.ROOT / "docs/caps.json").read_text())
    found: dict[int, list[str]] = {}
    names: dict[str, None] = {}
    for row in _rows(export):
        names[f"{row['language']} {row['client']}"] = None
        warm = row["figures"]["warm"]
        cell = f"{warm['median']:,.0f} [{warm['min']:,.0f}-{warm['max']:,.0f}]"
        found.setdefault(row["variant"]["concurrency"], []).append(cell)
    lines = [(str(cap), *cells) for cap, cells in found.items()]
    return _table(("cap", *names), lines) + _machine(export)


def partitions(_: Mapping[str, Any]) -> str:
    """Requests and dollars of a query by the first day of its table, from docs/partitions.json."""
    export = json.loads((make_tables.ROOT / "docs/partitions.json").read_text())
    tables = {"chunks": "of the data", "from 2013": "in 2013"}
    heads = ("first day of the table, question", "GET", "LIST", "$ per 1,000 queries")
    lines = []
    for question in ("one day", "no condition"):
        for layout, words in tables.items():
            (asked,) = (
                each
                for each in export["questions"]
                if (each["layout"], each["question"]) == (layout, question)
            )
            (sample,) = asked["samples"]
            counts = [f"{sample['requests'].get(name, 0):,}" for name in ("GET", "LIST")]
            lines.append((f"{words}, {question}", *counts, f"{1000 * asked['dollars']:.3f}"))
    return _table(heads, lines)


def tls(_: Mapping[str, Any]) -> str:
    """The CPU of each row over plain HTTP and over TLS, from docs/tls.json."""
    export = json.loads(make_tables.TLS_EXPORT.read_text())
    found: dict[str, dict[bool, float]] = {}
    for row in _rows(export):
        name = f"{row['language']} {row['client']}"
        found.setdefault(name, {})[row["variant"]["tls"]] = _median(row, "cpu")
    heads = ("row", "CPU ms, plain HTTP", "CPU ms, TLS", "difference")
    lines = [
        (name, f"{of[False]:,.0f}", f"{of[True]:,.0f}", f"{of[True] - of[False]:,.0f}")
        for name, of in found.items()
    ]
    return _table(heads, lines) + _machine(export)


def restored(_: Mapping[str, Any]) -> str:
    """The CPU of a first and of a warm invocation by the way of starting, from docs/starts.json."""
    export = json.loads((make_tables.ROOT / "docs/starts.json").read_text())
    heads = ("row", "first, CPU ms", "warm, CPU ms")
    lines = []
    for row in _rows(export):
        cold = [each["cpu_ms"] for each in row["samples"] if each["kind"] == "cold"]
        lines.append((row["name"], f"{median(cold):,.0f}", f"{_median(row, 'cpu'):,.0f}"))
    return _table(heads, lines) + _machine(export)


def feed(_: Mapping[str, Any]) -> str:
    """The account of a feed's messages for each client, from docs/feed.json."""
    accounts = _feed()["accounts"]
    rows = (
        ("messages of the third party", "messages"),
        ("told as gaps", "told"),
        ("in files", "delivered"),
        ("doubled in files", "doubled"),
        ("lost, and nobody told", "untold"),
        ("behind a later one of its account", "overtaken"),
    )
    heads = ("", *(each["name"] for each in accounts))
    lines = [(words, *(f"{each[name]:,}" for each in accounts)) for words, name in rows]
    return f"{_table(heads, lines)}\n{_feed_source()}"


def feed_files(_: Mapping[str, Any]) -> str:
    """The files of a feed by buffer hint, from docs/feed.json."""
    heads = ("hint", "a buffer for", "files", "records a file", "stored kB")
    lines = [
        (
            f"{each['hint']['size_mib']} MiB, {each['hint']['seconds']} s",
            "account, region" if each["by_place"] else "all",
            f"{each['files']:,}",
            f"{each['records_per_file']:,.0f}",
            f"{each['median_stored_bytes'] / 1000:,.1f}",
        )
        for each in _feed()["hints"]
    ]
    minutes = _feed()["request"]["hint_seconds"] / 60
    return f"{_table(heads, lines)}\n({minutes:.0f} minutes of the same stream)\n"


def _feed() -> Mapping[str, Any]:
    export: Mapping[str, Any] = json.loads((make_tables.ROOT / "docs/feed.json").read_text())
    return export


def _feed_source() -> str:
    about, request = _feed()["environment"], _feed()["request"]
    speed = request["speed"]
    pace = "in real time" if speed == 1 else f"{speed:g} times as fast as the clock"
    return f"(`python -m harness feed` at commit {about['commit'][:7]}, {pace})\n"


def report_line(export: Mapping[str, Any]) -> str:
    """The first cold sample, measured and as the emulator's REPORT line tells it."""
    heads = ("row", "init ms", "REPORT", "peak MiB", "REPORT", "first ms", "REPORT")
    lines = []
    for row in _rows(export):
        cold = next(each for each in row["samples"] if each["kind"] == "cold")
        told = cold["emulator"]
        lines.append(
            (
                row["name"],
                f"{cold['init_ms']:,.0f}",
                f"{told['init_ms']:,.2f}",
                f"{cold['peak_rss_bytes'] / 2**20:,.0f}",
                f"{told['max_memory_mb']:,}",
                f"{cold['first_ms']:,.0f}",
                f"{told['duration_ms']:,.0f}",
            )
        )
    return _table(heads, lines) + _source(export)


def tasks(export: Mapping[str, Any]) -> str:
    """The CPU of a task beside that of a function, from docs/tasks.json."""
    return make_tables.task_table(json.loads(make_tables.TASKS_EXPORT.read_text()), export)


def crossover(_: Mapping[str, Any]) -> str:
    """From which size of a day a task costs less, for the small clients."""
    sys.path.insert(0, str(make_tables.ROOT))  # so that it runs as a script from anywhere
    from harness.analysis.crossover import Assumptions, works
    from harness.report.crossover_tables import assumed, crossover_table
    from harness.report.json_export import read_export

    exports = (read_export(each) for each in (make_tables.EXPORT, make_tables.TASKS_EXPORT))
    light = [each for each in works(*exports) if each.name.endswith(" light")]
    given = Assumptions()
    table = crossover_table(light, given)
    return f"{_table(table.headings, table.rows)}\n({textwrap.fill(assumed(given), 98)})\n"


BLOCKS: Mapping[str, Callable[[Mapping[str, Any]], str]] = {
    "round-trip": round_trip,
    "clients": clients,
    "memory": memory,
    "starts": starts,
    "compression": compression,
    "noise": noise,
    "report-line": report_line,
    "sql": sql,
    "queue-days": queue_days,
    "nights": nights,
    "snap-start": snap_start,
    "restored": restored,
    "tls": tls,
    "caps": caps,
    "partitions": partitions,
    "tasks": tasks,
    "crossover": crossover,
    "feed": feed,
    "feed-files": feed_files,
}


def _rows(export: Mapping[str, Any]) -> Iterator[Row]:
    """The rows of the languages that were measured, in the order of the export."""
    return (
        row
        for row in export["results"]
        if row["language"] in make_tables.LANGUAGES and row["verdict"] == "match"
    )


def _median(row: Row, name: str) -> float:
    return float(row["figures"][name]["median"])


def _table(heads: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    rule = f"|---|{'--:|' * (len(heads) - 1)}"
    return "".join(f"| {' | '.join(line)} |\n" for line in (heads, *lines)).replace(
        "|\n", f"|\n{rule}\n", 1
    )


def _source(export: Mapping[str, Any]) -> str:
    return f"\n{textwrap.fill(make_tables.describe(export), 100)}\n"


def _machine(export: Mapping[str, Any]) -> str:
    """The commit, the day and the load of a run that was not at rest."""
    about = export["environment"]
    return (
        f"\n(commit {about['commit'][:7]}, {export['fixture']['sources']:,} sources, "
        f"{about['cores']} cores with a load of {about['load']:.0f})\n"
    )


def with_blocks(text: str, export: Mapping[str, Any]) -> str:
    """The text with each of its blocks made anew. Raises ``KeyError`` for an unknown block."""
    return BLOCK.sub(lambda found: f"{found[1]}{BLOCKS[found[2]](export)}{found[4]}", text)


def lessons() -> Mapping[Path, str]:
    """Each lesson as it should be."""
    export = json.loads(make_tables.EXPORT.read_text())
    return {path: with_blocks(path.read_text(), export) for path in sorted(LESSONS.glob("*.md"))}


if __name__ == "__main__":
    for path, text in lessons().items():
        path.write_text(text)
