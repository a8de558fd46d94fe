"""The outcomes of drills as a table, as JSON, and as a list of the broken promises."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict

from tabulate import tabulate

from harness.drill.drill import Drill, Readers
from harness.drill.night import REACTION

SCHEMA = 1


def render(drills: Sequence[Drill], form: str) -> str:
    """A row for each fault and language, and the meaning of the columns."""
    rows = [
        {
            "fault": each.fault,
            "language": each.language,
            "runs": _runs(each),
            "alarm": each.told_first.alarm if each.told_first else "none",
            "told after": _span(each.told_first.after_s if each.told_first else None),
            "right after": _span(each.repaired_s),
            "readers saw": _readers(each.readers),
            "doubled": each.readers.doubled,
            "missed": each.readers.missing,
            "lost": f"{each.lost} of {each.records}",
        }
        for each in drills
    ]
    table = tabulate(rows, headers="keys", tablefmt=form, disable_numparse=True)
    about = {each.fault: each.about for each in drills}
    faults = "\n".join(f"- `{name}`: {words}" for name, words in about.items())
    minutes = REACTION.total_seconds() / 60
    return (
        f"{table}\n\nTimes are hours and minutes on the drill's clock since the schedule's time. "
        f"An operator\nacts {minutes:.0f} minutes after the alarm that is answered.\n\n{faults}"
    )


def broken(drills: Sequence[Drill]) -> list[str]:
    """Each broken promise, and each fault after which the chunks of the languages differ."""
    lines = [
        f"{each.fault}, {each.language}: {problem}" for each in drills for problem in each.problems
    ]
    lakes: dict[str, dict[str, str]] = defaultdict(dict)
    for each in drills:
        lakes[each.fault][each.language] = each.lake
    return lines + [
        f"{fault}: the destinations of {', '.join(by_language)} differ"
        for fault, by_language in lakes.items()
        if len(set(by_language.values())) > 1
    ]


def to_json(drills: Sequence[Drill], environment: Mapping[str, object]) -> dict[str, object]:
    return {
        "schema": SCHEMA,
        "environment": environment,
        "reaction_s": REACTION.total_seconds(),
        "drills": [asdict(each) for each in drills],
    }


def _runs(drill: Drill) -> str:
    """The ends of the runs, equal ones that follow one another as one."""
    parts: list[tuple[str, int]] = []
    for _, language, end in drill.receipts:
        words = end if language == drill.language else f"{end} ({language})"
        if parts and parts[-1][0] == words:
            parts[-1] = words, parts[-1][1] + 1
        else:
            parts.append((words, 1))
    return ", ".join(f"{words} x{count}" if count > 1 else words for words, count in parts)


def _readers(readers: Readers) -> str:
    """The states that lasted; the last one lasts on."""
    *before, (last, _) = readers.lasting
    words = [f"{saw} {_span(seconds)}" for saw, seconds in before]
    return ", ".join([*words, last])


def _span(seconds: float | None) -> str:
    if seconds is None:
        return "never"
    minutes = round(seconds / 60)
    return f"{minutes // 60}:{minutes % 60:02}"
