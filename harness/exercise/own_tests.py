"""The step's own tests of a language, which see more than a run's output."""

from __future__ import annotations

import os
import re
import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from harness.exercise.folder import Workplace
from harness.exercise.progress import GO_TEST, LIMIT_S, MAVEN, PYTEST
from harness.exercise.reports import Answer, go_test, read_junit, spec, start_fault
from harness.toolchain.tools import find_node, maven
from harness.verify.checkout import run_tests


class OwnFaults(NamedTuple):
    """The tests that fail, what the first one says, and the command that runs it alone."""

    names: Sequence[str]
    words: str
    command: str | None = None


def run_step_tests(place: Workplace) -> OwnFaults | None:
    """Run the tests of the step's name. Returns their faults, if there are any."""
    tests = _TESTS[place.language](place)
    exit_code, output = run_tests((*tests.command, *tests.all), place.code, LIMIT_S)
    if exit_code == 0:
        return None
    if exit_code is None:
        return OwnFaults((), f"they did not end within {LIMIT_S} s")
    answers, output = tests.read(output)
    names = [name for name, answer in answers.items() if not answer.passed]
    # in Go a test fails with its parts, which say more
    names = [name for name in names if not any(each.startswith(f"{name}/") for each in names)]
    if not names:
        return OwnFaults((), start_fault(output, place.code))
    command = (*tests.command, *tests.one(names[0]))
    return OwnFaults(names, answers[names[0]].words, _line(place.code, command))


def _line(code: Path, command: Sequence[str]) -> str:
    """The command for a shell. The paths of its folder and its program are short ones."""
    program = Path(command[0])
    first = os.path.relpath(program, code) if program.is_absolute() else command[0]
    folder = code.relative_to(Path.cwd()) if code.is_relative_to(Path.cwd()) else code
    return f"cd {shlex.quote(str(folder))} && {shlex.join([first, *command[1:]])}"


class _Tests(NamedTuple):
    command: Sequence[str]
    all: Sequence[str]  # words behind the command, for all tests of the step
    one: Callable[[str], Sequence[str]]  # the same for one name
    read: Callable[[str], tuple[Mapping[str, Answer], str]]  # output -> answers, plain output


def _python(place: Workplace) -> _Tests:
    file, report = f"tests/test_{place.exercise.step}.py", place.root / "own-tests.xml"
    report.unlink(missing_ok=True)
    return _Tests(
        (sys.executable, "-m", "pytest", *PYTEST),
        (f"--junitxml={report}", file),
        lambda name: [f"{file}::{name}"],
        lambda output: (read_junit(report), output),
    )


def _java(place: Workplace) -> _Tests:
    test = f"{place.exercise.step.capitalize()}Test"
    report = place.code / f"target/surefire-reports/TEST-rosetta.{test}.xml"
    report.unlink(missing_ok=True)
    return _Tests(
        (str(maven()), *MAVEN),
        [f"-Dtest={test}"],
        lambda name: [f"-Dtest={test}#{re.split(r'[({[]', name)[0]}"],
        lambda output: (read_junit(report), output),
    )


def _javascript(place: Workplace) -> _Tests:
    file = f"test/{place.exercise.step}.test.js"

    def read(output: str) -> tuple[Mapping[str, Answer], str]:
        answers = spec(output)
        answers.pop(file, None)  # the file itself, which does not load
        return answers, output

    return _Tests(
        (str(find_node()), "--test", "--test-reporter=spec"),
        [file],
        lambda name: [f"--test-name-pattern=^{_escaped(name)}$", file],
        read,
    )


def _go(place: Workplace) -> _Tests:
    package = "./internal/aggregator"
    tests = (place.code / package / f"{place.exercise.step}_test.go").read_text()
    names = "|".join(re.findall(r"^func (Test\w+)", tests, re.MULTILINE))
    return _Tests(
        GO_TEST,
        ("-json", "-run", f"^({names})$", package),
        lambda name: ("-run", "/".join(f"^{_escaped(part)}$" for part in name.split("/")), package),
        go_test,
    )


def _escaped(name: str) -> str:
    """``re.escape`` escapes more than JavaScript's and Go's expressions need."""
    return re.sub(r"([][.*+?^${}()|/\\])", r"\\\1", name)


_TESTS: Mapping[str, Callable[[Workplace], _Tests]] = {
    "python": _python,
    "java": _java,
    "javascript": _javascript,
    "go": _go,
}
