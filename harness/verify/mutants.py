"""Checks the vectors: they must find faults that are put into copies of the implementations.

A mutant is one wrong text in one file of one language, listed in ``tests/mutants/``. First the
language's own run of the vectors may find it, then the language's other tests. A mutant that passes
both is built and judged like any implementation.
"""

from __future__ import annotations

import re
import shutil
import sys
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

from harness.model import HarnessError, UsageError
from harness.scratch import scratch
from harness.toolchain.paths import ROOT
from harness.toolchain.programs import tail
from harness.toolchain.tools import find_node
from harness.verify.checkout import copy_language, run_tests
from harness.verify.vectors.cases import VECTORS, load_cases

MUTANTS = ROOT / "tests/mutants"

_TESTS_S, _JUDGE_S = 600, 1200  # a mutant that waits for ever is found, too


class Fate(StrEnum):
    KILLED = "killed"
    SURVIVED = "survived"
    BROKEN = "broken"  # the mutant's own error: it does not compile or could not be judged


@dataclass(frozen=True, slots=True)
class Mutant:
    """One fault. ``find`` occurs exactly once in ``file``, a path below the language's folder."""

    language: str
    id: str
    clause: str
    file: str
    find: str
    replace: str
    why: str


class Outcome(NamedTuple):
    mutant: Mutant
    fate: Fate
    by: str = ""  # the test or vector that killed it, or the fault of the mutant itself


class _Tools(NamedTuple):
    compile: tuple[str, ...]
    tests: tuple[tuple[str, ...], ...]
    failed: re.Pattern[str]  # finds the failed test's name in the output


def load_mutants(languages: Sequence[str] = (), folder: Path = MUTANTS) -> list[Mutant]:
    """The mutants of these languages, or of all. Raises ``UsageError`` for one without mutants."""
    files = {file.stem: file for file in sorted(folder.glob("*.toml"))}
    if unknown := [name for name in languages if name not in files]:
        raise UsageError(f"no mutants for {', '.join(unknown)}; there are for {', '.join(files)}")
    return [
        Mutant(language, **entry)
        for language in languages or files
        for entry in tomllib.loads(files[language].read_text())["mutant"]
    ]


def mutated(mutant: Mutant) -> str:
    """The file's text with the fault. Raises ``UsageError`` unless its place is unique."""
    text = (path := ROOT / mutant.language / mutant.file).read_text()
    if (places := text.count(mutant.find)) != 1:
        raise UsageError(f"{mutant.id}: its text stands {places} times in {path}, not once")
    return text.replace(mutant.find, mutant.replace)


def run_mutants(mutants: Iterable[Mutant], judged: bool = True) -> Iterator[Outcome]:
    """Try one mutant after the other. Without ``judged`` only a language's own tests decide.

    Raises ``HarnessError`` if tests that kill a mutant fail without it, because they would kill
    all mutants.
    """
    sound: set[tuple[str, Sequence[str]]] = set()
    for mutant in mutants:
        with _checkout(mutant) as root:
            outcome, command = _by_own_tests(mutant, root)
            if judged and outcome.fate is Fate.SURVIVED:
                outcome = _by_judge(mutant, root)
        if command is not None and (mutant.language, command) not in sound:
            _check_soundness(mutant, command)
            sound.add((mutant.language, command))
        yield outcome


def _check_soundness(mutant: Mutant, command: Sequence[str]) -> None:
    with _checkout(replace(mutant, replace=mutant.find)) as root:
        exit_code, output = run_tests(command, root / mutant.language, _TESTS_S)
    if exit_code != 0:
        killer = _failed_test(mutant.language, exit_code, output)
        raise HarnessError(f"{mutant.language} is not sound unmutated: {killer}")


def describe(outcome: Outcome) -> str:
    """One line of the table: id, clause, killed by."""
    mutant = outcome.mutant
    fate = "" if outcome.fate is Fate.KILLED else f"{outcome.fate.upper()} "
    return f"{f'{mutant.language}/{mutant.id}':40} {mutant.clause:4} {fate}{outcome.by}".rstrip()


@contextmanager
def _checkout(mutant: Mutant) -> Iterator[Path]:
    """A small checkout with the mutated language and links to the shared folders."""
    with scratch(f"mutant-{mutant.language}") as root:
        code = copy_language(mutant.language, root)
        (code / mutant.file).write_text(mutated(mutant))
        shutil.copy(ROOT / "template.yaml", root)
        yield root


