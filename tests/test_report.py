"""The table as golden text and the export against its schema."""

from __future__ import annotations

import io
import json
import re
from dataclasses import replace
from typing import Any

import jsonschema
import pytest
from fake_comparison import COMPARISON, PHASES, eight

from harness.model import Comparison, Enforcement, Row, Variant
from harness.report.json_export import to_json
from harness.report.terminal_report import render

FULL = """\
day  2024-02-08, generated from seed 1: 2,000 sources, 4.3 MB, 44% under 1,000 bytes; 14,475
records, 18.7 MB in 1 chunk
settings  1,769 MB of memory, time-out 900 s, 3 cold and 8 warm samples, 1 re-run;
CHUNK_BYTES=67108864
limits  cgroup v1: memory, no swap; share of CPU after init, at most 0.8 ms late
transport  TLS to S3
machine  2 cores of abacus [8], 24 GB, Linux 6.1 x86_64; aws-sam-cli 1.2.3; commit -

                                 init  first                warm ms   CPU ms  memory    MB zip/
 row             verdict   vCPU    ms     ms        median [95 %] n   own/S3     MiB   unzipped
 ──────────────────────────────────────────────────────────────────────────────────────────────
 python sdk      match     1.00   300  2,300  1,188 [1,175-1,234] 8  150/420      90  19.4/61.0
 go sdk          match     1.00     9    409        501 [495-510] 8  150/420      90    4.1/9.0
 javascript sdk  mismatch     -     -      -                      -      -/-       -    1.0/3.0
 java sdk        skipped      -     -      -                      -      -/-       -        -/-

javascript sdk: mismatch 2024/02/08/000001.ndjson.gz, line 3, byte 7: differs
  expected: {"a":[1]}
java sdk: skipped JDK 25 was not found: install it
Times are medians, from the emulator's platform lines; warm has its 95 % bootstrap interval. Init is
that of a fresh sandbox; first is the first invocation with its init. CPU is that of the function
and of the S3 server. Memory is the peak RSS of the runtime's processes in one invocation.

warm, as ratio to go sdk in the same round; 0.98 to 1.02 is noise (the ratio of one row to itself)
   1  go sdk      1.00
   2  python sdk  2.37 [2.34-2.44]

 warm duration  n  median         95 %    min    max  MAD  p95  re-run
 ─────────────────────────────────────────────────────────────────────
 python sdk     8   1,188  1,175-1,234  1,100  1,900   18    -   1,300
 go sdk         8     501      495-510    490    700    5    -       -

Times in ms. The p95 needs at least 20 samples.

 throughput and output  sources/s  MB/s in  output MB  ratio
 ───────────────────────────────────────────────────────────
 python sdk                 1,684      3.6        2.9    6.5
 go sdk                     3,992      8.5        2.9    6.5

Of the warm median. MB in are the stored sources. The ratio is the size of the records divided by
that of the stored output.

 time per phase  wait      list          get    publish
 ──────────────────────────────────────────────────────
 python sdk        33  12 / 1.4  6,000 / 3.0  20 / 20.2
 go sdk            33  12 / 1.4  6,000 / 3.0  20 / 20.2

The time of all operations of a phase in a warm invocation, and the time of one, in ms. Operations
overlap, so the sums may exceed the duration. Wait is the consumer's.

 package        zip  own    rest  unzipped  own    rest
 ──────────────────────────────────────────────────────
 python      19,400   28  19,372    61,000   68  60,932
 go           4,100    -       -     9,000   68   8,932
 javascript   1,000    -       -     3,000    -       -

In kB. Own is the project's code, the rest are its dependencies. One file that is compressed as a
whole has no own share of the zip.

 the emulator's own report   init  REPORT  duration  REPORT  peak memory  REPORT
 ───────────────────────────────────────────────────────────────────────────────
 python sdk                 310.2     0.1     2,100   2,410           80   1,769
 go sdk                       9.4     0.1       400     409           80   1,769

Of the first cold sample, in ms and MiB. No report uses the REPORT's numbers: its init ends before
the runtime starts, its duration contains the init, and its memory is the configured size.
warning outliers: some warm samples are far from the median: python sdk 1 of 8 (up to 1,900 ms,
median 1,188), go sdk 1 of 8 (up to 700 ms, median 501); end other work on this machine; a few
outliers hardly change medians and intervals
"""

COMPACT = """\
                                               warm ms
                              init first        median  CPU ms memory   MB zip/
 row            verdict  vCPU   ms    ms      [95 %] n  own/S3    MiB  unzipped
 ──────────────────────────────────────────────────────────────────────────────
 python sdk     match    1.00  300 2,300         1,188 150/420     90 19.4/61.0
                                         [1,175-1,234]
                                                     8
 go sdk         match    1.00    9   409           501 150/420     90   4.1/9.0
                                           [495-510] 8
 javascript sdk mismatch    -    -     -             -     -/-      -   1.0/3.0
 java sdk       skipped     -    -     -             -     -/-      -       -/-"""


