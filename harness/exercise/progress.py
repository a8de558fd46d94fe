"""How far a learner is: the vectors of a language's own tests, one by one."""

from __future__ import annotations

import html
import json
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

from harness.exercise.exercises import Stage
from harness.exercise.folder import Workplace
from harness.toolchain.programs import tail
from harness.toolchain.tools import find_node, maven
from harness.verify.checkout import run_tests
from harness.verify.vectors.cases import VECTORS

_LIMIT_S = 240  # an endless loop of the learner ends, too


class Answer(NamedTuple):
    """The verdict of a language's test on one vector, and its words."""

    passed: bool
    words: str = ""

    @property
    def cause(self) -> str | None:
        """The wording of the fault in the log, for INTERNAL hides it from the caller."""
        if found := re.search(r'"cause":("(?:[^"\\]|\\.)*")', self.words):
            return str(json.loads(found[1]))
        found = re.search(r"\bcause=(?!null)(.*?), result=", self.words)  # a map of Java
        return found and found[1]


@dataclass(frozen=True, slots=True)
class Progress:
    """``answers`` has the vectors that ran; ``trouble`` is why others did not."""

    stages: Sequence[tuple[Stage, Sequence[str]]]
    answers: Mapping[str, Answer]
    trouble: str | None

    def passed(self, vectors: Sequence[str]) -> int:
        return sum(each in self.answers and self.answers[each].passed for each in vectors)

    @property
    def vectors(self) -> list[str]:
        return [each for _, vectors in self.stages for each in vectors]

    @property
    def is_complete(self) -> bool:
        return self.passed(self.vectors) == len(self.vectors)

    @property
    def next(self) -> tuple[Stage, str] | None:
        """The first stage that is not complete, and its first vector that does not pass."""
        for stage, vectors in self.stages:
            for each in vectors:
                if each not in self.answers or not self.answers[each].passed:
                    return stage, each
        return None


def measure(place: Workplace) -> Progress:
    """Run the exercise's vectors in the learner's folder."""
    stages = place.exercise.vectors()
    vectors = [each for _, chosen in stages for each in chosen]
    exit_code, answers, output = _RUNS[place.language](place.code, vectors)
    trouble = None
    if exit_code is None:
        trouble = f"the tests did not end within {_LIMIT_S} s: a loop or a wait has no end"
    elif not answers:
        trouble = f"the tests did not run:\n{tail(output, 25)}"
    elif missing := len(set(vectors) - answers.keys()):
        trouble = f"{missing} vectors did not run:\n{tail(output, 25)}"
    return Progress(stages, answers, trouble)


def run_step_tests(place: Workplace) -> str | None:
    """Run the step's own tests, which see more than its output. Returns why they fail, if so."""
    step, language, code = place.exercise.step, place.language, place.code
    command: Sequence[str]
    if language == "python":
        command = (sys.executable, "-m", "pytest", *_PYTEST, f"tests/test_{step}.py")
    elif language == "java":
        command = (str(maven()), *_MAVEN, f"-Dtest={step.capitalize()}Test")
    elif language == "javascript":
        command = (str(find_node()), "--test", "--test-reporter=spec", f"test/{step}.test.js")
    else:
        tests = (code / f"internal/aggregator/{step}_test.go").read_text()
        names = re.findall(r"^func (Test\w+)", tests, re.MULTILINE)
        command = (*_GO_TEST, "-run", f"^({'|'.join(names)})$", "./internal/aggregator")
    exit_code, output = run_tests(command, code, _LIMIT_S)
    if exit_code is None:
        return f"they did not end within {_LIMIT_S} s"
    return tail(output, 25) if exit_code else None


_PYTEST = ("-q", "-p", "no:cacheprovider", "--tb=short")
_MAVEN = ("-q", "-B", "-Dstyle.color=never", "test")
_GO_TEST = ("go", "test", "-count=1")


type _Run = Callable[[Path, Sequence[str]], tuple[int | None, Mapping[str, Answer], str]]


