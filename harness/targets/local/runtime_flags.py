"""The flags that Lambda gives its managed runtimes for a memory size: ``runtime_flags.toml``."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from harness.model import Start, UsageError

_TABLE = Path(__file__).with_suffix(".toml")


@dataclass(frozen=True, slots=True)
class Setting:
    """One option of a command line or one variable, with the source that names it."""

    text: str
    documented: bool
    source: str


def flags(runtime: str, memory_mb: int, start: Start | None = None) -> list[Setting]:
    """Command-line options, in the table's order, for a runtime such as ``java25``."""
    return [
        Setting(str(row["option"]).format(value=_value(row, memory_mb)), *_origin(row))
        for row in _rows("flag", runtime)
        if start is None or row.get("not_if") != start
    ]


def variables(runtime: str, memory_mb: int) -> Mapping[str, Setting]:
    """Name -> variable, for values that the runtime would find on Lambda by itself."""
    return {
        str(row["name"]): Setting(str(_value(row, memory_mb)), *_origin(row))
        for row in _rows("variable", runtime)
    }


def processors(memory_mb: int) -> int:
    """The number of processors that a function sees.

    Raises ``UsageError`` above Lambda's largest memory size.
    """
    for row in _table()["processors"]:
        if memory_mb <= int(str(row["up_to_mb"])):
            return int(str(row["count"]))
    raise UsageError(f"{memory_mb:,} MB: Lambda allows at most {row['up_to_mb']:,} MB")


def _rows(kind: str, runtime: str) -> Iterator[Mapping[str, object]]:
    return (row for row in _table()[kind] if runtime.startswith(str(row["runtime"])))


def _value(row: Mapping[str, object], memory_mb: int) -> int | None:
    if row.get("processors"):
        return processors(memory_mb)
    if "percent" not in row:
        return None
    hundredths = memory_mb * int(str(row["percent"]))
    return -(-hundredths // 100) if row["round"] == "up" else hundredths // 100


def _origin(row: Mapping[str, object]) -> tuple[bool, str]:
    return bool(row["documented"]), str(row["source"])


@cache
def _table() -> Mapping[str, list[Mapping[str, object]]]:
    with _TABLE.open("rb") as file:
        return tomllib.load(file)