def rendered(width: int = 100, comparison: Comparison = COMPARISON) -> str:
    stream = io.StringIO()
    render(comparison, stream, width)
    return re.sub(r" +\n", "\n", stream.getvalue())


def test_the_table_as_it_is_read() -> None:
    assert rendered() == FULL


def test_no_figure_is_a_dash_and_never_a_nought() -> None:
    row = next(line for line in rendered().splitlines() if line.startswith(" java "))
    assert row.split() == ["java", "sdk", "skipped", *"----", "-/-", "-", "-/-"]
    assert not re.search(r"\b0\b", row)


def test_a_narrow_terminal_gets_the_compact_table_with_every_figure() -> None:
    assert rendered(width=80).split("\n\n")[1] == COMPACT
    assert rendered(width=80).split("\n\n")[4:9:2] == rendered().split("\n\n")[4:9:2]
    assert rendered(width=40).splitlines().count(COMPACT.splitlines()[4]) == 1


def test_reasons_stand_below_the_table_uncut() -> None:
    text = rendered(width=60)
    assert 'line 3, byte 7: differs\n  expected: {"a":[1]}\n' in text
    assert "java sdk: skipped JDK 25 was not found: install it\n" in text


def sized(memory_mb: int, *durations: float) -> Row:
    held = Enforcement(memory_mb, memory_mb / 1769, "cgroup v1", None)
    variant = Variant(memory_mb=memory_mb)
    of = COMPARISON.rows[1]
    return replace(of, samples=eight(*durations), variant=variant, enforcement=held)


def test_a_sweep_names_the_best_memory_without_rows_that_shared_cores() -> None:
    rows = (sized(512, *[900] * 8), sized(1769, *[300] * 8), sized(3008, *[250] * 8))
    text = rendered(comparison=replace(COMPARISON, rows=rows, again=None))
    assert "go sdk: cheapest at 512 MB (0.450 GB-s), fastest at 1,769 MB (300 ms)\n" in text
    assert " 1.70* " in text
    assert "shared it with the S3 server: go sdk 3008 MB" in text


def test_missing_limits_are_reported_above_and_in_the_row() -> None:
    free = Enforcement(1769, 1.0, None, "no control group can be made")
    rows = tuple(replace(row, enforcement=free) for row in COMPARISON.rows[:2])
    text = rendered(comparison=replace(COMPARISON, rows=rows))
    assert "limits  none: no control group can be made\n" in text
    assert "warning limits-not-enforced: " in text
    row = next(line for line in text.splitlines() if line.startswith(" go sdk"))
    assert row.split()[2:4] == ["match", "-"]


