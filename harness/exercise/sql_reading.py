"""Reads the sources of the vectors by one SQL statement, and compares with the contract.

A lesson shows this output: ``python -m harness.exercise.sql_reading``.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path

import duckdb

from harness.exercise.exercises import load_exercise
from harness.fixtures.sources import BadSourceError, read_records
from harness.scratch import scratch
from harness.verify.vectors.cases import VECTORS, load_cases

STEPS = ("inflater", "splitter")
SELECT = """
SELECT unnest(Records)
FROM read_json(?, format = 'unstructured', columns = {Records: 'JSON[]'})
"""


class Verdict(StrEnum):
    """The result of SQL for a source that the contract finds sound, or bad."""

    TEXT = "sound: the same text"
    VALUES = "sound: the same values, another text"
    OTHER = "sound: refused, or other values"
    REFUSED = "bad: refused, too"
    ACCEPTED = "bad: accepted in silence"


def sources() -> Iterator[tuple[str, str, bytes]]:
    """(vector, name, body) of every body in the vectors of the two exercises, once each."""
    seen: set[tuple[str, bytes]] = set()
    for step in STEPS:
        for _, vectors in load_exercise(step).vectors():
            for vector in vectors:
                (case,) = load_cases(VECTORS, vector)
                for key, stored in case.sources.items():
                    name = Path(key).name
                    if (name, stored.body) not in seen and len(stored.body) < 1 << 20:
                        seen.add((name, stored.body))
                        yield vector, name, stored.body


def judge(file: Path, body: bytes) -> Verdict:
    """Compare SQL's records of a file with those of the contract."""
    try:
        wanted = [record.decode() for record in read_records(body)]
    except BadSourceError:
        wanted = None
    try:
        found = [row[0] for row in duckdb.execute(SELECT, [str(file)]).fetchall()]
    except duckdb.Error:
        return Verdict.REFUSED if wanted is None else Verdict.OTHER
    if wanted is None:
        return Verdict.ACCEPTED
    if found == wanted:
        return Verdict.TEXT
    return Verdict.VALUES if _values(found) == _values(wanted) else Verdict.OTHER


def _values(records: list[str]) -> object:
    try:
        return [json.loads(record) for record in records]
    except (ValueError, TypeError):
        return None


def verdicts() -> Iterator[tuple[str, Verdict]]:
    with scratch("sql-reading") as folder:
        for vector, name, body in sources():
            file = folder / name
            file.write_bytes(body)
            yield vector, judge(file, body)


if __name__ == "__main__":
    found = list(verdicts())
    counts = Counter(verdict for _, verdict in found)
    for verdict in Verdict:
        print(f"{counts[verdict]:4}  {verdict}")
    for each in (Verdict.OTHER, Verdict.ACCEPTED):
        print(f"\n{each}:")
        for vector, verdict in found:
            if verdict is each:
                print(f"  {vector}")
