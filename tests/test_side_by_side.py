"""Several comparisons side by side, and the growth of their rows with the day."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path

import pytest
from fake_comparison import COMPARISON

from harness.cli import main
from harness.model import Comparison, Row, SampleKind
from harness.report.html_page.page import render_side_by_side_page
from harness.report.json_export import to_json
from harness.report.markdown import side_by_side_markdown
from harness.report.side_by_side import growth, growth_table, side_by_side_table
from harness.report.terminal_report import render_side_by_side


def sized(sources: int, times: float, memory: float) -> Comparison:
    """The comparison with another number of sources, and slower cold samples."""

    def larger(row: Row) -> Row:
        return replace(
            row,
            samples=tuple(
                replace(
                    each,
                    init_ms=each.init_ms and each.init_ms * times,
                    duration_ms=each.duration_ms and each.duration_ms * times,
                    peak_rss_bytes=each.peak_rss_bytes and int(each.peak_rss_bytes * memory),
                )
                if each.kind is SampleKind.COLD
                else each
                for each in row.samples
            ),
        )

    fixture = {**COMPARISON.fixture, "sources": sources}
    return replace(COMPARISON, fixture=fixture, rows=tuple(map(larger, COMPARISON.rows)))


def over_plain_http(comparison: Comparison) -> Comparison:
    return replace(comparison, rows=tuple(replace(row, tls=False) for row in comparison.rows))


GROWN = {
    "large.json": sized(200_000, 100, 1.5),
    "small.json": sized(2_000, 1, 1),
    "middle.json": sized(20_000, 5, 1.2),
}


def test_rows_grow_from_the_smallest_day_on() -> None:
    found = {each.name: each for each in growth(GROWN)}
    assert set(found) == {"python sdk", "go sdk"}
    python = found["python sdk"]
    assert [size.sources for size in python.sizes] == [2_000, 20_000, 200_000]
    smallest, middle, largest = (size.ms_per_1000 for size in python.sizes)
    assert [middle, largest] == pytest.approx([smallest / 2, smallest])


def test_the_memory_is_that_of_first_invocations_alone() -> None:
    (size, *_) = growth(GROWN)[0].sizes
    assert size.peak_rss_bytes == 80 << 20  # warm ones took 90
    rows = [cells for cells in growth_table(GROWN).rows if cells[0] == "python sdk"]
    assert [cells[-2:] for cells in rows] == [("80", "-"), ("96", "1.20"), ("120", "1.25")]


@pytest.mark.parametrize(
    "other",
    [
        replace(GROWN["large.json"], settings={**COMPARISON.settings, "memory_mb": 512}),
        replace(GROWN["large.json"], settings={**COMPARISON.settings, "CHUNK_BYTES": 1}),
        replace(GROWN["large.json"], environment={**COMPARISON.environment, "cpu": "another"}),
        replace(GROWN["large.json"], fixture={**COMPARISON.fixture, "kind": "source"}),
        over_plain_http(GROWN["large.json"]),
        COMPARISON,
    ],
    ids=["memory", "setting", "machine", "given day", "transport", "same size"],
)
def test_runs_that_differ_in_more_show_no_growth(other: Comparison) -> None:
    assert growth({"small.json": GROWN["small.json"], "other.json": other}) == []


def test_every_report_shows_the_growth() -> None:
    terminal = io.StringIO()
    render_side_by_side(GROWN, terminal)
    page, text = render_side_by_side_page(GROWN), side_by_side_markdown(GROWN)
    for shown in (terminal.getvalue(), page, text):
        assert "200,000" in shown
        assert "1.25" in shown
        assert "different days" in shown
    assert page.count("<img") == 1
    assert page.count("<table>") == 2
    alone = {"one.json": COMPARISON, "two.json": COMPARISON}
    assert "<img" not in render_side_by_side_page(alone)
    assert "different days" not in side_by_side_markdown(alone)


def test_different_ways_to_s3_are_told_in_every_report() -> None:
    runs = {"old.json": over_plain_http(COMPARISON), "new.json": COMPARISON}
    terminal = io.StringIO()
    render_side_by_side(runs, terminal)
    shown = (terminal.getvalue(), render_side_by_side_page(runs), side_by_side_markdown(runs))
    told = "different ways: old.json plain HTTP, new.json TLS"
    assert all(told in " ".join(text.split()) for text in shown)
    nothing = replace(COMPARISON, rows=(), again=None)
    for other in (COMPARISON, nothing):
        assert "different ways" not in side_by_side_markdown({"a": COMPARISON, "b": other})


def test_a_row_without_warm_samples_is_one_dash() -> None:
    rows = tuple(
        replace(row, samples=tuple(each for each in row.samples if each.kind is SampleKind.COLD))
        for row in COMPARISON.rows
    )
    table = side_by_side_table({"all": COMPARISON, "once": replace(COMPARISON, rows=rows)})
    cells = {name: (first, second) for name, first, second in table.rows}
    assert cells["go sdk"][0] != "-"
    assert {second for _, second in cells.values()} == {"-"}


def test_files_are_shown_by_their_names(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = []
    for name, comparison in GROWN.items():
        (tmp_path / name).write_text(json.dumps(to_json(comparison)))
        files.append(str(tmp_path / name))
    html, markdown = tmp_path / "page.html", tmp_path / "page.md"
    assert main(["report", *files, "--html", str(html), "--markdown", str(markdown)]) == 0
    assert "middle.json" in capsys.readouterr().out
    assert "<h2>middle.json</h2>" in html.read_text()
    heading = next(line for line in markdown.read_text().splitlines() if line.startswith("| row"))
    assert heading.replace("|", "").split() == ["row", "large.json", "small.json", "middle.json"]
