"""The documents name paths, links, commands and figures that exist."""

from __future__ import annotations

import io
import json
import re
import subprocess
from collections.abc import Iterator
from contextlib import redirect_stdout
from functools import cache
from pathlib import Path

import make_picture
import make_tables
import pytest

from harness.build.template import load_implementations
from harness.cli import main
from harness.verify.vectors.cases import load_cases

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
STEPS = re.findall(r"^\| `([a-z]+)` \| [^|]+ \| [A-Z][^|]*\|$", README, re.MULTILINE)
LANGUAGES = [each.language for each in load_implementations()]
SUFFIXES = {".py", ".java", ".js", ".go"}


def tracked(pattern: str = "*") -> list[str]:
    made = ("git", "ls-files", "--cached", "--others", "--exclude-standard", pattern)
    listed = subprocess.run(made, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return [name for name in listed.splitlines() if (ROOT / name).exists()]


FILES = tracked()
MARKDOWN = [name for name in tracked("*.md") if not name.startswith("tests/vectors/")]
# Records keep the names of their day.
LIVING = [name for name in MARKDOWN if not re.match(r"docs/decisions/\d|CHANGELOG", name)]


def files_of(language: str) -> list[Path]:
    made = {"node_modules", "target"}
    files = (path for path in (ROOT / language).rglob("*") if path.suffix in SUFFIXES)
    return [path for path in files if not made & set(path.parts)]


def is_test(path: Path) -> bool:
    return "test" in path.relative_to(ROOT).as_posix().lower()


def test_fourteen_steps_are_named() -> None:
    assert len(STEPS) == 14


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("step", STEPS)
def test_a_step_is_found_by_its_name(step: str, language: str) -> None:
    files = files_of(language)
    sources = [path for path in files if path.stem.lower() == step and not is_test(path)]
    assert len(sources) == 1, sources
    assert any(step in path.name.lower() and is_test(path) for path in files)
    listed = (ROOT / language / "README.md").read_text().lower()
    name = "" if language == "java" else sources[0].suffix
    assert f"| `{step}{name}` |" in listed


# -- lines, paths and links --


def test_the_readme_is_short() -> None:
    assert len(README.splitlines()) <= 150


def too_long(text: str) -> Iterator[tuple[int, str]]:
    """Lines beyond 100 columns, tables and code included. Only the tables that ``report`` makes of
    an export are as wide as they are."""
    generated = make_tables.block(text)
    for number, line in enumerate(text.splitlines(), 1):
        if len(line) > 100 and line not in generated:
            yield number, line


@pytest.mark.parametrize("name", MARKDOWN)
def test_lines_have_at_most_100_columns(name: str) -> None:
    assert not list(too_long((ROOT / name).read_text()))


def test_the_number_of_vectors_is_true() -> None:
    assert f"{len(load_cases())} vectors" in README


# -- paths, links and commands --


def spans(text: str) -> list[str]:
    """The code in a text: its spans, and the lines of its indented and fenced blocks."""
    blocks = re.findall(r"^(?: {4,}|\t)(.+)$", text, re.MULTILINE)
    fenced = "\n".join(re.findall(r"^```\w*\n(.*?)^```", text, re.MULTILINE | re.DOTALL))
    return [*re.findall(r"`([^`\n]+)`", text), *blocks, *fenced.splitlines()]


def anchors(text: str) -> set[str]:
    """The anchors of a document's headings, as the forges make them."""
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    plain = (re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings)
    return {*plain, *re.findall(r'<a id="([^"]+)">', text)}


@pytest.mark.parametrize("name", MARKDOWN)
def test_links_lead_somewhere(name: str) -> None:
    text = (ROOT / name).read_text()
    links = re.findall(r"\]\(([^)\s]+)\)", text) + re.findall(r'(?:src|srcset)="([^"]+)"', text)
    for link in links:
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (ROOT / name).parent / path if path else ROOT / name
        assert target.exists(), link
        assert not anchor or anchor in anchors(target.read_text()), link


def _is_path(span: str) -> bool:
    """Whether it is meant as a path of this tree: it begins with one of the top folders, or it is
    the name of a file with a suffix that sources and documents have here."""
    if not re.fullmatch(r"[\w./-]+", span):
        return False
    top = {file.partition("/")[0] for file in FILES if "/" in file}
    begins = span.partition("/")[0] in top and "/" in span
    return begins or bool(re.fullmatch(r"[\w-]+\.(?:py|md|toml|sql|mjs|sh)", span))


@pytest.mark.parametrize("name", LIVING)
def test_paths_exist(name: str) -> None:
    here = (ROOT / name).parent
    for span in spans((ROOT / name).read_text()):
        if _is_path(span):
            places = (ROOT, here, ROOT / Path(name).stem)  # docs/performance/go.md is about go/
            found = any((place / span).exists() for place in places)
            known = "/" not in span and any(Path(file).name == span for file in FILES)
            assert found or known, span


def help_of(*command: str) -> str:
    text = io.StringIO()
    with redirect_stdout(text):
        assert main([*command, "--help"]) == 0
    return text.getvalue()


@cache
def flags() -> dict[str, set[str]]:
    """command -> its flags, by its own help."""
    listed = re.findall(r"^    ([a-z]+)  ", help_of(), re.MULTILINE)
    assert "compare" in listed
    return {
        command: set(re.findall(r"(?<![\w-])--[a-z0-9-]+", help_of(command))) - {"--help"}
        for command in listed
    }


def commands_in(text: str) -> Iterator[tuple[str, list[str]]]:
    """(command, flags) of each call of the harness, by itself or through ``make``."""
    called = re.compile(r"python -m harness ([a-z]+)(.*)|make (compare|fuzz|mutants)\b(.*)")
    for span in spans(text):
        for match in called.finditer(span.partition(" #")[0]):
            command, arguments = match[1] or match[3], match[2] or match[4] or ""
            yield command, re.findall(r"(?<![\w-])--[a-z][a-z0-9-]*", arguments)


@pytest.mark.parametrize("name", LIVING)
def test_commands_of_the_harness_exist(name: str) -> None:
    known = flags()
    for command, given in commands_in((ROOT / name).read_text()):
        assert command in known, command
        assert set(given) <= known[command], (command, given)


def test_each_flag_is_documented() -> None:
    document = (ROOT / "docs/harness.md").read_text()
    named = set(re.findall(r"`(--[a-z0-9-]+)", document))
    assert named == {flag for each in flags().values() for flag in each}


def test_each_command_has_a_row() -> None:
    whole = (ROOT / "docs/harness.md").read_text()
    table = whole.partition("| command | purpose |")[2].partition("\n\n")[0]
    assert sorted(re.findall(r"^\| `([a-z]+)` \|", table, re.MULTILINE)) == sorted(flags())


@pytest.mark.parametrize("name", LIVING)
def test_make_targets_and_modules_exist(name: str) -> None:
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z-]+)(?:-%)?:", makefile, re.MULTILINE))
    (listed,) = re.findall(r"^VERBS := (.*)$", makefile, re.MULTILINE)
    verbs = set(listed.split())
    for span in spans((ROOT / name).read_text()):
        for target in re.findall(r"^make ([a-z][a-z-]*)", span):
            verb, _, part = target.rpartition("-")
            known = part in (*LANGUAGES, "harness") and verb in verbs | {"build"}
            assert known or target in targets | verbs, span
        for module in re.findall(r"python -m (harness(?:\.\w+)+)", span):
            path = ROOT / module.replace(".", "/")
            assert path.with_suffix(".py").exists() or (path / "__main__.py").exists(), span


