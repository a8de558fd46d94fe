"""The exercises: the empty step fails its vectors, the real one passes them.

``make solve-all`` tries every step in every language; else each language has one step.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable, Iterator
from fnmatch import fnmatch
from pathlib import Path
from typing import NamedTuple

import pytest
from test_docs import LANGUAGES, ROOT, STEPS, files_of

from harness.cli import main
from harness.exercise.blank import blank
from harness.exercise.exercises import load_exercises, local_vectors, steps_without
from harness.exercise.folder import Workplace, open_workplace, restart
from harness.exercise.own_tests import OwnFaults, run_step_tests
from harness.exercise.progress import Progress, measure
from harness.exercise.reports import Answer, junit, start_fault
from harness.model import HarnessError, UsageError
from harness.verify.vectors.cases import load_cases

EXERCISES = load_exercises()
EACH = [(step, language) for step in EXERCISES for language in LANGUAGES]
#: A step for each language, so that `make test` stays short.
SOME = [("inflater", "python"), ("trigger", "java"), ("publisher", "javascript"), ("reader", "go")]
#: S3 is a service in the first place.
CLAUSES_OF_SPEC = set(
    re.findall(r"^(?:- \*\*|\| )([A-Z]\d+)\b", (ROOT / "SPEC.md").read_text(), re.MULTILINE)
) - {"S3"}
CLAUSES = {case.id: set(case.clauses) for case in load_cases()}


# -- the data --


def test_every_step_has_an_exercise_or_a_reason() -> None:
    assert {*EXERCISES, *steps_without()} == {*STEPS}
    assert not EXERCISES.keys() & steps_without().keys()


@pytest.mark.parametrize(("step", "language"), EACH)
def test_an_empty_step_keeps_its_signatures_only(step: str, language: str) -> None:
    exercise = EXERCISES[step]
    empty = exercise.empty(language)
    real = Workplace(exercise, language, Path()).solution()
    assert "not yet" in empty
    assert len(empty.splitlines()) < len(real.splitlines()) * 0.8
    assert not re.search(r"\n\n\n\n|\n\n\s*\}", empty)


@pytest.mark.parametrize("step", EXERCISES)
def test_stages_name_vectors_of_the_clauses(step: str) -> None:
    exercise = EXERCISES[step]
    for stage, vectors in exercise.vectors():
        assert vectors, stage.title
        for glob in stage.vectors:
            assert any(fnmatch(each, glob) for each in local_vectors()), glob
        assert stage.hint.strip()
    all_of_them = {each for _, vectors in exercise.vectors() for each in vectors}
    shared = [each for each in all_of_them if CLAUSES[each] & {*exercise.clauses}]
    assert len(shared) * 2 > len(all_of_them)
    assert set(exercise.languages) == set(LANGUAGES)


@pytest.mark.parametrize("step", EXERCISES)
def test_an_exercise_names_the_clauses_of_its_own_tests(step: str) -> None:
    names = {
        f"test_{step}.py",
        f"{step}.test.js",
        f"{step}_test.go",
        f"{step.capitalize()}Test.java",
    }
    tests = [file for language in LANGUAGES for file in files_of(language) if file.name in names]
    assert len(tests) == 4
    named = {each for file in tests for each in re.findall(r"\b[A-Z]\d\d?\b", file.read_text())}
    assert named & CLAUSES_OF_SPEC <= {*EXERCISES[step].clauses}
    assert EXERCISES[step].own_tests.strip()


# -- the empty and the real step --


def all_of_them() -> bool:
    return os.environ.get("EXERCISES") == "all"


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize(("step", "language"), EACH if all_of_them() else SOME)
def test_the_empty_step_fails_and_the_real_one_passes(
    step: str, language: str, tmp_path: Path
) -> None:
    place = open_workplace(EXERCISES[step], language, tmp_path)
    empty = measure(place)
    assert empty.trouble is None
    assert [each for each in empty.vectors if empty.answers[each].passed] == []
    if language == "java" and not all_of_them():  # a run of Maven takes long
        return
    place.file.write_text(place.solution())
    solved = measure(place)
    assert solved.trouble is None
    assert solved.is_complete, solved.next
    assert run_step_tests(place) is None


def told_of_the_obvious() -> Iterator[tuple[str, str, int]]:
    """(step, language, vectors that pass) by the tables of the lessons."""
    for step, lesson in (("splitter", "01-raw-text"), ("inflater", "05-gzip")):
        text = (ROOT / f"docs/lessons/{lesson}.md").read_text()
        for language, passed in re.findall(
            r"^\| (Python|Java|JavaScript|Go) \| [^|]+ \| (\d+) \|", text, re.MULTILINE
        ):
            yield step, language.lower(), int(passed)


OBVIOUS = list(told_of_the_obvious())


def test_both_lessons_tell_of_each_language() -> None:
    assert {(step, language) for step, language, _ in OBVIOUS} == {
        (step, language) for step in ("splitter", "inflater") for language in LANGUAGES
    }


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("step", "language", "passed"),
    [each for each in OBVIOUS if all_of_them() or each[1] == "javascript"],
)
def test_the_obvious_version_passes_so_many_vectors(
    step: str, language: str, passed: int, tmp_path: Path
) -> None:
    place = open_workplace(EXERCISES[step], language, tmp_path)
    place.file.write_text(EXERCISES[step].obvious(language))
    progress = measure(place)
    assert progress.trouble is None
    assert progress.passed(progress.vectors) == passed


@pytest.mark.parametrize(("step", "language"), EACH)
def test_an_obvious_version_is_more_than_the_empty_one(step: str, language: str) -> None:
    exercise = EXERCISES[step]
    if exercise.languages[language].obvious:
        assert len(exercise.obvious(language)) > len(exercise.empty(language))
    else:
        with pytest.raises(UsageError, match="has no obvious version"):
            exercise.obvious(language)


@pytest.mark.slow
def test_code_that_does_not_compile_is_told(tmp_path: Path) -> None:
    place = open_workplace(EXERCISES["config"], "python", tmp_path)
    place.file.write_text("def read_config(:\n")
    progress = measure(place)
    assert progress.trouble is not None
    assert "SyntaxError" in progress.trouble
    assert not progress.is_complete


# -- what is told of faults --


@pytest.mark.slow
def test_javascript_that_does_not_load_is_told_with_its_line(tmp_path: Path) -> None:
    place = open_workplace(EXERCISES["inflater"], "javascript", tmp_path)
    for fault, told in (
        ("const x = (;", r"src/inflater.js:3: SyntaxError: Unexpected token ';'\n\nconst x = \(;$"),
        ("import { y } from './errors.js';", r"src/inflater.js:3: SyntaxError: .* named 'y'"),
        ("import './errorz.js';", r"Error .* module 'src/errorz.js' imported from src/inflater.js"),
    ):
        place.file.write_text(f"// one\n\n{fault}\n{place.solution()}")
        progress = measure(place)
        assert progress.trouble is not None
        assert re.search(told, progress.trouble), progress.trouble
        assert "<testcase" not in progress.trouble


#: (language, changes of the real writer, the tests that see them, words of the first one)
LOSSES: list[tuple[str, dict[str, str], set[str], str]] = [
    (
        "python",
        {
            "self._attempts.reserve_time(len(self._chunks))": "pass",
            "self._attempts.check_time()": "pass",
        },
        {"test_a_chunk_is_told_and_counted", "test_a_run_that_is_out_of_time_writes_no_more"},
        "\nE  ",
    ),
    (
        "javascript",
        {"    deadline.countChunk();": "", "      deadline.check();": ""},
        {
            "each chunk is told, and counted for the time that publishing needs",
            "a run that is out of time takes no more lines, and puts no more",
        },
        "test at test/writer.test.js:",
    ),
    (
        "go",
        {"w.afterPut(len(w.chunks))": "", "return context.Cause(ctx)\n\t\t}": "_ = 0\n\t\t}"},
        {"TestAChunkIsToldAndCounted", "TestNoLineIsTakenWhenTheTimeIsUp"},
        "writer_test.go:",
    ),
    (
        "java",
        {
            'journal.log(Journal.Level.DEBUG, "chunk", new PutLine(key, records, bytes));': "",
            "onPut.accept(chunks.size());": "",
        },
        {"tellsAndCountsEachChunk", "tellsEachPut"},
        "at rosetta.WriterTest.",
    ),
]


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("language", "changes", "names", "words"), LOSSES if all_of_them() else LOSSES[:3]
)  # a run of Maven takes long
def test_own_tests_that_fail_are_all_named_and_the_first_is_told(
    language: str, changes: dict[str, str], names: set[str], words: str, tmp_path: Path
) -> None:
    place = open_workplace(EXERCISES["writer"], language, tmp_path)
    text = place.solution()
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new, 1)
    place.file.write_text(text)
    faults = run_step_tests(place)
    assert faults is not None
    assert set(faults.names) == names
    assert words in faults.words
    assert faults.command is not None
    alone = subprocess.run(faults.command, shell=True, capture_output=True, text=True, cwd=ROOT)
    said = alone.stdout + alone.stderr
    assert alone.returncode == 1
    assert faults.names[0] in said
    assert faults.names[1] not in said


REPORT = """<testsuite><testcase name="vectors()[1]"/>
<testcase name="vectors()[2]"><skipped/></testcase>
<testcase name="vectors()[3]"><failure message="a &amp;quot;">at</failure></testcase>
<testcase name="vectors()[4]"><error>E</error></testcase><testcase name="other"/>
<testcase name="vectors()[5]"><failure message="the fault"/></testcase>
<testcase name="vectors()[5]"><error message="of the clean-up"/></testcase>
<testcase name="vectors()[6]"/>
<testcase name="vectors()[6]"><error message="of the clean-up"/></testcase></testsuite>"""


def test_a_report_of_junit_is_read() -> None:
    assert junit(REPORT, re.compile(r"vectors\(\)\[(\d+)\]")) == {
        "1": Answer(True),
        "3": Answer(False, 'a "'),
        "4": Answer(False, "E"),
        "5": Answer(False, "the fault"),
        "6": Answer(False, "of the clean-up"),
    }


TRACE = """\
tests/test_reader.py:81: in work
    async for source, _ in bodies:
