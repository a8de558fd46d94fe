"""The slides: their code is that of the files, and a block that names nothing is a fault."""

from __future__ import annotations

import html
import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from pages import require_self_contained
from test_docs import ROOT

from harness.cli import main
from harness.model import HarnessError, UsageError, Verdict, VerdictKind
from harness.report.json_export import read_export, to_json
from harness.report.tables import with_summaries
from harness.teaching.highlight import show_lines
from harness.teaching.prose import lesson_files
from harness.teaching.slides import bars
from harness.teaching.slides.deck import SLIDES, numbers, read_part
from harness.teaching.slides.lesson_parts import (
    Table,
    find_printed,
    find_table,
    narrowed,
    questions,
)
from harness.teaching.slides.listing import Listing, fit, read_listings
from harness.teaching.slides.plans import parts_of, read_plans
from harness.teaching.slides.show import render_slides

EXPORT = ROOT / "docs/results.json"


@pytest.fixture(scope="module")
def page() -> str:
    return render_slides(read_export(EXPORT))


def text_of(markup: str) -> str:
    return html.unescape(re.sub(r"<[^>]+>", "", markup))


# -- the plans --


def test_the_plans_have_their_minutes() -> None:
    minutes = {plan.id: plan.minutes for plan in read_plans()}
    assert minutes == {"90-minutes": 90, "half-a-day": 4 * 60 - 2 * 10}


def test_each_part_is_in_a_plan_and_each_row_of_a_plan_has_a_part() -> None:
    assert set(parts_of(read_plans())) == {file.stem for file in SLIDES.glob("*.md")}
    text = (ROOT / "docs/teaching.md").read_text()
    rows = re.findall(r"^\| \d+ \|", text, re.MULTILINE)
    assert len(rows) == sum(len(plan.stretches) for plan in read_plans())


def test_a_plan_has_the_order_of_the_page() -> None:
    order = parts_of(read_plans())
    for plan in read_plans():
        places = [order.index(each.part) for each in plan.stretches]
        assert places == sorted(places)


# -- code --


def test_code_is_that_of_the_file_without_comments() -> None:
    (python, go) = read_listings("reader/fill\npython: def _fetch(\ngo: func (r *Reader) admit(")
    assert (python.language, go.language) == ("python", "go")
    file = (ROOT / go.file).read_text().expandtabs(4)
    shown = text_of(show_lines(go.lines)).splitlines()
    assert shown[0].startswith("func (r *Reader) admit(")
    assert "\tbytes := min(source.Size, windowBytes)".expandtabs(4) in shown
    assert all(line in file for line in shown)
    assert "//" not in "".join(shown)


def test_without_a_language_all_four_are_shown() -> None:
    assert [each.language for each in read_listings("store/final")] == [
        "python",
        "java",
        "javascript",
        "go",
    ]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("reader/nothing", "reader/nothing is no piece"),
        ("reader/fill\nrust", "rust is no language"),
        ("reader/fill\ngo: func nothing(", "stands in 0 parts"),
    ],
)
def test_code_that_is_not_there_is_a_fault(content: str, message: str) -> None:
    with pytest.raises((UsageError, HarnessError), match=message):
        read_listings(content)


def lines(*texts: str) -> list[list[tuple[str, str]]]:
    return [[("", text)] for text in texts]


def test_few_short_lines_get_the_largest_letters_side_by_side() -> None:
    two = [Listing(each, "a", lines("x = 1")) for each in ("python", "go")]
    found = fit(two, 540)
    assert (found.size, [len(each) for each in found.columns]) == (22, [1, 1])


def test_long_lines_stand_below_each_other() -> None:
    two = [Listing(each, "a", lines(*["x" * 90] * 6)) for each in ("java", "go")]
    assert [len(each) for each in fit(two, 540).columns] == [2]


def test_more_than_a_slide_holds_is_refused() -> None:
    with pytest.raises(UsageError, match="java 40"):
        fit([Listing("java", "a", lines(*["x"] * 40))], 540)


# -- lessons --


def test_a_table_of_a_lesson_is_found_and_narrowed() -> None:
    table = find_table("09-measuring", "median ms")
    light = narrowed(table, ["row", "max"], "light")
    assert [row[0] for row in light.rows] == [
        f"{language} light" for language in ("python", "java", "javascript", "go")
    ]
    whole = [table.headings.index(each) for each in ("row", "max")]
    assert list(light.rows[0]) == [table.rows[1][place] for place in whole]
    assert light.is_number(1)
    assert not light.is_number(0)


def test_a_table_or_a_text_that_is_not_there_is_a_fault() -> None:
    with pytest.raises(UsageError, match="0 tables of 09-measuring"):
        find_table("09-measuring", "no such heading")
    with pytest.raises(UsageError, match="no column x"):
        narrowed(Table(["row"], [["a"]]), ["x"], "")
    with pytest.raises(UsageError, match="0 paragraphs"):
        find_printed("01-raw-text", "no such words")
    with pytest.raises(UsageError, match="no lesson 99-none"):
        find_printed("99-none", "x")


