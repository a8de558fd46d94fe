"""A comparison with one row of each verdict, for the tests of the reports."""

from __future__ import annotations

from dataclasses import replace

from fake_machine import ENVIRONMENT

from harness.model import (
    Comparison,
    EmulatorReport,
    Enforcement,
    Own,
    RepeatedRow,
    Row,
    Sample,
    SampleKind,
    Variant,
    Verdict,
    VerdictKind,
)

MATCH = Verdict(VerdictKind.MATCH)


PHASES = {
    "list": {"count": 9, "sum_ms": 12.5},
    "get": {"count": 2000, "sum_ms": 6000},
    "publish": {"count": 1, "sum_ms": 20.25},
}


def cold(number: int, init: float, duration: float) -> Sample:
    report = EmulatorReport(0.05, init + duration, init + duration, 1769, 1769)
    return Sample(
        SampleKind.COLD,
        number,
        float(init),
        float(duration),
        900.4,
        480.0,
        80 << 20,
        emulator=report,
    )


def warm(number: int, duration: float, cpu: float | None = 150.0) -> Sample:
    return Sample(
        SampleKind.WARM, number, None, float(duration), cpu, 420.0, 90 << 20, 33.4, PHASES
    )


def rerun(number: int, duration: float) -> Sample:
    return Sample(SampleKind.RERUN, number, None, float(duration), None, None, 90 << 20)


def eight(*durations: float) -> tuple[Sample, ...]:
    return tuple(warm(number, duration) for number, duration in enumerate(durations, 1))


OUTPUT = {
    "day": "2024-02-08",
    "sources": 2000,
    "bad": 0,
    "records": 14475,
    "bytes": 18729644,
    "chunks": 1,
    "deleted": 0,
}
HELD = Enforcement(1769, 1.0, "cgroup v1", None, 20_000, 20_000, True, False, 0.8)
COMPARISON = Comparison(
    environment=ENVIRONMENT,
    settings={
        "memory_mb": 1769,
        "timeout_s": 900,
        "cold": 3,
        "warm": 8,
        "rerun": 1,
        "seconds": None,
        "order_seed": 1,
        "CHUNK_BYTES": 67108864,
    },
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
            2_870_000,
            (
                *(cold(1, 310.2, 2100), cold(2, 290, 1900), cold(3, 300, 2000)),
                *eight(1180.5, 1234.4, 1100, 1190, 1210, 1185, 1175, 1900),
                rerun(1, 1300),
            ),
            enforcement=HELD,
            own=Own(68_000, 27_800),
            runtime="python3.13",
            runtime_version="3.13.5",
        ),
        Row(
            "go",
            "sdk",
            MATCH,
            4_100_000,
            9_000_000,
            OUTPUT,
            2_900_000,
            (cold(1, 9.4, 400), *eight(500, 510, 490, 505, 495, 500, 502, 700)),
            enforcement=HELD,
            own=Own(67_900, None),
            runtime="provided.al2023",
        ),
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
    again=RepeatedRow("go sdk", eight(510, 500, 500, 510, 500, 490, 500, 710)),
)


def _swept(of: Row, variant: Variant, factor: float) -> Row:
    """A swept row. With a latency it has samples of the half day, at 60 % of the time."""
    memory_mb = variant.memory_mb or 1769
    samples = tuple(
        replace(each, duration_ms=each.duration_ms * factor)
        for each in of.samples
        if each.duration_ms is not None
    )
    if variant.s3_latency not in (None, "0ms"):
        samples += tuple(
            replace(each, kind=SampleKind.HALF, duration_ms=each.duration_ms * 0.6)
            for each in samples
            if each.kind is SampleKind.WARM and each.duration_ms is not None
        )
    held = replace(HELD, memory_mb=memory_mb, vcpus=memory_mb / 1769)
    return replace(of, samples=samples, variant=variant, enforcement=held)


#: Four sizes of memory over a latency, and four caps of concurrency without and with one.
SWEEP = replace(
    COMPARISON,
    rows=tuple(
        _swept(row, variant, factor)
        for variant, factor in [
            *((Variant(mb, None, "20ms"), 1769 / mb) for mb in (512, 1024, 1769, 3008)),
            *((Variant(None, cap, "0ms"), 1 + 1 / cap) for cap in (1, 4, 16, 64)),
            *((Variant(None, cap, "20ms"), 1 + 40 / cap) for cap in (1, 4, 16, 64)),
        ]
        for row in COMPARISON.rows[:2]
    ),
    again=None,
)