def test_each_parameter_is_documented() -> None:
    template = (ROOT / "template.yaml").read_text()
    parameters = template.partition("\nParameters:\n")[2].partition("\nMappings:")[0]
    names = re.findall(r"^  ([A-Z]\w+):$", parameters, re.MULTILINE)
    document = (ROOT / "docs/deploy.md").read_text()
    assert len(names) >= 10
    assert [name for name in names if f"`{name}`" not in document] == []


# -- the picture and the tables --


def test_the_picture_is_fresh() -> None:
    """`python tests/make_picture.py` in `.venv` draws it again."""
    for path, drawn in make_picture.pictures().items():
        assert path.read_text() == drawn, path


def test_the_picture_names_the_clauses_of_the_steps() -> None:
    text = (ROOT / "docs/pictures/data-flow-light.svg").read_text()
    spec = (ROOT / "SPEC.md").read_text()
    clauses = set(re.findall(r">([^<]*\d)</text>", text))
    named = set(re.findall(r"\b[A-Z]\d+\b", " ".join(clauses)))
    assert len(named) >= 10
    assert [each for each in named if f"**{each}**" not in spec] == []


BASELINE = ROOT / "tests/baseline.json"


def test_a_table_is_made_of_an_export() -> None:
    export = json.loads(BASELINE.read_text())
    rows = [line.split(" | ") for line in make_tables.readme_table(export).splitlines()[2:4]]
    by_name = {row["name"]: row for row in export["results"]}
    for name, _, warm, *_ in rows:
        median = by_name[name.removeprefix("| ")]["figures"]["warm"]["median"]
        assert warm.startswith(f"{median:,.0f} [")
    assert [row[0] for row in rows] == ["| go sdk", "| python sdk"]


def test_a_row_that_does_not_match_has_no_times() -> None:
    export = json.loads(BASELINE.read_text())
    export["results"][0]["verdict"] = "mismatch"
    assert "| python sdk | mismatch | | | | | | |" in make_tables.readme_table(export)


def test_the_tables_are_those_of_the_export() -> None:
    """`python tests/make_tables.py` in `.venv` writes them anew. While no export is stored, the
    table of README.md names the commit that it was measured at."""
    written = {
        path: make_tables.block(path.read_text())
        for path in (
            *(make_tables.README, make_tables.RESULTS, make_tables.BACKFILL, make_tables.TLS),
            *(make_tables.PLACES, make_tables.NIGHTS, make_tables.GROWTH),
        )
    }
    if make_tables.EXPORT.exists():
        assert written == make_tables.blocks(make_tables.EXPORT)
    else:
        assert re.search(r"at commit [0-9a-f]{7}", written[make_tables.README])


def test_the_pictures_of_growth_are_those_of_the_exports() -> None:
    for path, image in make_tables.large_days_pictures(make_tables.EXPORT).items():
        assert path.read_bytes() == image, path.name


def test_the_table_has_a_row_for_each_language_and_client() -> None:
    table = make_tables.block(README)
    for language in LANGUAGES:
        for client in ("sdk", "light"):
            assert re.search(rf"^\| {language} {client} \|", table, re.MULTILINE)
