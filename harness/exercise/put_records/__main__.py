"""The exercise put-records: ``python -m harness.exercise.put_records go``."""

from __future__ import annotations

import argparse
import difflib
import sys
import tomllib
from pathlib import Path

from harness.exercise.blank import blank
from harness.exercise.folder import FOLDERS
from harness.exercise.put_records.program import FILES, command, outcomes
from harness.exercise.put_records.vectors import load_vectors
from harness.model import NotReady

HERE = Path(__file__).parent
OBVIOUS = HERE / "obvious.toml"


def obvious(language: str) -> str:
    """The file as most people would write it first."""
    part = tomllib.loads(OBVIOUS.read_text())[language]
    text = (HERE / FILES[language]).read_text()
    body = {part["write"]: part["body"].strip("\n")}
    return blank(text, language, (part["write"],), (part["drop"],), body)


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m harness.exercise.put_records",
        description="Write the requests that put records into a stream. The first call writes a "
        "file into .exercises/; each call checks it by the vectors.",
    )
    parser.add_argument("language", choices=FILES)
    parser.add_argument(
        "--solve", action="store_true", help="print the difference to an answer, check nothing"
    )
    given = parser.parse_args()
    file = FOLDERS / "put-records" / FILES[given.language]
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(obvious(given.language))
    if given.solve:
        real = (HERE / FILES[given.language]).read_text().splitlines(keepends=True)
        mine = file.read_text().splitlines(keepends=True)
        sys.stdout.writelines(difflib.unified_diff(mine, real, str(file), "an answer"))
        return 0
    return check(given.language, file)


def check(language: str, file: Path) -> int:
    """Print a line for each vector, and how many pass. 1 if one fails."""
    print(f"{file}\n")
    vectors, passed = load_vectors(), 0
    for vector, found in zip(vectors, outcomes(command(language, file), vectors), strict=True):
        passed += found.fault is None
        note = found.fault or (f"{found.doubles} records are doubled" if found.doubles else "")
        print(f"{'fails ' if found.fault else 'passes'}  {vector.name:28}{note}".rstrip())
    print(f"\n{passed} of {len(vectors)} vectors pass")
    return 0 if passed == len(vectors) else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except NotReady as error:
        sys.exit(str(error))