src/aggregator/reader.py:52: in read_bodies
    yield await self._take()
/usr/lib/python3.13/asyncio/tasks.py:9: in wait
    return 1
E   AttributeError: it

The above exception was the direct cause of the following exception:
../../x/site-packages/a.py:1: in b
    c
src/aggregator/handler.py:80: in run
    raise internal from error
E   aggregator.errors.AggregationError: INTERNAL"""


def test_a_trace_of_python_keeps_own_frames_and_errors() -> None:
    report = f"<t><testcase name='a'><failure>{TRACE}</failure></testcase></t>"
    words = junit(report)["a"].words
    assert words.splitlines() == [
        line for number, line in enumerate(TRACE.splitlines()) if number not in (4, 5, 7, 9, 10)
    ]


def test_a_fault_of_java_is_told_with_its_place() -> None:
    text = "E: 1\n\tat org.junit/a.B.c(B.java:1)\n\tat app//rosetta.XTest.d(XTest.java:2)\n"
    report = f"<t><testcase name='a'><failure message='1'>{text}</failure></testcase></t>"
    assert junit(report)["a"].words == "1\n  at rosetta.XTest.d(XTest.java:2)"


def test_the_two_values_of_java_stand_before_a_log() -> None:
    message = "a: the log: [...] ==> expected: &lt;{n=1}&gt; but was: &lt;null&gt;"
    report = f"<t><testcase name='a'><failure message='{message}'>at</failure></testcase></t>"
    assert junit(report)["a"].words.splitlines() == [
        "expected: <{n=1}>",
        "but was:  <null>",
        "a: the log: [...]",
    ]


def test_what_does_not_compile_is_told_by_the_end_of_the_output() -> None:
    output = "\n".join(f"line {number}" for number in range(40))
    assert start_fault(output, ROOT) == "\n".join(f"line {number}" for number in range(15, 40))


@pytest.mark.parametrize(
    ("words", "cause"),
    [
        ('the log:\n{"error":"x","cause":"panic: \\"no\\"\\nat","result":null}', 'panic: "no"\nat'),
        ('{"cause":null,"result":null}', None),
        ("[{event=end, cause=java.lang.Error: no, result=null}]", "java.lang.Error: no"),
        ("[{event=end, cause=null, result=null}]", None),
    ],
)
def test_the_cause_is_found_in_the_log(words: str, cause: str | None) -> None:
    assert Answer(False, words).cause == cause


# -- the folder --


def test_a_file_is_kept_as_often_as_the_learner_begins_again(tmp_path: Path) -> None:
    place = Workplace(EXERCISES["config"], "go", tmp_path)
    place.file.parent.mkdir(parents=True)
    kept = []
    for text in ("mine", "obvious", "empty", "mine again"):
        place.file.write_text(text)
        kept.append(restart(place, "new"))
        assert place.file.read_text() == "new"
    assert [file.read_text() for file in kept] == ["mine", "obvious", "empty", "mine again"]
    assert [file.name for file in kept[:3]] == [
        "config.go.before",
        "config.go.before.2",
        "config.go.before.3",
    ]


# -- the command --


class Fake(NamedTuple):
    """What the command gets from the folder ``exercise``."""

    progress: Progress
    faults: OwnFaults | None


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Fake], None]:
    """The command without the learner's folder and without tests."""

    def use(given: Fake) -> None:
        place = Workplace(EXERCISES["writer"], "javascript", tmp_path)
        for name, value in (
            ("folder.open_workplace", place),
            ("progress.measure", given.progress),
            ("own_tests.run_step_tests", given.faults),
        ):
            monkeypatch.setattr(f"harness.exercise.{name}", lambda *_, value=value: value)

    return use


