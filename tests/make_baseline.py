"""Writes tests/baseline.json again: ``.venv/bin/python tests/make_baseline.py``.

The file has only the values that the gate reads: the warm durations by round, and the day. Of the
machine it has only the facts on which a ratio depends.
"""

from __future__ import annotations

import json
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

BASELINE = Path(__file__).with_name("baseline.json")
#: The flags of the baseline's run, which are also those of a run that is compared with it.
COMPARE = (
    *("compare", "--objects", "100", "--cold", "0", "--rerun", "0", "--warm", "8"),
    *("--languages", "python,go", "--clients", "sdk"),
)
_OF_MACHINE = ("cpu", "cores", "memory_mb", "architecture", "emulator", "commit", "clean")


def main() -> int:
    # here, so that it runs as a script from anywhere
    sys.path.insert(0, str(Path(__file__).parent.parent))
    from harness import cli
    from harness.model import Sample, SampleKind
    from harness.report.json_export import read_export, to_json

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "out.json"
        if (code := cli.main([*COMPARE, "--export-json", str(file)])) != 0:
            return code
        found = read_export(file)

    def bare(sample: Sample) -> Sample:
        unknown = (None,) * 3
        return Sample(SampleKind.WARM, sample.round, None, sample.duration_ms, *unknown)

    rows = tuple(
        replace(row, samples=tuple(map(bare, row.samples)), enforcement=None) for row in found.rows
    )
    environment = {name: found.environment[name] for name in _OF_MACHINE}
    kept = replace(found, environment={**environment, "kernel": "Linux"}, rows=rows, again=None)
    BASELINE.write_text(json.dumps(to_json(kept), indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