def _by_own_tests(mutant: Mutant, root: Path) -> tuple[Outcome, Sequence[str] | None]:
    """The outcome, and the command that killed the mutant if one did."""
    code, tools = root / mutant.language, _tools(mutant.language)
    exit_code, output = run_tests(tools.compile, code, _TESTS_S)
    if exit_code != 0:
        return Outcome(mutant, Fate.BROKEN, f"does not compile:\n{tail(output, 5)}"), None
    for command in tools.tests:
        exit_code, output = run_tests(command, code, _TESTS_S)
        if exit_code != 0:
            killer = _failed_test(mutant.language, exit_code, output)
            return Outcome(mutant, Fate.KILLED, killer), command
    return Outcome(mutant, Fate.SURVIVED), None


def _failed_test(language: str, exit_code: int | None, output: str) -> str:
    names = _tools(language).failed.findall(output)[:3]  # Go names the group before its test
    unnamed = "a test" if exit_code else f"no end after {_TESTS_S} s"
    return max(names, key=len, default=unnamed)


def _by_judge(mutant: Mutant, root: Path) -> Outcome:
    """Build the mutant and judge it with real requests: first by the vectors of its clause."""
    shutil.copytree(ROOT / "harness", root / "harness")
    (root / mutant.language / "node_modules").unlink(missing_ok=True)  # the build makes its own
    of_clause = root / "vectors-of-clause"
    of_clause.mkdir()
    for case in load_cases():
        if mutant.clause in case.clauses:
            (of_clause / case.id).symlink_to(VECTORS / case.id)
    verify = (sys.executable, "-m", "harness", "verify", "--languages", mutant.language)
    for folder in filter(lambda each: any(each.iterdir()), (of_clause, VECTORS)):
        exit_code, output = run_tests((*verify, "--vectors", str(folder)), root, _JUDGE_S)
        if exit_code == 0:
            continue
        if failed := re.search(r"^    ([a-z0-9-]+): ", output, re.MULTILINE):
            return Outcome(mutant, Fate.KILLED, f"verify: {failed[1]}")
        return Outcome(mutant, Fate.BROKEN, f"could not be judged:\n{tail(output, 5)}")
    return Outcome(mutant, Fate.SURVIVED)


def _tools(language: str) -> _Tools:
    if language == "javascript":
        node = str(find_node())
        load = (node, "--input-type=module", "--eval", "await import('./src/handler.js')")
        tests = (node, "--test", "--test-reporter=tap")
        others = (*tests, "test/!(vectors).test.js", "test/*/*.test.js")
        vectors_first = (*tests, "test/vectors.test.js"), others
        return _Tools(load, vectors_first, re.compile(r"^\s*not ok \d+ - ([^:\n]*)", re.MULTILINE))
    return _TOOLS[language]


_PYTEST = (sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider")
_GO_TEST = ("go", "test", "-failfast", "./...")
_MAVEN = ("mvn", "-q", "-o", "-B", "-Dstyle.color=never", "-Dsurefire.skipAfterFailureCount=1")
_TOOLS: Mapping[str, _Tools] = {
    "python": _Tools(
        (sys.executable, "-c", "import sys; sys.path[0] = 'src'; import aggregator.handler"),
        (
            (*_PYTEST, "tests/test_vectors.py"),
            (*_PYTEST, "tests", "--ignore=tests/test_vectors.py"),
        ),
        re.compile(r"^(?:FAILED|ERROR) (.*?)(?: - |$)", re.MULTILINE),
    ),
    "go": _Tools(
        ("go", "build", "./..."),
        ((*_GO_TEST, "-run", "^TestVectors$"), (*_GO_TEST, "-skip", "^TestVectors$")),
        re.compile(r"^\s*--- FAIL: (\S+)", re.MULTILINE),
    ),
    "java": _Tools(
        (*_MAVEN, "test-compile"),
        ((*_MAVEN, "test", "-Dtest=VectorsTest"), (*_MAVEN, "test", "-Dtest=!VectorsTest")),
        re.compile(
            r"^\[ERROR\]\s+(?:VectorsTest\.\S+:\d+ )?(\w+Test\.[^:\n]+|[a-z0-9-]+(?=: ))",
            re.MULTILINE,
        ),
    ),
}
