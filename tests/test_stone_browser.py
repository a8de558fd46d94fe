"""The stone in Chromium: places, columns, search, keys, contrast and labels."""

from __future__ import annotations

from typing import Any

import pytest
from pages import look
from test_docs import ROOT

from harness.report.json_export import read_export
from harness.teaching.page import render_stone

pytestmark = pytest.mark.slow

LESSON = """\
# Raw text

One idea.

```piece
splitter/copy
languages: go, java
```

| row | ms |
|---|--:|
| go  | 1  |
"""
ALL = ["Python", "Java", "JavaScript", "Go"]


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the script has seen, in one run of the browser."""
    folder = tmp_path_factory.mktemp("stone")
    lesson = folder / "00-raw-text.md"
    lesson.write_text(LESSON)
    page = folder / "index.html"
    page.write_text(render_stone(read_export(ROOT / "docs/results.json"), [lesson]))
    return look("stone_browser.mjs", page, ("light", "dark", "phone", "contract", "lesson"), 30_000)


def near(place: int | None) -> bool:
    """Whether an element begins directly below the bar."""
    return place is not None and -40 <= place <= 40


def test_the_browser_complains_about_nothing(seen: dict[str, Any]) -> None:
    assert seen["complaints"] == []


def test_only_the_page_itself_is_asked_for(seen: dict[str, Any]) -> None:
    assert len(seen["requests"]) > 5
    assert {each.partition("?")[0].rpartition("/")[2] for each in seen["requests"]} == {
        "index.html"
    }
    assert all(each.startswith("file:///") for each in seen["requests"])


def test_a_link_leads_to_its_place(seen: dict[str, Any]) -> None:
    places = seen["places"]
    assert near(places["deep"])
    assert places["step"] == "#reader"
    assert near(places["clicked"])
    assert places["back"][0] == "#reader/fill"
    assert near(places["back"][1])
    assert places["contract"] == [["contract"], None]
    assert near(places["clause"])
    assert places["used"] == [["stone"], "#inflater/members"]
    assert places["unknown"] == ["stone"]


def test_the_columns_are_those_that_the_reader_wants(seen: dict[str, Any]) -> None:
    columns = seen["columns"]
    assert columns["desk"] == ALL
    assert columns["two"] == columns["least"] == columns["kept"] == ["Java", "JavaScript"]
    assert near(columns["place"])
    assert columns["three"] == ["Java", "JavaScript", "Go"]
    assert columns["asked"] == ["Java", "Go"]


def test_a_narrow_screen_has_fewer_columns_and_scrolls_down_only(seen: dict[str, Any]) -> None:
    columns = seen["columns"]
    assert columns["tablet"] == ["Python", "Go"]
    assert columns["tabletWidth"] == 1024
    assert columns["phone"] == ["Python"]
    assert columns["tab"] == ["Go"]
    assert columns["phoneWidth"] == 390
    assert columns["contract"] == [390, True]  # and the bar begins in sight


def test_keys_walk_through_the_page(seen: dict[str, Any]) -> None:
    keys = seen["keys"]
    assert keys["next"] == "#reader/bodies"
    assert keys["previous"] == "#reader/window"
    assert keys["step"] == "#inflater"
    assert keys["clauses"] == 0  # none is closed
    assert keys["theme"] != keys["back"]
    assert keys["help"]
    assert keys["closed"]


def test_search_finds_code_and_vectors_and_marks_them(seen: dict[str, Any]) -> None:
    search = seen["search"]
    assert search["count"] == "1 result"
    assert "copyWithin(this.#end" in search["results"][0]
    assert search["place"][0] == "#splitter/copy"
    assert near(search["place"][1])
    assert search["marked"] == ["copyWithin"]
    assert search["vector"] == "#contract/R5"
    assert search["none"] == "No results"
    assert search["closed"]


def test_a_lesson_is_shown_alone_with_its_code(seen: dict[str, Any]) -> None:
    lesson = seen["lesson"]
    assert lesson["link"] == "#lesson/00-raw-text"
    assert lesson["shown"] == ["#lesson/00-raw-text"]
    assert lesson["cells"] == ["Go", "Java"]


@pytest.mark.parametrize("name", ["light", "dark", "phone", "contract", "lesson"])
def test_contrast_and_labels_are_good(name: str, seen: dict[str, Any]) -> None:
    assert seen["axe"][name] == []


def test_paper_has_the_code_and_not_the_bar(seen: dict[str, Any]) -> None:
    assert seen["print"]["bar"] == "none"
    assert seen["print"]["cells"] >= 16


def test_without_a_script_everything_is_shown(seen: dict[str, Any]) -> None:
    assert seen["withoutScript"] > 4 * 66
