"""The HTML page: its content, its independence of other files, and its validity in a browser."""

from __future__ import annotations

import base64
from dataclasses import replace
from functools import cache
from pathlib import Path
from xml.etree import ElementTree

import pytest
from fake_comparison import COMPARISON, SWEEP
from pages import SCREENS, Reader, require_closed, require_for_everybody, require_shown

from harness.model import Verdict, VerdictKind
from harness.report.html_page.page import render_page
from harness.report.json_export import read_export

PLOTS = ("warm", "phases", "first", "memory", "package")
TABLES = ("throughput", "emulator")


@cache
def page_text() -> str:
    return render_page(COMPARISON)


@cache
def content() -> Reader:
    return Reader(page_text())


def test_every_row_of_a_table_has_a_cell_for_each_heading() -> None:
    assert len(content().tables) == 2 + len(PLOTS) + len(TABLES)
    for table in content().tables:
        assert {len(row) for row in table} == {len(table[0])}
        assert len(table) > 1


def test_the_tables_hold_the_figures() -> None:
    main, standing, warm = content().tables[:3]
    figures = dict(zip(main[0], main[1], strict=True))
    assert (figures["row"], figures["verdict"]) == ("python sdk", "match")
    assert (figures["warm ms"], figures["95 %"], figures["n"]) == ("1,188", "1,175-1,234", "8")
    assert main[4][2:] == ["-"] * 11
    assert standing[1:] == [["go sdk", "1", "1.00"], ["python sdk", "2", "2.37 [2.34-2.44]"]]
    assert warm[2][:3] == ["go sdk", "8", "501"]


def test_every_plot_has_an_image_for_each_scheme_and_width_and_its_table() -> None:
    assert content().ids == ["results", "standing", *PLOTS, *TABLES]
    assert len(content().sources) == 4 * len(PLOTS)
    assert all(len(image["alt"] or "") > 40 for image in content().images)
    assert page_text().count("<details>") == len(PLOTS)


@pytest.mark.slow
def test_sweeps_and_cost_have_their_plots_and_tables() -> None:
    read = Reader(render_page(SWEEP))
    swept = ("memory-sweep", "concurrency")
    assert [each for each in read.ids if each in swept] == list(swept)
    tables = {name: table for table in read.tables for name in [" ".join(table[0])]}
    memory = tables["row MB warm ms GB-s $ arm64 $ x86_64 best"]
    assert [row[:4] for row in memory[1:3]] == [
        ["python sdk +20ms", "512", "4,103", "2.051"],
        ["python sdk +20ms", "1,024", "2,051", "2.051"],
    ]
    assert memory[4][1] == "3,008*"
    concurrency = tables["row in flight warm ms times as fast"]
    assert ["go sdk +20ms", "64", "814", "25.23"] in concurrency
    assert ["go sdk +0ms", "64", "509", "1.97"] in concurrency
    cost = next(table for heading, table in tables.items() if "in 15 min" in heading)
    assert {"+20ms" in row[0] for row in cost[1:]} == {True}
    assert "modelled" in render_page(SWEEP)


def test_a_reader_without_eyes_or_mouse_gets_everything() -> None:
    require_for_everybody(page_text())


def test_images_are_drawings_with_words_and_differ_by_scheme_and_width() -> None:
    images = [base64.b64decode(each.partition(",")[2]).decode() for each in content().sources]
    for image in images:
        assert ElementTree.fromstring(image).tag.endswith("}svg")
        assert "python" in image
        assert "<text" in image
    assert len(set(images)) == len(images)


def test_the_same_comparison_gives_the_same_page() -> None:
    assert render_page(COMPARISON) == page_text()


def test_nothing_is_fetched_and_nothing_runs() -> None:
    require_closed(page_text())


def test_texts_from_outside_are_escaped() -> None:
    evil = Verdict(VerdictKind.FAILED, "<img src=x onerror=alert(1)> & more")
    rows = (replace(COMPARISON.rows[0], verdict=evil),)
    page = render_page(replace(COMPARISON, rows=rows))
    assert "<img src=x" not in page
    assert "&lt;img src=x onerror=alert(1)&gt; &amp; more" in page


def test_an_export_without_phases_has_its_page() -> None:
    read = Reader(render_page(read_export(Path(__file__).parent / "baseline.json")))
    assert "warm" in read.ids


def test_values_that_were_not_measured_have_no_plot() -> None:
    bare = replace(COMPARISON, rows=COMPARISON.rows[3:], again=None)
    read = Reader(render_page(bare))
    assert read.images == []
    assert len(read.tables) == 1


@pytest.mark.parametrize("options", SCREENS.values(), ids=SCREENS)
def test_a_browser_shows_it_without_complaint(options: tuple[str, ...], tmp_path: Path) -> None:
    require_shown(page_text(), tmp_path, *options)