def test_the_sentence_about_the_figures_needs_figures() -> None:
    assert "platform lines" in rendered()
    bare = replace(COMPARISON, fixture={}, rows=(COMPARISON.rows[3],), again=None)
    assert "platform lines" not in rendered(comparison=bare)
    assert "fastest" not in rendered(comparison=bare)


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
    "kind": {"enum": ["cold", "warm", "rerun", "half"]},
    "round": {"type": "integer", "minimum": 1},
    "init_ms": NUMBER,
    "first_ms": NUMBER,
    "duration_ms": NUMBER,
    "cpu_ms": NUMBER,
    "server_cpu_ms": NUMBER,
    "peak_rss_bytes": INTEGER,
    "wait_ms": NUMBER,
    "phases": {"type": ["object", "null"]},
    "peak_since": {"enum": ["invocation", "start", "report", None]},
    "throttled_ms": NUMBER,
    "restore_ms": NUMBER,
    "billed_ms": NUMBER,
    "publish_ms": NUMBER,
    "after_restore_ms": NUMBER,
    "process_ms": NUMBER,
    "emulator": closed(
        ["object", "null"],
        {
            **dict.fromkeys(("init_ms", "duration_ms", "billed_ms"), NUMBER),
            **dict.fromkeys(("memory_mb", "max_memory_mb"), INTEGER),
        },
    ),
}
INTERVAL = closed(
    ["object", "null"], {"estimate": NUMBER, "low": NUMBER, "high": NUMBER, "n": INTEGER}
)
SUMMARY = closed(
    ["object", "null"],
    {
        **dict.fromkeys(("median", "min", "max", "mad", "p95"), NUMBER),
        "n": INTEGER,
        "interval": INTERVAL,
    },
)
FIGURES = closed(
    "object",
    {
        **dict.fromkeys(("init", "first", "warm", "rerun", "cpu", "server_cpu"), SUMMARY),
        "peak_rss_bytes": INTEGER,
        "sources_per_s": NUMBER,
        "megabytes_per_s": NUMBER,
        "wait_ms": NUMBER,
        "phases": {
            "type": "object",
            "additionalProperties": closed("object", {"count": INTEGER, "sum_ms": NUMBER}),
        },
    },
)
RESULT = {
    "name": {"type": "string"},
    "language": {"type": "string"},
    "role": {"enum": ["language", "floor", "peer"]},
    "client": {"enum": ["sdk"]},
    "variant": closed(
        "object",
        {
            "memory_mb": INTEGER,
            "concurrency": INTEGER,
            "s3_latency": {"type": ["string", "null"]},
            **{key: {"type": ["boolean", "null"]} for key in ("snap_start", "tls")},
            "start": {"enum": ["zip", "AOT", "primed", None]},
        },
    ),
    "enforcement": closed(
        ["object", "null"],
        {
            **dict.fromkeys(("memory_mb", "quota_us", "period_us"), INTEGER),
            **dict.fromkeys(("vcpus", "quota_delay_ms"), NUMBER),
            "mechanism": {"type": ["string", "null"]},
            "reason": {"type": ["string", "null"]},
            "swap_off": {"type": ["boolean", "null"]},
            "throttle_init": {"type": "boolean"},
        },
    ),
    "verdict": {"enum": ["match", "values", "mismatch", "failed", "skipped"]},
    "reason": {"type": ["string", "null"]},
    "package_zip_bytes": INTEGER,
    "package_unzipped_bytes": INTEGER,
    "package_own": closed(["object", "null"], {"unzipped_bytes": INTEGER, "zip_bytes": INTEGER}),
    **{key: {"type": ["string", "null"]} for key in ("runtime", "runtime_version")},
    "output": closed(
        ["object", "null"], {"day": {"type": "string"}, **dict.fromkeys(COUNTS, INTEGER)}
    ),
    "output_zip_bytes": INTEGER,
    "figures": FIGURES,
    "cost": {"type": ["object", "null"]},
    "rank": INTEGER,
    "ratio_to_fastest": INTERVAL,
    "ratio_to_floor": closed("object", {"warm": INTERVAL, "first": INTERVAL}),
    "samples": {"type": "array", "items": closed("object", SAMPLE)},
    "discarded": INTEGER,
    "tls": {"type": "boolean"},
}
SCHEMA = closed(
    "object",
    {
        "schema": {"const": 4},
        "interrupted": {"type": "boolean"},
        "environment": {"type": "object"},
        "settings": {"type": "object"},
        "prices": {"type": "string"},
        "s3_requests_per_million_sources": NUMBER,
        "fixture": {"type": "object"},
        "results": {"type": "array", "items": closed("object", RESULT)},
        "again": closed(
            ["object", "null"],
            {
                "name": {"type": "string"},
                "ratio": INTERVAL,
                "samples": {"type": "array", "items": closed("object", SAMPLE)},
            },
        ),
        "warnings": {
            "type": "array",
            "items": closed(
                "object", {key: {"type": "string"} for key in ("code", "what", "advice")}
            ),
        },
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
    python, go, _, java = json.loads(json.dumps(to_json(COMPARISON)))["results"]
    assert python["samples"][4] == {
        "kind": "warm",
        "round": 2,
        "init_ms": None,
        "first_ms": None,
        "duration_ms": 1234.4,
        "cpu_ms": 150.0,
        "server_cpu_ms": 420,
        "peak_rss_bytes": 94371840,
        "wait_ms": 33.4,
        "phases": PHASES,
        "peak_since": None,
        "throttled_ms": None,
        "emulator": None,
        "restore_ms": None,
        "billed_ms": None,
        "publish_ms": None,
        "after_restore_ms": None,
        "process_ms": None,
    }
    assert python["samples"][0]["emulator"]["max_memory_mb"] == 1769
    assert python["reason"] is None
    assert (python["rank"], go["rank"], java["rank"]) == (2, 1, None)
    assert go["ratio_to_fastest"] is None
    assert 2.3 < python["ratio_to_fastest"]["low"] < python["ratio_to_fastest"]["high"] < 2.5
    assert (java["output"], java["samples"], java["package_zip_bytes"]) == (None, [], None)
    assert java["figures"] == {**dict.fromkeys(java["figures"]), "phases": {}}


def test_throughput_is_that_of_the_warm_median() -> None:
    _, go, _, _ = json.loads(json.dumps(to_json(COMPARISON)))["results"]
    assert go["figures"]["sources_per_s"] == pytest.approx(2000 / 0.501)
    assert go["figures"]["megabytes_per_s"] == pytest.approx(4.27 / 0.501)
