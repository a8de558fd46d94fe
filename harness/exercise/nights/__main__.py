"""The exercise nights: ``python -m harness.exercise.nights``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from tabulate import tabulate

from harness.drill.alarms import Alarm
from harness.exercise.folder import FOLDERS
from harness.exercise.nights.check import Verdict, judge_all, read_alarms
from harness.exercise.nights.night import load_nights
from harness.model import UsageError

OBVIOUS = Path(__file__).with_name("alarms.toml")
FILE = FOLDERS / "nights" / OBVIOUS.name


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m harness.exercise.nights",
        description="Choose alarms that notice every bad night in time, and no good one. The first "
        "call writes a file into .exercises/; each call checks it by CloudWatch's rules.",
    )
    parser.add_argument("--hint", action="store_true", help="add a hint for the first bad verdict")
    parser.add_argument(
        "--template", action="store_true", help="check the alarms of template.yaml in its place"
    )
    given = parser.parse_args(arguments)
    alarms = _alarms(template=given.template)
    verdicts = judge_all(load_nights(), alarms)
    print(_table(verdicts))
    wrong = [each for each in verdicts if each.fault]
    for each in wrong[:1]:
        print(f"\n{each.night.name}: {each.night.about}\n  {each.fault}")
        if given.hint:
            print(f"\n{each.night.hint.strip()}")
    print(f"\n{len(verdicts) - len(wrong)} of {len(verdicts)} nights are right")
    return 1 if wrong else 0


def _alarms(*, template: bool) -> list[Alarm]:
    if template:
        # imported here: SAM's transform takes seconds
        from harness.build.transform import deployed
        from harness.drill.alarm_settings import template_alarms

        return template_alarms(deployed(ActiveLanguage="go"))
    if not FILE.exists():
        FILE.parent.mkdir(parents=True, exist_ok=True)
        FILE.write_text(OBVIOUS.read_text())
    print(f"{FILE}\n")
    return read_alarms(FILE)


def _table(verdicts: Sequence[Verdict]) -> str:
    rows = []
    for each in verdicts:
        within = each.night.told_within
        rows.append(
            (
                each.night.name,
                "never" if within is None else f"{within} min",
                each.told_by or "",
                "" if each.after is None else f"{each.after} min",
                "wrong" if each.fault else "right",
            )
        )
    heads = ("night", "tell within", "first alarm", "after", "verdict")
    return tabulate(rows, heads, disable_numparse=True)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except UsageError as error:
        sys.exit(str(error))
