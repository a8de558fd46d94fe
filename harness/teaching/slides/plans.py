"""The plans of docs/teaching.md: the parts of a class, each with its minutes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from harness.teaching.slides.lesson_parts import TEACHING

_PLAN = re.compile(r"^## ([^\n]+)\n((?:(?!^## ).)*?)^\| minutes \|(.*?)\n\n", re.M | re.S)
_ROW = re.compile(r"^\| (\d+) \|.*\(slides/([a-z-]+)\.md\)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Stretch:
    """The minutes of a class for one part of the slides."""

    part: str
    minutes: int


@dataclass(frozen=True, slots=True)
class Plan:
    """A class: ``id`` is its title with hyphens."""

    id: str
    title: str
    stretches: Sequence[Stretch]

    @property
    def minutes(self) -> int:
        return sum(each.minutes for each in self.stretches)


def read_plans() -> list[Plan]:
    """The plans in their order. A row of a plan links to its part."""
    text = TEACHING.read_text(encoding="utf-8")
    return [
        Plan(
            title.lower().replace(" ", "-"),
            title,
            [Stretch(part, int(minutes)) for minutes, part in _ROW.findall(rows)],
        )
        for title, _, rows in _PLAN.findall(text)
    ]


def parts_of(plans: Sequence[Plan]) -> list[str]:
    """The parts of all plans in the order of the page."""
    return list(dict.fromkeys(each.part for plan in plans for each in plan.stretches))
