"""The table as golden text and the export against its schema."""

from __future__ import annotations

import io
import json
import re
from dataclasses import replace
from typing import Any

import jsonschema
import pytest
from fake_bench import ENVIRONMENT

from harness.model import Comparison, Row, Sample, SampleKind, Verdict, VerdictKind
from harness.report import render, to_json

MATCH = Verdict(VerdictKind.MATCH)


def cold(init: float, duration: float) -> Sample:
    return Sample(SampleKind.COLD, init, duration, 900.4, 80 << 20)


def warm(duration: float, cpu: float | None = 150.0) -> Sample:
    return Sample(SampleKind.WARM, None, duration, cpu, 90 << 20)


OUTPUT = {
    "day": "2024-02-08",
    "sources": 2000,
    "bad": 0,
    "records": 14475,
    "bytes": 18729644,
    "chunks": 1,
    "deleted": 0,
}
COMPARISON = Comparison(
    environment=ENVIRONMENT,
    settings={"memory_mb": 1769, "timeout_s": 900, "cold": 3, "warm": 3, "CHUNK_BYTES": 67108864},
    fixture={
        "kind": "generated",
        "seed": 1,
        "day": "2024-02-08",
        "sources": 2000,
        "bad": 0,
        "source_bytes": 4_270_000,
        "small_share": 0.438,
        "records": 14475,
        "record_bytes": 18_729_644,
        "chunks": 1,
    },
    rows=(
        Row(
            "python",
            "sdk",
            MATCH,
            19_400_000,
            61_000_000,
            OUTPUT,
            {"get": {"count": 2000, "sum_ms": 12.5}},
            (
                *(cold(310.2, 2100), cold(290, 1900), cold(300, 2000)),
                *(warm(1180.5), warm(1234.4, None), warm(1100)),
            ),
        ),
        Row("go", "sdk", MATCH, 4_100_000, 9_000_000, OUTPUT, None, (cold(9.4, 400),)),
        Row(
            "javascript",
            "sdk",
            Verdict(
                VerdictKind.MISMATCH,
                '2024/02/08/000001.ndjson.gz, line 3, byte 7: differs\n  expected: {"a":[1]}',
            ),
            1_000_000,
            3_000_000,
            OUTPUT,
        ),
        Row("java", "sdk", Verdict(VerdictKind.SKIPPED, "JDK 25 was not found: install it")),
    ),
)

FULL = """\
day  2024-02-08, generated from seed 1: 2,000 sources, 4.3 MB, 44% under 1,000 bytes; 14,475
records, 18.7 MB in 1 chunk
settings  1,769 MB of memory, time-out 900 s, 3 cold and 3 warm samples; CHUNK_BYTES=67108864
machine  2 cores of abacus [8], 24 GB, Linux 6.1 x86_64; aws-sam-cli 1.2.3; commit -

                               init  first                warm ms    warm  memory              MB
 language    verdict   client    ms     ms     median [min-max] n  CPU ms     MiB  zip / unzipped
 ────────────────────────────────────────────────────────────────────────────────────────────────
 python      match     sdk      300  2,000  1,180 [1,100-1,234] 3     150      90     19.4 / 61.0
 go          match     sdk        9    400                      -       -      80       4.1 / 9.0
 javascript  mismatch  sdk        -      -                      -       -       -       1.0 / 3.0
 java        skipped   sdk        -      -                      -       -       -           - / -

javascript: mismatch 2024/02/08/000001.ndjson.gz, line 3, byte 7: differs
  expected: {"a":[1]}
java: skipped JDK 25 was not found: install it
Times are the emulator's platform lines, init that of a fresh sandbox; CPU and memory are of the
runtime process, memory its peak RSS. Compare rows with each other, not with AWS.
"""

