"""Prints each record of ``records.ndjson``, and what four languages make of it.

A lesson shows this output: ``python -m harness.exercise.round_trip``.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from subprocess import run

from harness.model import NotReady
from harness.toolchain.programs import find_go, find_jdk
from harness.toolchain.tools import find_node

HERE = Path(__file__).parent
RECORDS = HERE / "records.ndjson"
_JACKSON = Path(".m2/repository/com/fasterxml/jackson/core/jackson-core")


def round_trips() -> Mapping[str, Sequence[str]]:
    """language -> its lines, one for each record. Raises ``NotReady``."""
    commands = {
        "python": (sys.executable, HERE / "round_trip.py"),
        "java": (find_jdk(25) / "bin/java", "-cp", _jackson(), HERE / "RoundTrip.java"),
        "javascript": (find_node(), HERE / "round_trip.mjs"),
        "go": (find_go(), "run", HERE / "round_trip.go"),
    }
    records = RECORDS.read_bytes()
    return {
        language: run(command, input=records, check=True, capture_output=True)
        .stdout.decode()
        .splitlines()
        for language, command in commands.items()
    }


def _jackson() -> Path:
    """The library of the Java implementation, which Maven has fetched for its build."""
    found = sorted((Path.home() / _JACKSON).glob("*/jackson-core-*.jar"))
    if not found:
        raise NotReady("Jackson is not there yet: run make build-java")
    return found[-1]


def table(trips: Mapping[str, Sequence[str]]) -> str:
    """Each record, and below it the languages that print something else."""
    blocks = []
    for number, record in enumerate(RECORDS.read_text().splitlines()):
        lines = [f"record      {record}\n"]
        for language, printed in trips.items():
            same = printed[number] == record
            lines.append(f"{language:12}{'the same' if same else printed[number]}\n")
        blocks.append("".join(lines))
    return "\n".join(blocks)


if __name__ == "__main__":
    try:
        print(table(round_trips()), end="")
    except NotReady as error:
        sys.exit(str(error))
