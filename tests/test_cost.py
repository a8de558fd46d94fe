"""The cost model with hand-made samples. A row without the needed samples has no cost."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from fake_comparison import COMPARISON, MATCH

from harness.analysis import cost as module
from harness.analysis.cost import Cost, cost, half_of, requests_cost
from harness.model import Comparison, Enforcement, Row, Sample, SampleKind, Variant
from harness.report.json_export import to_json
from harness.report.markdown import markdown
from harness.report.sweep_tables import cold_cost_table, cost_table, memory_table

PER_SOURCE_MS, FIXED_MS, ROUNDS = 1.5, 200.0, 9


def sample(kind: SampleKind, number: int, duration: float, init: float | None = None) -> Sample:
    return Sample(kind, number, init, duration, None, None, None)


def row(memory_mb: int | None = None, mechanism: str | None = "cgroup v2", noise: float = 0) -> Row:
    """Samples of 2,000 and 1,000 sources by turns, on a machine that gets slower each round."""
    samples = [sample(SampleKind.COLD, 1, 4000, 250)]
    for number in range(1, ROUNDS + 1):
        slower = 1 + noise * (-1) ** number
        full, half = (FIXED_MS + n * PER_SOURCE_MS * slower for n in (2000, 1000))
        samples += [sample(SampleKind.WARM, number, full), sample(SampleKind.HALF, number, half)]
    held = Enforcement(memory_mb or 1769, (memory_mb or 1769) / 1769, mechanism, None)
    variant = Variant(memory_mb, None, "20ms")
    return Row("go", "sdk", MATCH, samples=tuple(samples), variant=variant, enforcement=held)


def run(*rows: Row) -> Comparison:
    return replace(COMPARISON, rows=rows, again=None)


def modelled(of: Row) -> Cost:
    found = cost(of, run(of))
    assert found is not None
    return found


def test_the_slope_between_two_sizes_leaves_out_the_fixed_time() -> None:
    found = modelled(row())
    assert found.ms_per_source.estimate == pytest.approx(PER_SOURCE_MS)
    assert found.fixed_ms == pytest.approx(FIXED_MS)
    assert found.sources_per_invocation == int((900_000 - FIXED_MS) / PER_SOURCE_MS)


def test_dollars_are_billed_gb_seconds() -> None:
    found = modelled(row(1024))  # one GB
    assert found.duration["x86_64"].estimate == pytest.approx(1500 * 0.0000166667)  # 1,500 s
    assert found.duration["arm64"].estimate == pytest.approx(1500 * 0.0000133334)
    assert found.cold_starts is not None
    assert found.cold_starts["arm64"] == pytest.approx(250_000 * 0.0000133334 + 0.20)
    assert modelled(row()).duration["arm64"].estimate == pytest.approx(
        found.duration["arm64"].estimate * 1769 / 1024
    )


def test_the_interval_is_that_of_the_rounds_slopes() -> None:
    found = modelled(row(noise=0.1)).ms_per_source
    assert (found.low, found.high) == pytest.approx((PER_SOURCE_MS * 0.9, PER_SOURCE_MS * 1.1))
    assert found.n == ROUNDS


def test_requests_are_counted_for_a_million_sources() -> None:
    # 14,475 records of 18,729,644 bytes in 2,000 sources, chunks of 64 MiB
    chunks = 18_729_644 / 2000 * 1e6 / 67_108_864
    want = 1e6 * 0.0000004 + (1000 + 2 * chunks) * 0.000005
    assert requests_cost(COMPARISON) == pytest.approx(want)


def test_a_half_is_every_other_source() -> None:
    assert [half_of(n) for n in (1, 2, 3, 2000)] == [1, 1, 2, 1000]


def without(kind: SampleKind) -> Row:
    of = row()
    return replace(of, samples=tuple(each for each in of.samples if each.kind is not kind))


@pytest.mark.parametrize(
    "of",
    [
        without(SampleKind.HALF),
        without(SampleKind.WARM),
        row(mechanism=None),
        COMPARISON.rows[0],
        COMPARISON.rows[3],
    ],
    ids=["one size", "no warm", "no limits", "no latency", "skipped"],
)
def test_a_row_without_the_needed_samples_has_no_cost(of: Row) -> None:
    assert cost(of, run(of)) is None
    assert cost_table(run(of)).rows == []
    assert "Cost on AWS" not in markdown(run(of))


def test_a_slope_that_falls_is_no_cost() -> None:
    of = row()
    swapped = {SampleKind.WARM: SampleKind.HALF, SampleKind.HALF: SampleKind.WARM}
    samples = tuple(replace(s, kind=swapped.get(s.kind, s.kind)) for s in of.samples)
    assert cost(replace(of, samples=samples), run(of)) is None


def test_without_cold_samples_the_init_has_no_cost() -> None:
    assert modelled(without(SampleKind.COLD)).cold_starts is None
    assert cold_cost_table(run(without(SampleKind.COLD))).rows == []
    (cells,) = cold_cost_table(run(row(1024))).rows
    assert cells == ("go sdk 1024 MB +20ms", "3.53", "4.37")


def test_a_cold_start_from_a_snapshot_pays_for_the_hooks_after_it() -> None:
    """The init of before the snapshot is no cold start's."""
    of = row(1024)
    samples = tuple(
        replace(each, after_restore_ms=10.0) if each.kind is SampleKind.COLD else each
        for each in of.samples
    )
    found = modelled(replace(of, samples=samples)).cold_starts
    assert found is not None
    assert found["arm64"] == pytest.approx(10_000 * 0.0000133334 + 0.20)


def test_reports_call_it_modelled_and_name_the_prices() -> None:
    text = markdown(run(row()))
    assert "**Cost on AWS, modelled**: US dollars per million sources by AWS list" in text
    assert "list prices of us-east-1 as of 20" in text
    assert "$ 0.41 more per million sources" in text
    (cells,) = cost_table(run(row())).rows
    assert cells[:2] == ("go sdk +20ms", "1.50 [1.50-1.50]")
    exported: Any = to_json(run(row()))
    assert exported["results"][0]["cost"]["fixed_ms"] == pytest.approx(200)


def test_a_sweep_of_memory_has_dollars_only_where_they_are_modelled() -> None:
    both = run(row(512), row(1024))
    assert [cells[4] for cells in memory_table(both).rows] == ["21.33", "42.67"]
    assert [cells[-1] for cells in memory_table(both).rows] == ["cheapest and fastest", ""]
    direct = run(*(replace(each, samples=without(SampleKind.HALF).samples) for each in both.rows))
    assert [cells[3:6] for cells in memory_table(direct).rows] == [
        ("1.600", "-", "-"),
        ("3.200", "-", "-"),
    ]


def test_the_price_list_is_dated_and_names_its_sources() -> None:
    prices = tomllib.loads(Path(module.__file__).with_name("prices.toml").read_text())
    assert isinstance(prices["date"], date)
    assert prices["lambda"]["source"].startswith("https://aws.amazon.com/")
    assert prices["s3"]["source"].startswith("https://aws.amazon.com/")
    assert (
        0.7 < prices["lambda"]["gb_second"]["arm64"] / prices["lambda"]["gb_second"]["x86_64"] < 1
    )
