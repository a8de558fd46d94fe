"""The report on a trail: its days, or the oddities of one of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import IO

from rich import box
from rich.table import Table
from rich.text import Text

from harness.fixtures.staging import SMALL_BYTES
from harness.fixtures.survey import KINDS, Oddities, Spread
from harness.fixtures.trail import Trail, TrailDay
from harness.terminal import Console

_WIDTH = 100
_LAYOUTS = {
    "single": "without an organisation id",
    "organisation": "below an organisation id",
    "both": "in both layouts",
}


def render_oddities(oddities: Oddities, stream: IO[str], width: int | None = None) -> None:
    """Print the sizes, then each kind of oddity that occurs, with the first file that has it.

    ``width`` defaults to the terminal's, or to 100 for another stream.
    """
    console = _console(stream, width)
    console.print(Text.assemble(("trail", "bold"), "  ", _about(oddities)))
    console.print(_sizes(oddities))
    rows = list(_rows(oddities))
    if not rows:
        console.print(f"no oddities: none of the {len(KINDS)} kinds occurs")
        return
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column(justify="right", no_wrap=True)
    table.add_column(overflow="fold")
    table.add_column(no_wrap=True, style="dim")
    for row in rows:
        table.add_row(*map(_text, row))
    console.print(table)


def _about(oddities: Oddities) -> str:
    parts = [
        f"{oddities.day}: {_counted(oddities.sources, 'source')} {_LAYOUTS[oddities.layout]}",
        f"{_counted(oddities.accounts, 'account')}, {_counted(oddities.regions, 'region')}",
        f"{_counted(oddities.records, 'record')}, nested {oddities.max_depth} deep",
    ]
    if oddities.layout == "both":
        parts[0] += f", {oddities.organisation_sources:,} below an organisation id"
    return "; ".join(parts)


def _sizes(oddities: Oddities) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("in a source")
    for heading in ("median", "p95", "max", "all together"):
        table.add_column(heading, justify="right")
    small = oddities.small_sources / oddities.sources
    stored = f"bytes stored, {small:.0%} under {SMALL_BYTES:,}"
    for name, spread in (
        (stored, oddities.stored_bytes),
        ("bytes inflated", oddities.inflated_bytes),
        ("records", oddities.records_per_source),
    ):
        table.add_row(name, *_figures(spread))
    return table


def _figures(spread: Spread) -> Iterator[str]:
    for value in (spread.median, spread.p95, spread.max, spread.sum):
        yield f"{value:,}"


def _rows(oddities: Oddities) -> Iterator[tuple[str, str, str]]:
    """(count, kind, clause). A row with an empty count belongs to the row before it."""
    of = {"source": oddities.sources, "record": oddities.records}
    for name, found in oddities.found.items():
        if not found.count:
            continue
        kind = KINDS[name]
        yield f"{found.count:,} of {_counted(of[kind.unit], kind.unit)}", kind.text, kind.clause
        if name == "late":
            yield "", _lateness(oddities), ""
        yield "", f"first in {(found.first or '').rpartition('/')[2]}", ""
    for folder, count in oddities.neighbours.items():
        yield _counted(count, "file"), f"in {folder}, not read", "L2"
    if count := oddities.empty_folders:
        yield _counted(count, "folder"), "empty: on S3 it is a folder marker", "L5"


def _lateness(oddities: Oddities) -> str:
    days = list(oddities.late_days.items())[::-1]
    named = ", ".join(f"{count:,} of {day}" for day, count in days[:3])
    more = f" and {len(days) - 3} days more" if len(days) > 3 else ""
    return f"{named}{more}; the earliest {_duration(oddities.late_max_s)} before midnight"


def _duration(seconds: int) -> str:
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours:,} h {minutes} min"
    return f"{minutes} min {seconds} s" if minutes else f"{seconds} s"


def render_days(trail: Trail, stream: IO[str], width: int | None = None) -> None:
    """Print one row for each day. No file is opened for it."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("day", no_wrap=True)
    for heading in ("sources", "bytes stored", "accounts", "regions", "not read"):
        table.add_column(heading, justify="right", no_wrap=True)
    for day, row in days_to_json(trail).items():
        table.add_row(day, *(f"{value:,}" for value in row.values()))
    console = _console(stream, width)
    console.print(_text(f"{trail.root}: {_counted(len(trail.days), 'day')}"))
    console.print(table)
    notes = [f"{count:,} in {folder}" for folder, count in _neighbours(trail).items()]
    if trail.elsewhere:
        notes.append(f"{trail.elsewhere:,} in no day's folder")
    if notes:
        console.print(_text(f"not read: {', '.join(notes)}"))
    for path, kind in not_files(trail).items():
        console.print(_text(f"no file: {path} is {kind}"))


def days_to_json(trail: Trail) -> dict[str, dict[str, int]]:
    """day -> its counts."""
    return {name: _counts(day) for name, day in trail.days.items()}


def not_files(trail: Trail) -> dict[str, str]:
    """Each path at the place of a source that is no file, and its kind."""
    return {str(path): kind for day in trail.days.values() for path, kind in day.not_files.items()}


def _counts(day: TrailDay) -> dict[str, int]:
    return {
        "sources": len(day.sources),
        "stored_bytes": sum(source.path.stat().st_size for source in day.sources),
        "accounts": len({source.account for source in day.sources}),
        "regions": len({source.region for source in day.sources}),
        "not_read": day.neighbours.total(),
    }


def _neighbours(trail: Trail) -> Mapping[str, int]:
    total: Counter[str] = Counter()
    for day in trail.days.values():
        total += day.neighbours
    return dict(sorted(total.items()))


def _console(stream: IO[str], width: int | None) -> Console:
    if width is None and not stream.isatty():
        width = _WIDTH
    return Console(file=stream, width=width, highlight=False)


def _text(value: str) -> Text:
    """Text without markup and control characters, which a file name could contain."""
    return Text("".join(c if c.isprintable() else ascii(c)[1:-1] for c in value))


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {_plural(number, noun)}"


def _plural(number: int, noun: str) -> str:
    return noun if number == 1 else f"{noun}s"
