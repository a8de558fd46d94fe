"""The HTML page of `query`: its tables, its plots, and its look in a browser."""

from __future__ import annotations

import base64
from dataclasses import replace
from functools import cache
from pathlib import Path
from xml.etree import ElementTree

import pytest
from fake_query import OUTCOME
from pages import SCREENS, Reader, require_closed, require_for_everybody, require_shown

from harness.query.choice import advice
from harness.query.measure import Asked
from harness.report.html_page.query_page import render_query_page

PLOTS = ("requests", "bytes", "time", "break-even")


@cache
def page_text() -> str:
    return render_query_page(OUTCOME)


@cache
def content() -> Reader:
    return Reader(page_text())


def test_the_page_has_the_advice_and_every_table() -> None:
    assert content().ids == ["results", "making", *PLOTS, "one-day", "no-condition"]
    assert "Fewer" in page_text() or "For fewer than" in page_text()
    assert advice(OUTCOME).replace("'", "&#39;") in page_text()
    for table in content().tables:
        assert {len(row) for row in table} == {len(table[0])}


def test_each_table_has_the_figures_of_its_layouts() -> None:
    tables = dict(zip(content().ids[1:], content().tables, strict=True))
    assert [row[:4] for row in tables["making"][1:3]] == [
        ["raw", "5,000", "10.0", "0.0"],
        ["chunks", "10", "7.0", "1.5"],
    ]
    assert tables["requests"] == [
        ["layout", "one day", "no condition"],
        ["raw", "503", "5,003"],
        ["chunks", "4", "13"],
        ["injected", "4", "-"],
    ]
    assert tables["time"][1] == ["raw", "900", "7,000"]
    assert tables["break-even"][1] == ["raw", "-", "-"]
    assert tables["break-even"][2] == ["chunks", "18", "2"]
    assert tables["no-condition"][3][:2] == ["injected", "no figures, see below"]
    assert "the engine refuses it: name a day" in page_text()


def test_each_plot_names_its_layouts_and_differs_by_scheme_and_width() -> None:
    assert len(content().sources) == 4 * len(PLOTS)
    images = [base64.b64decode(each.partition(",")[2]).decode() for each in content().sources]
    for image in images:
        assert ElementTree.fromstring(image).tag.endswith("}svg")
        assert "chunks" in image
        assert "one day" in image
    assert len(set(images)) == len(images)


def test_everybody_can_read_it_and_nothing_is_fetched() -> None:
    require_for_everybody(page_text())
    require_closed(page_text())
    assert render_query_page(OUTCOME) == page_text()


def test_a_run_without_answers_has_no_plots_and_its_reasons_are_text() -> None:
    refused = [Asked(each.name, "q", wrong="<b>no</b>") for each in OUTCOME.layouts]
    page = render_query_page(replace(OUTCOME, asked=refused))
    assert Reader(page).images == []
    assert "&lt;b&gt;no&lt;/b&gt;" in page


@pytest.mark.parametrize("options", SCREENS.values(), ids=SCREENS)
def test_a_browser_shows_it_without_complaint(options: tuple[str, ...], tmp_path: Path) -> None:
    require_shown(page_text(), tmp_path, *options)
