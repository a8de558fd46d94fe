"""How far a learner is: the vectors of a language's own tests, one by one."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.exercise.exercises import Stage
from harness.exercise.folder import Workplace
from harness.exercise.reports import Answer, go_test, read_junit, start_fault
from harness.toolchain.programs import tail
from harness.toolchain.tools import find_node, maven
from harness.verify.checkout import run_tests
from harness.verify.vectors.cases import VECTORS

LIMIT_S = 240  # an endless loop of the learner ends, too


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
        trouble = f"the tests did not end within {LIMIT_S} s: a loop or a wait has no end"
    elif not answers:
        trouble = f"the tests did not run:\n{start_fault(output, place.code)}"
    elif missing := len(set(vectors) - answers.keys()):
        trouble = f"{missing} vectors did not run:\n{tail(output, 25)}"
    return Progress(stages, answers, trouble)


PYTEST = ("-q", "-p", "no:cacheprovider", "--tb=short")
MAVEN = ("-q", "-B", "-Dstyle.color=never", "test")
GO_TEST = ("go", "test", "-count=1")


type _Run = Callable[[Path, Sequence[str]], tuple[int | None, Mapping[str, Answer], str]]


def _run_python(code: Path, vectors: Sequence[str]) -> tuple[int | None, dict[str, Answer], str]:
    report = code.parent / "vectors.xml"
    report.unlink(missing_ok=True)
    chosen = [f"tests/test_vectors.py::test_vector[{each}]" for each in vectors]
    command = (sys.executable, "-m", "pytest", *PYTEST, f"--junitxml={report}", *chosen)
    exit_code, output = run_tests(command, code, LIMIT_S)
    output = re.sub(
        r"^(ERROR: found no collectors|\(no match).*\n?", "", output, flags=re.MULTILINE
    )
    return exit_code, read_junit(report, re.compile(r"test_vector\[(.*)\]")), output


def _run_javascript(
    code: Path, vectors: Sequence[str]
) -> tuple[int | None, dict[str, Answer], str]:
    report = code.parent / "vectors.xml"
    report.unlink(missing_ok=True)
    chosen = f"--test-name-pattern=^({'|'.join(vectors)}): "
    # the other reporter has the words of a file that does not load
    options = [
        f"--test-reporter{option}"
        for reporter, file in (("junit", report), ("spec", "stdout"))
        for option in (f"={reporter}", f"-destination={file}")
    ]
    command = (str(find_node()), "--test", *options, chosen, "test/vectors.test.js")
    exit_code, output = run_tests(command, code, LIMIT_S)
    return exit_code, read_junit(report, re.compile(r"([\w-]+): ")), output


def _run_java(code: Path, vectors: Sequence[str]) -> tuple[int | None, dict[str, Answer], str]:
    report = code / "target/surefire-reports/TEST-rosetta.VectorsTest.xml"
    report.unlink(missing_ok=True)
    exit_code, output = run_tests((str(maven()), *MAVEN, "-Dtest=VectorsTest"), code, LIMIT_S)
    # Surefire numbers the tests of a factory in their order, which is that of the folders
    folders = sorted(each.name for each in VECTORS.iterdir() if each.is_dir())
    numbered = read_junit(report, re.compile(r"vectors\(\)\[(\d+)\]"))
    answers = {folders[int(number) - 1]: answer for number, answer in numbered.items()}
    return exit_code, {each: answers[each] for each in vectors if each in answers}, output


def _run_go(code: Path, vectors: Sequence[str]) -> tuple[int | None, dict[str, Answer], str]:
    chosen = f"^TestVectors$/^({'|'.join(vectors)})$"
    command = (*GO_TEST, "-json", "-run", chosen, "./internal/aggregator")
    exit_code, output = run_tests(command, code, LIMIT_S)
    tests, plain = go_test(output)
    answers = {name.removeprefix("TestVectors/"): answer for name, answer in tests.items()}
    return exit_code, {each: answers[each] for each in vectors if each in answers}, plain


_RUNS: Mapping[str, _Run] = {
    "python": _run_python,
    "java": _run_java,
    "javascript": _run_javascript,
    "go": _run_go,
}
