"""The steps of the function, by README's table."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

from harness.toolchain.paths import ROOT

_ROW = re.compile(r"^\| `([a-z]+)` \| ([^|]+) \| [A-Z][^|]* \|$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Step:
    """A step: its name, which its files have in each language, and its work in a few words."""

    name: str
    work: str


@cache
def steps() -> tuple[Step, ...]:
    return tuple(Step(*found) for found in _ROW.findall((ROOT / "README.md").read_text()))
