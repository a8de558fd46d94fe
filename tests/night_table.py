"""The table of docs/nights.md, from the export of ``python -m harness drill``."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any


def night_table(export: Mapping[str, Any]) -> str:
    """A row for each fault, over all languages, and what the faults are."""
    by_fault: dict[str, list[Mapping[str, Any]]] = {}
    for drill in export["drills"]:
        by_fault.setdefault(drill["fault"], []).append(drill)
    languages = {drill["language"] for drill in export["drills"]}
    records = sum(drill["records"] for drill in export["drills"])
    faults = (
        textwrap.fill(f"- `{name}`: {drills[0]['about']}.", 100, subsequent_indent="  ") + "\n"
        for name, drills in by_fault.items()
    )
    later = export.get("later")  # nights of a later commit
    those = f", those of {' and '.join(later['faults'])} at {later['commit'][:7]}" if later else ""
    facts = (
        f"({len(export['drills'])} nights in {len(languages)} languages at commit "
        f"{export['environment']['commit'][:7]}{those}; {records:,} records)"
    )
    return "".join(
        [
            "| fault | runs | told by | right | doubled | missed | lost |\n",
            "|---|---|---|--:|--:|--:|--:|\n",
            *(_row(name, drills) for name, drills in by_fault.items()),
            "\n",
            *faults,
            f"\n{textwrap.fill(facts, 100)}\n",
        ]
    )


def _row(name: str, drills: Sequence[Mapping[str, Any]]) -> str:
    told: dict[str, list[float]] = {}
    for drill in drills:
        for each in sorted(_first_times(drill).items(), key=lambda item: item[1]):
            told.setdefault(each[0], []).append(each[1])
    told_by = (
        f"[{alarm}](runbook.md#{alarm.lower().replace(' ', '-')}) {_times(seconds)}"
        for alarm, seconds in told.items()
    )
    cells = (
        f"`{name}`",
        "; ".join(dict.fromkeys(map(_runs, drills))),
        ", ".join(told_by),
        _times([each["repaired_s"] for each in drills]),
        max(each["readers"]["doubled"] for each in drills),
        max(each["readers"]["missing"] for each in drills),
        sum(each["lost"] for each in drills),
    )
    return f"| {' | '.join(map(str, cells))} |\n"


def _first_times(drill: Mapping[str, Any]) -> dict[str, float]:
    """alarm -> when it went off first. The alarms of idle functions are one here."""
    first: dict[str, float] = {}
    for each in drill["alarms"]:
        name = re.sub(r"^Idle\w+Alarm$", "Idle alarms", each["alarm"])
        first[name] = min(each["after_s"], first.get(name, each["after_s"]))
    return first


def _runs(drill: Mapping[str, Any]) -> str:
    """The ends of the runs of a night, equal ones that follow one another as one."""
    ends = (
        end if language == drill["language"] else f"{end} in the other"
        for _, language, end in drill["receipts"]
    )
    counted = ((end, len(list(group))) for end, group in groupby(ends))
    return ", ".join(f"{count} times {end}" if count > 1 else end for end, count in counted)


def _times(seconds: Sequence[float]) -> str:
    minutes = sorted({round(each / 60) for each in seconds})
    spans = (f"{each // 60}:{each % 60:02}" for each in (minutes[0], minutes[-1]))
    return " to ".join(dict.fromkeys(spans))
