"""The slides in Chromium: nothing overflows, and keys, plans and the speaker's window work."""

from __future__ import annotations

import re
from typing import Any

import pytest
from pages import look
from test_docs import ROOT

from harness.report.json_export import read_export
from harness.teaching.slides.listing import SIZES
from harness.teaching.slides.show import render_slides

pytestmark = pytest.mark.slow

JUDGED = ("opening", "code", "dark", "table", "plot", "printed", "words")
MOST_LINES = 18


@pytest.fixture(scope="module")
def page() -> str:
    return render_slides(read_export(ROOT / "docs/results.json"))


@pytest.fixture(scope="module")
def seen(page: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the script has seen, in one run of the browser."""
    file = tmp_path_factory.mktemp("slides") / "slides.html"
    file.write_text(page)
    return look("slides_browser.mjs", file, (*JUDGED, "speaker"), 15_000)


def test_the_browser_complains_about_nothing(seen: dict[str, Any]) -> None:
    assert seen["complaints"] == []


def test_only_the_page_itself_is_asked_for(seen: dict[str, Any]) -> None:
    assert len(seen["requests"]) > 5
    assert {re.sub(r"[?#].*", "", each).rpartition("/")[2] for each in seen["requests"]} == {
        "slides.html"
    }


@pytest.mark.parametrize(("name", "width"), [("small", 1280), ("large", 1920)])
def test_nothing_overflows_a_slide(name: str, width: int, seen: dict[str, Any]) -> None:
    slides = seen["sizes"][name]
    assert len(slides) > 40
    assert {each["width"] for each in slides} == {width}
    assert {each["id"]: each["beyond"] for each in slides if each["beyond"]} == {}


def test_code_can_be_read_from_the_last_row(seen: dict[str, Any]) -> None:
    codes = [each for each in seen["sizes"]["small"] if each["size"]]
    assert len(codes) >= 8
    assert min(each["size"] for each in codes) >= min(SIZES) - 0.1
    assert {each["id"] for each in codes if each["lines"] > MOST_LINES} == set()


def test_keys_walk_through_slides_and_parts(seen: dict[str, Any]) -> None:
    keys = seen["keys"]
    assert keys["first"] == ["start"]
    assert keys["third"] == ["#task/2", ["task/2"]]
    assert keys["back"] == "#task/1"
    assert keys["part"] == "#contract/1"
    assert keys["begin"] == "#contract/1"
    assert re.fullmatch(r"(\d+) / \1", keys["end"])
    assert keys["told"].startswith("Slide ")
    assert keys["stays"] == keys["end"]
    assert keys["deep"] == ["client/3"]
    assert keys["unknown"] == ["start"]


def test_notes_overview_colours_and_help(seen: dict[str, Any]) -> None:
    keys = seen["keys"]
    assert (keys["notes"], keys["without"]) == (True, False)
    assert keys["overview"] == len(seen["sizes"]["small"]) + 1
    assert keys["chosen"] == ["#cap/1", ["cap/1"]]
    assert keys["light"] != keys["dark"]
    assert keys["help"]


def test_a_plan_has_its_parts_only(seen: dict[str, Any]) -> None:
    plans = seen["plans"]
    assert plans["query"] == "?plan=half-a-day"
    assert plans["end"][0].startswith("#questions/")
    assert re.fullmatch(r"(\d+) / \1", plans["end"][1])
    assert "cap" in plans["parts"]
    assert "client" not in plans["parts"]


def test_the_speaker_has_notes_and_the_next_slide_and_both_windows_go_on(
    seen: dict[str, Any],
) -> None:
    speaker = seen["speaker"]
    assert speaker["shown"] == ["task/2", "task/3"]
    assert speaker["notes"]
    assert speaker["planned"] == "this part: minute 0 to 10"
    assert speaker["followed"] == ["#contract/1", "#contract/1"]
    assert speaker["next"] == "this part: minute 10 to 25"


def test_paper_has_a_page_for_each_slide_of_the_plan(seen: dict[str, Any]) -> None:
    assert 20 < seen["slides"] < len(seen["sizes"]["small"])
    assert seen["pages"] == seen["slides"]


def test_a_phone_scrolls_down_only(seen: dict[str, Any]) -> None:
    assert seen["phone"] == {"shown": seen["slides"], "width": 390}


def test_without_a_script_everything_is_shown(seen: dict[str, Any]) -> None:
    slides = len(seen["sizes"]["small"]) + 1
    assert seen["withoutScript"] == {"slides": slides, "notes": slides}


@pytest.mark.parametrize("name", [*JUDGED, "overview"])
def test_contrast_and_labels_are_good(name: str, seen: dict[str, Any]) -> None:
    assert seen["axe"][name] == []
