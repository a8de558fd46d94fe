"""The exercises: the empty step fails its vectors, the real one passes them.

``make solve-all`` tries every step in every language; else each language has one step.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

import pytest
from test_docs import LANGUAGES, ROOT, STEPS

from harness.cli import main
from harness.exercise.blank import blank
from harness.exercise.exercises import load_exercises, local_vectors, steps_without
from harness.exercise.folder import Workplace, open_workplace
from harness.exercise.progress import Answer, junit, measure, run_step_tests
from harness.model import HarnessError, UsageError
from harness.verify.vectors.cases import load_cases

EXERCISES = load_exercises()
EACH = [(step, language) for step in EXERCISES for language in LANGUAGES]
#: A step for each language, so that `make test` stays short.
SOME = [("inflater", "python"), ("trigger", "java"), ("publisher", "javascript"), ("reader", "go")]
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


REPORT = """<testsuite><testcase name="vectors()[1]"/>
<testcase name="vectors()[2]"><skipped/></testcase>
<testcase name="vectors()[3]"><failure message="a &amp;quot;">at</failure></testcase>
<testcase name="vectors()[4]"><error>E</error></testcase><testcase name="other"/></testsuite>"""


def test_a_report_of_junit_is_read() -> None:
    assert junit(REPORT, re.compile(r"vectors\(\)\[(\d+)\]")) == {
        "1": Answer(True),
        "3": Answer(False, 'a "'),
        "4": Answer(False, "E"),
    }


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


# -- the command --


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
        (["splitter", "cobol"], "name a language"),
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
    assert "Next: Gzip is told by its magic number" in first
    assert "Look at the first two bytes." in first

    file = tmp_path / "inflater-python/python/src/aggregator/inflater.py"
    not_yet = 'raise NotImplementedError("not yet")'
    file.write_text(file.read_text().replace(not_yet, EASY))
    assert main(asked) == 1
    second = capsys.readouterr().out
    passed = re.search(r"^ +(\d+) of +(\d+)  in all$", second, re.MULTILINE)
    assert passed and 0 < int(passed[1]) < int(passed[2])
    assert re.search(r"^Next: .* \(R\d.*\)$", second, re.MULTILINE)

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