def _run_python(code: Path, vectors: Sequence[str]) -> tuple[int | None, dict[str, Answer], str]:
    report = code.parent / "vectors.xml"
    report.unlink(missing_ok=True)
    chosen = [f"tests/test_vectors.py::test_vector[{each}]" for each in vectors]
    command = (sys.executable, "-m", "pytest", *_PYTEST, f"--junitxml={report}", *chosen)
    exit_code, output = run_tests(command, code, _LIMIT_S)
    output = re.sub(
        r"^(ERROR: found no collectors|\(no match).*\n?", "", output, flags=re.MULTILINE
    )
    if not report.exists():
        return exit_code, {}, output
    name = re.compile(r"test_vector\[(.*)\]")
    return exit_code, junit(report.read_text(), name), output


def _run_javascript(
    code: Path, vectors: Sequence[str]
) -> tuple[int | None, dict[str, Answer], str]:
    options = ("--test", "--test-reporter=junit")
    chosen = f"--test-name-pattern=^({'|'.join(vectors)}): "
    command = (str(find_node()), *options, chosen, "test/vectors.test.js")
    exit_code, output = run_tests(command, code, _LIMIT_S)
    report = re.search(r"<testsuites>.*</testsuites>", output, re.DOTALL)
    return exit_code, junit(report[0], re.compile(r"([\w-]+): ")) if report else {}, output


def _run_java(code: Path, vectors: Sequence[str]) -> tuple[int | None, dict[str, Answer], str]:
    report = code / "target/surefire-reports/TEST-rosetta.VectorsTest.xml"
    report.unlink(missing_ok=True)
    exit_code, output = run_tests((str(maven()), *_MAVEN, "-Dtest=VectorsTest"), code, _LIMIT_S)
    if not report.exists():
        return exit_code, {}, output
    # Surefire numbers the tests of a factory in their order, which is that of the folders
    folders = sorted(each.name for each in VECTORS.iterdir() if each.is_dir())
    numbered = junit(report.read_text(), re.compile(r"vectors\(\)\[(\d+)\]"))
    answers = {folders[int(number) - 1]: answer for number, answer in numbered.items()}
    return exit_code, {each: answers[each] for each in vectors if each in answers}, output


def junit(report: str, name: re.Pattern[str]) -> dict[str, Answer]:
    """The answers in a report of JUnit's form, by the group of ``name`` in a test's name."""
    answers = {}
    for test in ElementTree.fromstring(report).iter("testcase"):
        found = name.match(test.get("name", ""))
        if found and test.find("skipped") is None:
            fault = test.find("failure")
            fault = test.find("error") if fault is None else fault
            words = "" if fault is None else _words(fault)
            answers[found[1]] = Answer(fault is None, words.strip())
    return answers


def _words(fault: ElementTree.Element) -> str:
    """The message. A failure of Python has its place and its cause in the text instead."""
    text = fault.text or ""
    return text if "\nE  " in text else html.unescape(fault.get("message", text))


def _run_go(code: Path, vectors: Sequence[str]) -> tuple[int | None, dict[str, Answer], str]:
    chosen = f"^TestVectors$/^({'|'.join(vectors)})$"
    command = (*_GO_TEST, "-json", "-run", chosen, "./internal/aggregator")
    exit_code, output = run_tests(command, code, _LIMIT_S)
    words: dict[str, str] = {}
    answers, plain = {}, ""
    for line in output.splitlines():
        try:
            event = json.loads(line)
        except ValueError:
            plain += f"{line}\n"
            continue
        vector = event.get("Test", "").removeprefix("TestVectors/")
        if event["Action"] in ("output", "build-output"):
            plain += event["Output"]
            words[vector] = words.get(vector, "") + event["Output"]
        elif vector in vectors and event["Action"] in ("pass", "fail"):
            answers[vector] = Answer(event["Action"] == "pass", words.get(vector, ""))
    return exit_code, answers, plain


_RUNS: Mapping[str, _Run] = {
    "python": _run_python,
    "java": _run_java,
    "javascript": _run_javascript,
    "go": _run_go,
}
