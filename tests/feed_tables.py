"""The tables of docs/feed.md: what a run of ``python -m harness feed`` counted, and the costs.

``python -m harness feed --speed 1 --export-json docs/feed.json`` writes the export, and
``make_tables.py`` writes the tables.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import make_tables

from harness.analysis.feed_cost import about, dollars_table, files_table

PAGE, EXPORT = make_tables.ROOT / "docs/feed.md", make_tables.ROOT / "docs/feed.json"
BLOCK = re.compile(
    r"(<!-- made by tests/feed_tables\.py: ([a-z]+) -->\n)(.*?)(<!-- end -->\n)", re.DOTALL
)

#: The rows of the first table: words, and a member of an account.
ROWS = (
    ("messages of the third party", "messages"),
    ("dropped by the third party", "dropped"),
    ("older than its memory when asked for", "too_late"),
    ("told as gaps by the client", "told"),
    ("acknowledged by the client", "acknowledged"),
    ("messages in files", "delivered"),
    ("records in files, doubled", "doubled"),
    ("lost, and nobody told", "untold"),
    ("acknowledged, and lost", "lost"),
    ("with another text", "changed"),
    ("behind a later one of its account", "overtaken"),
    ("connections to the third party", "connections"),
    ("requests to Kinesis", "requests"),
    ("records throttled by a shard", "throttled"),
    ("errors swallowed", "swallowed"),
    ("files", "files"),
    ("median delay from a message to its file, s", "delay_median_s"),
    ("99th percentile of it, s", "delay_p99_s"),
)


def counted() -> str:
    export = _export()
    accounts = export["accounts"]
    heads = ("", *(each["name"] for each in accounts))
    lines = [(words, *(_number(each[member]) for each in accounts)) for words, member in ROWS]
    return _table(heads, lines) + _source(export)


def hints() -> str:
    """The files by buffer hint."""
    heads = ("hint", "buffers", "files", "records", "stored kB", "delay s")
    lines = [
        (
            f"{each['hint']['size_mib']} MiB, {each['hint']['seconds']} s",
            "by account, region" if each["by_place"] else "one",
            f"{each['files']:,}",
            f"{each['records_per_file']:,.1f}",
            f"{each['median_stored_bytes'] / 1000:,.1f}",
            f"{each['delay_median_s']:,.0f}",
        )
        for each in _export()["hints"]
    ]
    return _table(heads, lines)


def costs() -> str:
    return f"{_table(*dollars_table())}\n({about()})\n"


def files() -> str:
    """Ways whose files are those of a way above them are left out."""
    heads, lines = files_table()
    seen: dict[Sequence[str], str] = {}
    for way, *cells in lines:
        seen.setdefault(tuple(cells), way)
    return _table(heads, [(way, *cells) for cells, way in seen.items()])


BLOCKS: Mapping[str, Callable[[], str]] = {
    "counted": counted,
    "hints": hints,
    "costs": costs,
    "files": files,
}


def page() -> str:
    """docs/feed.md as it should be. Raises ``KeyError`` for an unknown block."""
    return BLOCK.sub(lambda found: f"{found[1]}{BLOCKS[found[2]]()}{found[4]}", PAGE.read_text())


def _export() -> Mapping[str, Any]:
    export: Mapping[str, Any] = json.loads(EXPORT.read_text())
    return export


def _number(value: float | None) -> str:
    return make_tables.NOT_MEASURED if value is None else f"{round(value):,}"


def _source(export: Mapping[str, Any]) -> str:
    about, request = export["environment"], export["request"]
    recipe, speed = request["recipe"], request["speed"]
    pace = "in real time" if speed == 1 else f"{speed:g} times as fast"
    return (
        f"\n(`python -m harness feed --speed {speed:g}` at commit {about['commit'][:7]}: "
        f"{recipe['seconds']} s of a stream\n{pace}, {recipe['rate']:g} messages a second with "
        f"bursts, {request['shards']} shards)\n"
    )


def _table(heads: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    rule = f"|---|{'--:|' * (len(heads) - 1)}\n"
    first, *rest = (f"| {' | '.join(each)} |\n" for each in (heads, *lines))
    return "".join((first, rule, *rest))


if __name__ == "__main__":
    PAGE.write_text(page())
