"""The HTML page: its content, its independence of other files, and its validity in a browser."""

from __future__ import annotations

import base64
import itertools
import re
import shutil
import subprocess
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pytest
from fake_comparison import COMPARISON, SWEEP

from harness.model import Verdict, VerdictKind
from harness.report.html_page.page import render_page
from harness.report.json_export import read_export

PAGE = render_page(COMPARISON)
PLOTS = ("warm", "phases", "first", "memory", "package")
TABLES = ("throughput", "emulator")


class Reader(HTMLParser):
    """Tables as lists of rows, images, sources and the elements that have an id."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tables: list[list[list[str]]] = []
        self.tags: list[str] = []
        self.images: list[dict[str, str | None]] = []
        self.sources: list[str] = []
        self.ids: list[str] = []
        self._in_cell = False
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.tags.append(tag)
        self.ids += [value for name, value in attrs if name == "id" and value]
        match tag:
            case "table":
                self.tables.append([])
            case "tr":
                self.tables[-1].append([])
            case "th" | "td":
                self.tables[-1][-1].append("")
                self._in_cell = True
            case "img":
                self.images.append(given)
                self.sources.append(given["src"] or "")
            case "source":
                self.sources.append(given["srcset"] or "")

    def handle_endtag(self, tag: str) -> None:
        self._in_cell = self._in_cell and tag not in ("th", "td")

    def handle_data(self, data: str) -> None:
        if self._in_cell:
            self.tables[-1][-1][-1] += data


READ = Reader(PAGE)


def test_every_row_of_a_table_has_a_cell_for_each_heading() -> None:
    assert len(READ.tables) == 2 + len(PLOTS) + len(TABLES)
    for table in READ.tables:
        assert {len(row) for row in table} == {len(table[0])}
        assert len(table) > 1


def test_the_tables_hold_the_figures() -> None:
    main, standing, warm = READ.tables[:3]
    figures = dict(zip(main[0], main[1], strict=True))
    assert (figures["row"], figures["verdict"]) == ("python sdk", "match")
    assert (figures["warm ms"], figures["95 %"], figures["n"]) == ("1,188", "1,175-1,234", "8")
    assert main[4][2:] == ["-"] * 11
    assert standing[1:] == [["go sdk", "1", "1.00"], ["python sdk", "2", "2.37 [2.34-2.44]"]]
    assert warm[2][:3] == ["go sdk", "8", "501"]


def test_every_plot_has_an_image_for_each_scheme_and_width_and_its_table() -> None:
    assert READ.ids == ["results", "standing", *PLOTS, *TABLES]
    assert len(READ.sources) == 4 * len(PLOTS)
    assert all(len(image["alt"] or "") > 40 for image in READ.images)
    assert PAGE.count("<details>") == len(PLOTS)


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
    levels = [int(tag[1]) for tag in READ.tags if re.fullmatch(r"h\d", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))
    assert READ.tags[READ.tags.index("body") + 1] == "a"  # past the header, for the keyboard
    assert 'href="#results"' in PAGE
    assert PAGE.count('tabindex="0" role="region" aria-labelledby=') == len(READ.tables)
    labels = re.findall(r'aria-labelledby="([^"]+)"', PAGE)
    assert set(labels) <= set(READ.ids)
    assert len(READ.ids) == len(set(READ.ids))
    assert PAGE.count('<th scope="col">') == sum(len(table[0]) for table in READ.tables)
    assert '<html lang="en">' in PAGE


def test_images_are_drawings_with_words_and_differ_by_scheme_and_width() -> None:
    images = [base64.b64decode(each.partition(",")[2]).decode() for each in READ.sources]
    for image in images:
        assert ElementTree.fromstring(image).tag.endswith("}svg")
        assert "python" in image
        assert "<text" in image
    assert len(set(images)) == len(images)


def test_the_same_comparison_gives_the_same_page() -> None:
    assert render_page(COMPARISON) == PAGE


def test_nothing_is_fetched_and_nothing_runs() -> None:
    assert "script" not in READ.tags
    outside = re.findall(r'(?:src|href|srcset)="(?!data:|#)[^"]*"|url\([^)]*\)|@import', PAGE)
    assert outside == []
    assert "default-src 'none'" in PAGE


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


@pytest.mark.parametrize(
    "options",
    [
        ("--window-size=1000,3000",),
        ("--window-size=400,4000", "--blink-settings=preferredColorScheme=0"),
    ],
    ids=["wide and light", "narrow and dark"],
)
def test_a_browser_shows_it_without_complaint(options: tuple[str, ...], tmp_path: Path) -> None:
    browser = shutil.which("chromium") or shutil.which("chromium-browser")
    if browser is None:
        pytest.skip("Chromium is not installed")
    (tmp_path / "page.html").write_text(PAGE)
    shot = tmp_path / "shot.png"
    done = subprocess.run(
        [
            *(browser, "--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"),
            *("--enable-logging=stderr", f"--user-data-dir={tmp_path}/profile"),
            *("--host-resolver-rules=MAP * ~NOTFOUND", f"--screenshot={shot}", *options),
            f"file://{tmp_path}/page.html",
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "CONSOLE" not in done.stderr, done.stderr
    assert shot.stat().st_size > 60_000  # an empty page is a few thousand bytes