def progress_of(passed: bool) -> Progress:
    stages = EXERCISES["writer"].vectors()
    first = {stages[0][1][0]: Answer(passed, "\n".join(f"line {n}" for n in range(40)))}
    others = {each: Answer(True) for _, vectors in stages for each in vectors}
    return Progress(stages, others | first, None)


def test_the_next_vector_stands_with_its_stage_and_both_ends_of_its_words(
    fake: Callable[[Fake], None], capsys: pytest.CaptureFixture[str]
) -> None:
    fake(Fake(progress_of(False), None))
    assert main(["exercise", "writer", "javascript"]) == 1
    out = capsys.readouterr().out
    assert "\nNext: one chunk\n      by the vector tests/vectors/trigger-direct/\n" in out
    assert "line 0\n" in out
    assert "line 39\n" in out
    assert "line 20\n" not in out
    hint = out.partition("\nA hint: ")[2].strip()
    assert hint == "make exercise STEP=writer LANGUAGE=javascript ARGS=--hint"


def test_own_tests_that_fail_have_a_hint(
    fake: Callable[[Fake], None], capsys: pytest.CaptureFixture[str]
) -> None:
    fake(Fake(progress_of(True), OwnFaults(["one", "two"], "line", "cd x && y")))
    asked = ["exercise", "writer", "javascript"]
    assert main(asked) == 1
    out = capsys.readouterr().out
    assert "  one\n  two\n\nThe first one says:\n\n  line\n\nIt alone: cd x && y\n" in out
    assert "A hint: make exercise STEP=writer LANGUAGE=javascript ARGS=--hint" in out
    assert main([*asked, "--hint"]) == 1
    out = capsys.readouterr().out
    assert EXERCISES["writer"].own_tests.strip() in out
    assert "deadline.countChunk()" in out


