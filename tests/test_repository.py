"""The statements of the files at the root and in .github about the repository are true."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tomllib
from collections.abc import Iterable
from fnmatch import fnmatchcase
from pathlib import Path
from xml.etree import ElementTree

import pytest
import yaml

from harness.build.template import load_implementations

ROOT = Path(__file__).parent.parent
MAKEFILE = (ROOT / "Makefile").read_text()
CHANGELOG = (ROOT / "CHANGELOG.md").read_text()
WORKFLOW = yaml.safe_load((ROOT / ".github/workflows/test.yml").read_text())
STEPS = WORKFLOW["jobs"]["make"]["steps"]
UPDATES = yaml.safe_load((ROOT / ".github/dependabot.yml").read_text())["updates"]
POM = ElementTree.parse(ROOT / "java/pom.xml").getroot()
NAMESPACE = {"m": "http://maven.apache.org/POM/4.0.0"}
PACKAGE = json.loads((ROOT / "javascript/package.json").read_text())
PROJECT = tomllib.loads((ROOT / "python/pyproject.toml").read_text())["project"]
DOCUMENTS = ["CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md"]


def in_pom(path: str) -> str | None:
    return POM.findtext("/".join(f"m:{name}" for name in path.split("/")), None, NAMESPACE)


def tracked(*patterns: str) -> list[Path]:
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", *patterns]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [Path(line) for line in listed.splitlines()]


def folders(files: Iterable[Path]) -> set[str]:
    return {f"/{file.parent}".removesuffix(".") for file in files}


def action(name: str) -> dict[str, str]:
    (step,) = (each for each in STEPS if each.get("uses", "").startswith(f"actions/{name}@"))
    return dict(step["with"])


def targets() -> set[str]:
    """Every target that the Makefile has a rule for; a pattern has a %."""
    command = ["make", "--print-data-base", "--question", "--no-builtin-rules", "help"]
    printed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False).stdout
    return {*re.findall(r"^([a-z][a-z-]*%?):(?!=)", printed, re.MULTILINE)}


TARGETS = targets()


# ---- versions and licence ----


def test_the_newest_version_is_that_of_each_language() -> None:
    newest = re.findall(r"^## \[(\d+\.\d+\.\d+)\] - \d{4}-\d\d-\d\d$", CHANGELOG, re.MULTILINE)[0]
    lock = json.loads((ROOT / "javascript/package-lock.json").read_text())

    assert PACKAGE["version"] == lock["version"] == newest
    assert PROJECT["version"] == newest
    assert in_pom("version") == newest


def test_unreleased_changes_stand_first() -> None:
    headings = re.findall(r"^## (.*)$", CHANGELOG, re.MULTILINE)

    assert headings[0] == "[Unreleased]"
    assert len(headings) >= 2


def test_all_name_one_licence() -> None:
    assert (ROOT / "LICENSE").read_text().startswith("MIT License\n")
    assert PACKAGE["license"] == "MIT"
    assert PROJECT["license"] == "MIT"
    assert in_pom("licenses/license/name") == "MIT"


# ---- documents ----


@pytest.mark.parametrize("name", DOCUMENTS)
def test_links_and_paths_lead_somewhere(name: str) -> None:
    text = (ROOT / name).read_text()
    links = re.findall(r"\]\(([^)#:]+)\)", text)
    paths = re.findall(r"`((?:[\w.-]+/)+[\w.-]*)`", text)
    made = {".build", ".tools"}

    assert links or paths or name == "CHANGELOG.md"
    for path in links + paths:
        assert made & {*Path(path).parts} or (ROOT / path).exists(), path


@pytest.mark.parametrize("name", [*DOCUMENTS, ".github/pull_request_template.md"])
def test_the_verbs_exist(name: str) -> None:
    text = (ROOT / name).read_text()
    lines = re.findall(r"(?:`|^ +|: )make ((?:[a-z]+(?:-[a-z]+)*(?: |$|`))+)", text, re.MULTILINE)
    named = {word for line in lines for word in re.findall(r"[a-z-]+", line)}

    assert named
    for verb in named:
        assert any(fnmatchcase(verb, target.replace("%", "*")) for target in TARGETS), verb


def test_make_alone_explains_each_verb() -> None:
    done = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True, check=True)
    rules = re.search(r"^\.PHONY: (help .*) \$\(VERBS\)", MAKEFILE, re.MULTILINE)
    verbs = re.search(r"^VERBS := (.*)$", MAKEFILE, re.MULTILINE)

    assert rules and verbs
    for verb in f"{rules[1]} {verbs[1]}".split():
        assert re.search(rf"^  {verb}\*? +\w", done.stdout, re.MULTILINE), verb
    assert max(map(len, done.stdout.splitlines())) <= 100


def test_each_right_of_the_template_is_told() -> None:
    template = (ROOT / "template.yaml").read_text()
    role = template.partition("  FunctionRole:")[2].partition("\n  DayQueue:")[0]
    rights = set(re.findall(r"\b(?:s3|kms|sqs|logs):[A-Z]\w+", role))

    told = set(re.findall(r"`((?:s3|kms|sqs|logs):[A-Z]\w+)`", (ROOT / "SECURITY.md").read_text()))

    assert len(rights) >= 8
    assert told == rights


# ---- the public forge ----


def test_every_folder_with_a_lock_is_looked_after() -> None:
    looked_after: dict[str, set[str]] = {
        each["package-ecosystem"]: {*each.get("directories", [each.get("directory")])}
        for each in UPDATES
    }

    assert looked_after == {
        "uv": folders(tracked("*requirements.txt", "*requirements.in")),
        "npm": folders(tracked("*package-lock.json")),
        "gomod": folders(tracked("*go.mod")),
        "maven": folders(tracked("*pom.xml")),
        "github-actions": {"/"},
    }


def test_the_workflow_has_the_versions_of_the_languages() -> None:
    runtimes = {each.language: each.runtime for each in load_implementations()}
    python = action("setup-python")["python-version-file"]

    assert f"python{(ROOT / python).read_text().strip()}" == runtimes["python"]
    assert action("setup-go")["go-version-file"] == "go/go.mod"
    assert action("setup-java")["java-version"] == in_pom("properties/maven.compiler.release")
    assert f"nodejs{action('setup-node')['node-version']}.x" == runtimes["javascript"]


def test_no_module_needs_a_newer_go_than_the_workflow_has() -> None:
    wanted = {
        path: re.findall(r"^go (\S+)$", (ROOT / path).read_text(), re.MULTILINE)
        for path in tracked("*go.mod")
    }

    assert len({*map(tuple, wanted.values())}) == 1, wanted


def test_the_workflow_may_read_only_and_pins_each_action() -> None:
    assert WORKFLOW["permissions"] == {"contents": "read"}
    pinned = [each["uses"] for each in STEPS if "uses" in each]
    assert pinned
    for name in pinned:
        assert re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", name), name


def test_the_workflow_runs_lint_and_every_test() -> None:
    job = WORKFLOW["jobs"]["make"]

    verbs = {each["verb"] for each in job["strategy"]["matrix"]["include"]}
    assert verbs == {"lint", "test", "solve-all"}
    assert STEPS[-1] == {"run": "make ${{ matrix.verb }}"}


def test_the_forms_ask_for_all_languages() -> None:
    form = yaml.safe_load((ROOT / ".github/ISSUE_TEMPLATE/fault.yml").read_text())
    asked = {each["id"]: each["attributes"] for each in form["body"] if "id" in each}

    languages = {each.language for each in load_implementations()}
    assert languages < {*asked["language"]["options"]}
    assert {"language", "client", "all-four", "version", "event", "end"} <= asked.keys()


# ---- a checkout in a folder with a space ----

PLAYED = """#!/bin/sh
printf '%s\\n' "ran $(basename "$0")" "$@" >>"{log}"
"""


def test_make_works_in_a_folder_with_a_space(tmp_path: Path) -> None:
    checkout = tmp_path / "a folder" / "of mine"
    log = tmp_path / "log"
    for name in (
        *("Makefile", "requirements.txt", "python/pyproject.toml", "java/pom.xml", "go/go.mod"),
        *("javascript/package.json", "javascript/package-lock.json"),
        ".github/workflows/test.yml",
    ):
        (checkout / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, checkout / name)
    (checkout / "javascript/node_modules").mkdir()
    own = {"python", "pytest", "ruff", "mypy", "check-jsonschema"}
    others = {"go", "gofmt", "mvn", "npm"}
    for folder, names in ((checkout / ".venv/bin", own), (tmp_path / "path", others)):
        folder.mkdir(parents=True)
        for name in names:
            (folder / name).write_text(PLAYED.format(log=log))
            (folder / name).chmod(0o755)
    (checkout / ".venv/made").touch()
    done = subprocess.run(
        [
            "make",
            "format",
            "lint",
            "types",
            "test-unit",
            "compare",
            "build",
            "fuzz",
            "disturb",
            "drills",
        ],
        cwd=checkout,
        env={**os.environ, "PATH": f"{tmp_path / 'path'}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    lines = log.read_text().splitlines()
    assert {f"ran {name}" for name in own | others} <= {*lines}
    assert not [line for line in lines if line.startswith(("folder/of", "mine"))]
    assert any(str(checkout) in line for line in lines)


PYTHON = """#!/bin/sh
case $1 in -m) echo made >>"{log}"; sleep 0.5; mkdir -p .venv/bin; cp "{others}"/* .venv/bin ;; esac
"""


def test_two_makes_at_once_make_one_venv(tmp_path: Path) -> None:
    checkout, others, log = tmp_path / "a checkout", tmp_path / "others", tmp_path / "log"
    for folder in (checkout, others):
        folder.mkdir()
    for name in ("Makefile", "requirements.txt"):
        shutil.copy(ROOT / name, checkout)
    python = tmp_path / "python"
    python.write_text(PYTHON.format(log=log, others=others))
    for name in ("pip", "uv"):
        (others / name).write_text("#!/bin/sh\ncat >/dev/null\n")
    for each in (python, *others.iterdir()):
        each.chmod(0o755)
    command = ["make", ".venv/made", f"PYTHON={python}"]
    makes = [
        subprocess.Popen(command, cwd=checkout, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
        for _ in range(2)
    ]
    said = [make.communicate()[1] for make in makes]
    assert [make.returncode for make in makes] == [0, 0], said
    assert log.read_text() == "made\n"
    assert sorted(said) == [b"", b"waiting: another make makes .venv\n"]
    assert (checkout / ".venv/made").exists()
