"""HTML pages under test: read as tables and images, and shown by a browser."""

from __future__ import annotations

import html
import itertools
import json
import re
import shutil
import subprocess
from collections.abc import Sequence
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from harness.toolchain.tools import browser_modules, find_node

#: Options of Chromium for the two kinds of readers, and their names.
SCREENS = {
    "wide and light": ("--window-size=1000,3000",),
    "narrow and dark": ("--window-size=400,4000", "--blink-settings=preferredColorScheme=0"),
}


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


def require_for_everybody(page: str) -> None:
    """A reader without eyes or mouse gets everything: headings in order, labels, a skip link."""
    read = Reader(page)
    levels = [int(tag[1]) for tag in read.tags if re.fullmatch(r"h\d", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))
    assert read.tags[read.tags.index("body") + 1] == "a"  # past the header, for the keyboard
    assert 'href="#results"' in page
    assert page.count('tabindex="0" role="region" aria-labelledby=') == len(read.tables)
    labels = re.findall(r'aria-labelledby="([^"]+)"', page)
    assert set(labels) <= set(read.ids)
    assert len(read.ids) == len(set(read.ids))
    assert page.count('<th scope="col">') == sum(len(table[0]) for table in read.tables)
    assert '<html lang="en">' in page


def require_closed(page: str) -> None:
    """Nothing is fetched, and nothing runs."""
    assert "script" not in Reader(page).tags
    outside = re.findall(r'(?:src|href|srcset)="(?!data:|#)[^"]*"|url\([^)]*\)|@import', page)
    assert outside == []
    assert "default-src 'none'" in page


def require_shown(page: str, folder: Path, *options: str) -> None:
    """Show a page in Chromium without a network. It must have no complaint, and no empty image."""
    (folder / "page.html").write_text(page)
    shot = folder / "shot.png"
    done = subprocess.run(
        [
            *(_chromium(), "--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"),
            *("--enable-logging=stderr", f"--user-data-dir={folder}/profile"),
            *("--host-resolver-rules=MAP * ~NOTFOUND", f"--screenshot={shot}", *options),
            f"file://{folder}/page.html",
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "CONSOLE" not in done.stderr, done.stderr
    assert shot.stat().st_size > 60_000  # an empty page is a few thousand bytes


def look(script: str, file: Path, pictures: Sequence[str], least_bytes: int) -> dict[str, Any]:
    """What a script of this folder has seen of the page in Chromium.

    Its pictures stand beside the page. Each has more bytes than a picture of an empty page.
    """
    done = subprocess.run(
        [
            find_node(),
            Path(__file__).parent / script,
            browser_modules(),
            _chromium(),
            file,
            file.parent,
        ],
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    for name in pictures:
        assert (file.parent / f"{name}.png").stat().st_size > least_bytes
    seen: dict[str, Any] = json.loads(done.stdout)
    return seen


def _chromium() -> str:
    """Its path; without it the test is skipped."""
    browser = shutil.which("chromium") or shutil.which("chromium-browser")
    if browser is None:
        pytest.skip("Chromium is not installed")
    return browser


def require_self_contained(page: str) -> None:
    """The page has all its styles, scripts and pictures, and its policy allows no others."""
    style = page.partition("<style>")[2].partition("</style>")[0]
    assert re.findall(r"url\(|@import", style) == []
    assert re.findall(r'<[^>]+ (?:src|srcset)="', page) == []
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', page)
    assert policy
    assert html.unescape(policy[1]).startswith("default-src 'none'; ")
    assert "unsafe" not in policy[1]
    assert " style=" not in page