@pytest.mark.parametrize(("code", "made"), [(0, 0), (1, 0), (2, 2), (3, 2)])
def test_make_fails_only_if_the_command_can_not_do_it(code: int, made: int, tmp_path: Path) -> None:
    """A step that is not complete yet is no failure, and must not look like a failed set-up."""
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\necho "$@"\nexit {code}\n')
    python.chmod(0o755)
    command = [
        "make",
        "--no-print-directory",
        "-o",
        ".venv/made",
        "exercise",
        f"BIN={tmp_path}",
        "STEP=config",
    ]
    command += ["LANGUAGE=go", "ARGS=--hint"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == made
    assert done.stdout == "-m harness exercise config go --hint\n"
    assert ("Error" in done.stderr) == bool(made)


def test_npm_runs_no_script_and_so_warns_of_none() -> None:
    recipe = (ROOT / "Makefile").read_text().partition("javascript/package-lock.json |")[2]
    assert "ci --ignore-scripts" in recipe.partition("\n\n")[0]


def test_alone_it_lists_exercises_and_reasons(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["exercise"]) == 0
    out = capsys.readouterr().out
    for step in STEPS:
        assert re.search(rf"^  {step} +\w", out, re.MULTILINE), step


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["handler", "go"], "handler has no exercise"),
        (["spliter", "go"], "no step is called spliter"),
        (["splitter"], "name a language"),
        (["splitter", "cobol"], "cobol is no language: choose of python"),
    ],
)
def test_wrong_names_are_told(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["exercise", *arguments]) == 2
    assert words in capsys.readouterr().err