def test_each_lesson_has_a_question_and_an_answer_and_all_are_asked() -> None:
    assert list(questions()) == [int(file.stem[:2]) for file in lesson_files()]
    assert all(each.text.endswith("?") or "?" in each.text for each in questions().values())
    asked = [
        number
        for block in re.findall(r"```ask\n(.*?)```", (SLIDES / "questions.md").read_text(), re.S)
        for number in numbers(block)
    ]
    assert sorted(asked) == list(questions())


# -- plots --


def test_a_bar_is_a_median_of_the_export() -> None:
    comparison = read_export(EXPORT)
    found = {row.name: summary for row, summary in with_summaries(comparison)}
    plot = bars.plot("cpu", comparison)
    assert len(plot.bars) == 8
    for bar in plot.bars:
        summary = found[bar.label.lower()]
        assert summary.cpu is not None
        assert bar.ms == summary.cpu.median
        assert bar.faint == bar.label.endswith("sdk")
    assert max(bar.share for bar in plot.bars) == pytest.approx(100)


def test_a_row_that_does_not_match_has_no_bar() -> None:
    comparison = read_export(EXPORT)
    failed = replace(comparison.rows[0], verdict=Verdict(VerdictKind.MISMATCH, "no"))
    plot = bars.plot("cpu", replace(comparison, rows=(failed, *comparison.rows[1:])))
    assert failed.name not in {bar.label.lower() for bar in plot.bars}


# -- the page --


def test_each_slide_has_its_place_and_its_notes(page: str) -> None:
    ids = re.findall(r'<article class="frame" id="([^"]+)"', page)
    assert len(ids) == len(set(ids)) > 45
    assert ids[0] == "start"
    for part in parts_of(read_plans()):
        headings = re.findall(r"^## ", (SLIDES / f"{part}.md").read_text(), re.MULTILINE)
        assert [f"{part}/{number}" for number in range(1, len(headings) + 1)] == [
            each for each in ids if each.startswith(f"{part}/")
        ]
    assert "<p>No notes.</p>" not in page


def test_nothing_is_fetched(page: str) -> None:
    require_self_contained(page)
    links = re.findall(r'href="([^"]*)"', page)
    assert [each for each in links if not each.startswith(("?", "data:"))] == []


def test_facts_and_blocks_come_from_the_repository(page: str) -> None:
    assert "2,000 small objects" in text_of(page)
    assert "{{" not in page
    assert "1.695426997651E9,1" not in page
    assert "9007199254740993" in page  # of the vector


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("no title\n\n## A\n\nx\n", "has not the form"),
        ("# T\n\n## A\n\n{{nothing}}\n", "nothing is no fact"),
        ("# T\n\n## A\n\nx\n\n## B\n\n```ask\n99\n```\n", "slide 2: `99` names no lessons"),
    ],
)
def test_a_part_with_a_fault_is_refused(text: str, message: str, tmp_path: Path) -> None:
    file = tmp_path / "part.md"
    file.write_text(text)
    with pytest.raises(UsageError, match=message):
        read_part(file, {}, lambda *_: pytest.fail("no block"))


@pytest.mark.parametrize(
    ("block", "message"),
    [
        ("```clause\nC99\n```", "'C99' is no clause"),
        ("```vector\nno-such\n```", "no-such is no vector"),
        ("```plot\nx\n```", "x is no plot"),
        ("```figure\nx\n```", "x is no figure"),
        ("```table\n09-measuring\n```", "needs `with`"),
        ("```table\n09-measuring\nwith: row\nwidth: 3\n```", "width is no option"),
    ],
)
def test_a_block_that_names_nothing_is_a_fault(block: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "task.md").write_text(f"# T\n\n## A\n\n{block}\n")
    with pytest.raises(UsageError, match=rf"task\.md, slide 1: .*{message}"):
        render_slides(read_export(EXPORT), tmp_path)


# -- the command --


def test_the_command_writes_the_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "slides.html"
    assert main(["slides", "--out", str(file)]) == 0
    assert capsys.readouterr().out == f"{file}\n"
    assert file.read_text().startswith("<!doctype html>")


def test_a_file_that_can_t_be_written_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["slides", "--out", str(tmp_path / "none/slides.html")]) == 2
    assert "can't be written" in capsys.readouterr().err


def test_an_export_without_a_row_that_ran_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    export, page = tmp_path / "export.json", tmp_path / "slides.html"
    nothing = replace(read_export(EXPORT), fixture={}, rows=(), again=None)
    export.write_text(json.dumps(to_json(nothing)))
    assert main(["slides", "--times", str(export), "--out", str(page)]) == 2
    assert "export.json has no row that ran" in capsys.readouterr().err
    assert not page.exists()
