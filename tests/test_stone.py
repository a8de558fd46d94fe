"""The page of the stone: its code is that of the files, and its times are those of the export."""

from __future__ import annotations

import html
import re
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
from pages import require_self_contained
from test_docs import ROOT, STEPS

from harness.cli import main
from harness.model import UsageError, Verdict, VerdictKind
from harness.report.json_export import read_export
from harness.report.tables import with_summaries
from harness.teaching.contract import clauses
from harness.teaching.excerpts import TOPS, Part, excerpt, pieces
from harness.teaching.highlight import show_part, show_text
from harness.teaching.page import render_stone
from harness.teaching.prose import lesson_files, pieces_of, read_lesson
from harness.teaching.steps import steps
from harness.teaching.timings import plots
from harness.verify.vectors.cases import load_cases

EXPORT = ROOT / "docs/results.json"
LESSON = """\
# Raw text & more

A record is text: [SPEC](../../SPEC.md), [method](../method.md), [next](02-next.md#there).

```piece
splitter/copy
languages: go, java
```

```excerpt
template.yaml
  DayQueue:
```

    make stone

| row | ms |
|---|--:|
| go  | 1  |
"""


@pytest.fixture(scope="module")
def lesson(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("lessons") / "01-raw-text.md"
    file.write_text(LESSON)
    return file


@pytest.fixture(scope="module")
def page(lesson: Path) -> str:
    return render_stone(read_export(EXPORT), [lesson])


def text_of(markup: str) -> str:
    return html.unescape(re.sub(r"<[^>]+>", "", markup))


# -- code --


@pytest.mark.parametrize("language", TOPS)
def test_the_code_that_is_shown_is_that_of_the_file(language: str) -> None:
    """But for the indentation that the lines of a part have in common."""
    for piece in pieces():
        for part in excerpt(piece)[language].parts:
            lines = [line.expandtabs(4) for line in part.lines]
            common = min(len(line) - len(line.lstrip()) for line in lines if line)
            assert text_of(show_part(part, language)) == "".join(
                f"{line[common:]}\n" for line in lines
            )


@pytest.mark.parametrize(
    ("language", "line", "name"),
    [
        ("go", "func (w *window) next(ctx context.Context) error {", "next"),
        ("go", "type window struct {", "window"),
        ("javascript", "export const inflate = (body) => {", "inflate"),
        ("javascript", "  async take() {", "take"),
        ("javascript", "class Window {", "Window"),
        ("python", "def inflate(body: bytes) -> bytes:", "inflate"),
        ("java", "  private void fill() {", "fill"),
    ],
)
def test_a_name_is_marked_where_it_is_defined(language: str, line: str, name: str) -> None:
    assert re.findall(r'<span class="f">([^<]+)</span>', show_text(line, language)) == [name]


@pytest.mark.parametrize("line", ["  for (const each of all) {", "  const LF = 10;", "  take(1);"])
def test_other_lines_of_javascript_define_nothing(line: str) -> None:
    assert 'class="f"' not in show_text(line, "javascript")


def test_a_line_has_its_indentation_as_a_class_and_as_text() -> None:
    file = ROOT / "go/internal/aggregator/reader.go"
    number = file.read_text().splitlines().index("\t\treturn nil")
    lines = tuple(file.read_text().splitlines()[number - 1 : number + 2])
    shown = show_part(Part(file.relative_to(ROOT).as_posix(), number, lines), "go")
    assert '<span class="l i4"><i>    </i><span class="k">return</span>' in shown


def test_a_long_word_may_break_before_a_dot_and_after_a_bracket() -> None:
    shown = show_text("return self._attempts.start(self._read(key)) or a.b\n", "python")
    assert re.sub(r"<(?!wbr)[^>]*>", "", shown) == (
        "return self<wbr>._attempts<wbr>.start(<wbr>self<wbr>._read(<wbr>key)) or a.b\n"
    )


def test_text_of_an_unknown_language_is_escaped() -> None:
    assert show_text("a < b\n", "no-such") == '<span class="l">a &lt; b\n</span>'


# -- the page --


def test_each_piece_and_each_step_has_its_place(page: str) -> None:
    ids = re.findall(r' id="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    assert [step.name for step in steps()] == STEPS
    assert {*STEPS, *pieces(), "contract", "lessons", "lesson/01-raw-text"} <= set(ids)
    assert {f"contract/{clause}" for clause in clauses()} <= set(ids)


def test_links_stay_in_the_page_and_lead_somewhere(page: str) -> None:
    ids = set(re.findall(r' id="([^"]+)"', page))
    links = re.findall(r'href="([^"]*)"', page)
    assert len(links) > 100
    assert [link for link in links if not link.startswith(("#", "data:"))] == []
    assert {link[1:] for link in links if link.startswith("#")} <= ids | {"lesson/02-next"}


def test_nothing_is_fetched(page: str) -> None:
    require_self_contained(page)


def test_a_clause_has_its_text_and_its_vectors() -> None:
    named = {(clause, case.id) for case in load_cases() for clause in case.clauses}
    shown = {(each.id, vector.id) for each in clauses().values() for vector in each.vectors}
    assert shown == named
    assert text_of(clauses()["R4"].html).strip() == (
        "R4 Several gzip members in one body form one stream."
    )
    assert text_of(clauses()["S6"].html).strip() == "S6 CONCURRENCY, default 16; allowed: 1 to 256"
    assert "It is cut at any place." in clauses()["R5"].html


def test_a_clause_without_a_piece_tells_its_place(page: str) -> None:
    assert "<p>E9:\nThe clients keep the connections, in the folder <code>s3</code>.</p>" in page


def test_each_clause_of_a_piece_stands_beside_it(page: str) -> None:
    for piece in pieces().values():
        _, _, rest = page.partition(f'<article class="piece" id="{piece.id}"')
        article, _, _ = rest.partition("</article>")
        assert piece.title in text_of(article)
        for clause in piece.clauses:
            assert clauses()[clause].html in article


# -- times --


def test_a_bar_is_a_phase_of_the_export() -> None:
    comparison = read_export(EXPORT)
    found = {row.name: summary for row, summary in with_summaries(comparison)}
    (decode,) = plots(comparison)["splitter"]
    assert {f"{bar.language} {bar.client}" for bar in decode.bars} == {
        f"{language} {client}" for language in TOPS for client in ("sdk", "light")
    }
    for bar in decode.bars:
        assert bar.ms == found[f"{bar.language} {bar.client}"].phases["decode"].sum_ms
    assert max(bar.share for bar in decode.bars) == pytest.approx(100)


def test_a_row_that_does_not_match_has_no_bar() -> None:
    comparison = read_export(EXPORT)
    failed = replace(comparison.rows[0], verdict=Verdict(VerdictKind.MISMATCH, "no"))
    (warm,) = plots(replace(comparison, rows=(failed, *comparison.rows[1:])))["handler"]
    assert failed.name not in {f"{bar.language} {bar.client}" for bar in warm.bars}


def test_an_export_without_phases_has_no_plots_of_them(lesson: Path) -> None:
    baseline = read_export(ROOT / "tests/baseline.json")
    bare = replace(
        baseline,
        rows=tuple(
            replace(row, samples=tuple(replace(each, phases=None) for each in row.samples))
            for row in baseline.rows
        ),
    )
    assert plots(bare)["splitter"] == []
    assert 'class="plot"' in render_stone(bare, [lesson])  # of the handler
    assert 'class="plot"' not in render_stone(None, [lesson])


# -- lessons --


def test_a_lesson_shows_pieces_of_the_files(page: str) -> None:
    _, _, rest = page.partition('id="lesson/01-raw-text"')
    article, _, _ = rest.partition("</article>")
    assert "Raw text &amp; more</h1>" in article
    shown = re.findall(r'<div class="cell (\w+) fixed"', article)
    assert shown == ["go", "java"]
    assert "func appendLine(" in text_of(article)
    assert "make stone" in text_of(article)
    assert "FifoQueue: true" in text_of(article)
    assert '<td class="right">1</td>' in article


def test_a_link_of_a_lesson_stays_in_the_page_or_becomes_a_name(page: str) -> None:
    assert '<a href="#contract">SPEC</a>' in page
    assert '<a class="file" title="the file docs/method.md">method</a>' in page
    assert '<a href="#lesson/02-next">next</a>' in page


def test_a_link_out_of_the_repository_is_a_fault(tmp_path: Path) -> None:
    file = tmp_path / "01-x.md"
    file.write_text("# X\n\n[web](https://a.b/) [out](../../../x.md)\n")
    with pytest.raises(UsageError, match=r"\.\./x\.md leads out of the repository"):
        read_lesson(file, lambda *_: pytest.fail("no piece"))


@pytest.mark.parametrize(
    ("block", "message"),
    [
        ("reader/nothing", "reader/nothing is no piece"),
        ("reader/fill\nlanguages: go, rust", "rust is no piece and no language"),
        ("title: x", "title is neither a piece nor `languages`"),
        ("languages: go", "names no piece"),
    ],
)
def test_a_block_that_names_nothing_is_a_fault(block: str, message: str, tmp_path: Path) -> None:
    file = tmp_path / "01-x.md"
    file.write_text(f"# X\n\n```piece\n{block}\n```\n")
    with pytest.raises(UsageError, match=rf"01-x\.md: .*{message}"):
        read_lesson(file, lambda *_: pytest.fail("no piece"))


def test_a_block_may_have_several_pieces() -> None:
    content = "reader/fill reader/get\nwriter/put\n\nlanguages: go java\n"
    assert pieces_of(content) == (["reader/fill", "reader/get", "writer/put"], ("go", "java"))
    assert pieces_of("reader/fill\n") == (["reader/fill"], tuple(TOPS))


@cache
def own_lessons() -> list[Path]:
    return lesson_files()


@pytest.mark.parametrize("file", own_lessons(), ids=lambda file: file.stem)
def test_each_lesson_of_the_repository_can_be_shown(file: Path) -> None:
    from markupsafe import Markup

    assert read_lesson(file, lambda piece, _: Markup(excerpt(piece)["go"].language)).title


# -- the command --


def test_the_command_writes_the_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["stone", "--out", str(tmp_path / "made/here")]) == 0
    file = tmp_path / "made/here/index.html"
    assert capsys.readouterr().out == f"{file}\n"
    page = file.read_text()
    assert page.startswith("<!doctype html>")
    assert " style=" not in page  # of the lessons, too
    links = set(re.findall(r'href="#([^"]+)"', page))
    assert links <= set(re.findall(r' id="([^"]+)"', page))


def test_a_file_in_the_place_of_the_folder_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "taken").write_text("x")
    assert main(["stone", "--out", str(tmp_path / "taken")]) == 2
    assert "taken is no folder: name another one" in capsys.readouterr().err