EASY = """\
import gzip
    return gzip.decompress(body) if body[:2] == b"\\x1f\\x8b" else body"""


@pytest.mark.slow
def test_a_learner_s_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("harness.exercise.folder.FOLDERS", tmp_path)
    asked = ["exercise", "inflater", "python"]
    assert main([*asked, "--hint"]) == 1
    first = capsys.readouterr().out
    assert re.search(r"^ +0 of +(\d+)  in all$", first, re.MULTILINE)
    assert "Next: plain and gzip\n" in first
    assert "      Gzip is told by its magic number" in first
    assert "Look at the first two bytes." in first

    file = tmp_path / "inflater-python/python/src/aggregator/inflater.py"
    not_yet = 'raise NotImplementedError("not yet")'
    file.write_text(file.read_text().replace(not_yet, EASY))
    assert main(asked) == 1
    second = capsys.readouterr().out
    passed = re.search(r"^ +(\d+) of +(\d+)  in all$", second, re.MULTILINE)
    assert passed and 0 < int(passed[1]) < int(passed[2])
    assert re.search(r"^Next: .*\n.*\n      .* \(R\d.*\)$", second, re.MULTILINE)

    assert main([*asked, "--solve"]) == 0
    assert "+def _inflated(" in capsys.readouterr().out
    assert main([*asked, "--restart"]) == 1
    assert not_yet in file.read_text()
    assert EASY in file.with_suffix(".py.before").read_text()


# -- the blanks --


def test_a_block_that_is_not_there_is_refused() -> None:
    with pytest.raises(HarnessError, match="stands in 0 lines"):
        blank("def f():\n    pass\n", "python", ["def g("], [], {})
    with pytest.raises(HarnessError, match="stands in 2 lines"):
        blank("x = 1\nx = 2\n", "python", [], ["x ="], {})


PYTHON = '''\
import re

#: Gone with its comment.
_GONE = 1


def keep(
    a: int,
) -> int:
    """Its words stay."""
    if a:

        return 1
    return 2


@decorated
def gone() -> None:
    pass
'''


def test_python_keeps_signature_and_docstring() -> None:
    empty = blank(PYTHON, "python", ["def keep("], ["_GONE =", "def gone("], {})
    assert empty == (
        "import re\n\n\ndef keep(\n    a: int,\n) -> int:\n"
        '    """Its words stay."""\n    raise NotImplementedError("not yet")\n'
    )


GO = """\
package p

import (
	"context"
	"strings"

	"example.com/x/errgroup"
)

// Words.
func gone() bool { return strings.Contains("a", "b") }

func kept(
	ctx context.Context,
) error {
	var group errgroup.Group
	return group.Wait()
}
"""


def test_go_loses_the_imports_that_nothing_needs() -> None:
    empty = blank(GO, "go", ["func kept("], ["func gone("], {"func kept(": "return nil"})
    assert empty == (
        'package p\n\nimport (\n\t"context"\n)\n\n'
        "func kept(\n\tctx context.Context,\n) error {\n\treturn nil\n}\n"
    )


JAVASCRIPT = """\
const one = (x) =>
  x + 1;

/** Words. */
export const two = (a) => {
  if (a) {
    return 1;
  }
};
"""


def test_javascript_knows_arrows_with_and_without_a_block() -> None:
    empty = blank(JAVASCRIPT, "javascript", ["export const two ="], ["const one ="], {})
    assert empty == (
        "/** Words. */\nexport const two = (a) => {\n  throw new Error('not yet');\n};\n"
    )