COMPACT = """\
                                        warm ms                        MB
                     init first          median   warm memory       zip /
 language   verdict    ms    ms     [min-max] n CPU ms    MiB    unzipped
 ────────────────────────────────────────────────────────────────────────
 python     match     300 2,000           1,180    150     90 19.4 / 61.0
                                [1,100-1,234] 3
 go         match       9   400               -      -     80   4.1 / 9.0
 javascript mismatch    -     -               -      -      -   1.0 / 3.0
 java       skipped     -     -               -      -      -       - / -"""


def rendered(width: int = 100, comparison: Comparison = COMPARISON) -> str:
    stream = io.StringIO()
    render(comparison, stream, width)
    return re.sub(r" +\n", "\n", stream.getvalue())


def test_the_table_as_it_is_read() -> None:
    assert rendered() == FULL


def test_no_figure_is_a_dash_and_never_a_nought() -> None:
    row = next(line for line in rendered().splitlines() if line.startswith(" java "))
    assert row.split() == ["java", "skipped", "sdk", *"-----", "-", "/", "-"]
    assert not re.search(r"\b0\b", row)


def test_a_narrow_terminal_gets_the_compact_table_with_every_figure() -> None:
    assert rendered(width=80).split("\n\n")[1] == COMPACT
    assert rendered(width=40).splitlines().count(COMPACT.splitlines()[4]) == 1


def test_reasons_stand_below_the_table_uncut() -> None:
    text = rendered(width=60)
    assert 'line 3, byte 7: differs\n  expected: {"a":[1]}\n' in text
    assert "java: skipped JDK 25 was not found: install it\n" in text


def test_the_sentence_about_the_figures_needs_figures() -> None:
    assert "not with AWS" in rendered()
    bare = replace(COMPARISON, fixture={}, rows=(COMPARISON.rows[3],))
    assert "not with AWS" not in rendered(comparison=bare)


def test_no_colour_where_it_is_not_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[3" not in rendered()


# ---- the export ----

NUMBER = {"type": ["number", "null"], "minimum": 0}
INTEGER = {"type": ["integer", "null"], "minimum": 0}


def closed(kind: str | list[str], members: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": kind,
        "properties": members,
        "required": list(members),
        "additionalProperties": False,
    }


COUNTS = ("sources", "bad", "records", "bytes", "chunks", "deleted")
SAMPLE = {
    "kind": {"enum": ["cold", "warm"]},
    "init_ms": NUMBER,
    "duration_ms": NUMBER,
    "cpu_ms": NUMBER,
    "peak_rss_bytes": INTEGER,
}
RESULT = {
    "language": {"type": "string"},
    "client": {"enum": ["sdk"]},
    "verdict": {"enum": ["match", "mismatch", "failed", "skipped"]},
    "reason": {"type": ["string", "null"]},
    "package_zip_bytes": INTEGER,
    "package_unzipped_bytes": INTEGER,
    "output": closed(
        ["object", "null"], {"day": {"type": "string"}, **dict.fromkeys(COUNTS, INTEGER)}
    ),
    "phases": {"type": ["object", "null"]},
    "samples": {"type": "array", "items": closed("object", SAMPLE)},
}
SCHEMA = closed(
    "object",
    {
        "schema": {"const": 1},
        "environment": {"type": "object"},
        "settings": {"type": "object"},
        "fixture": {"type": "object"},
        "results": {"type": "array", "items": closed("object", RESULT)},
    },
)


def test_the_export_holds_exactly_its_schema() -> None:
    exported = json.loads(json.dumps(to_json(COMPARISON)))
    jsonschema.validate(exported, SCHEMA)
    assert [result["language"] for result in exported["results"]] == [
        "python",
        "go",
        "javascript",
        "java",
    ]


def test_the_export_keeps_raw_samples_and_nulls() -> None:
    python, _, _, java = json.loads(json.dumps(to_json(COMPARISON)))["results"]
    assert python["samples"][4] == {
        "kind": "warm",
        "init_ms": None,
        "duration_ms": 1234.4,
        "cpu_ms": None,
        "peak_rss_bytes": 94371840,
    }
    assert python["reason"] is None
    assert (java["output"], java["samples"], java["package_zip_bytes"]) == (None, [], None)
