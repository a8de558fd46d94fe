"""``exercise``: write one step of one language, and see how far it is."""

from __future__ import annotations

import argparse
import textwrap
from typing import TYPE_CHECKING

from harness.commands.exits import DIFFERENT, OK

if TYPE_CHECKING:
    from harness.commands.arguments import Commands
    from harness.exercise.exercises import Stage
    from harness.exercise.folder import Workplace
    from harness.exercise.own_tests import OwnFaults
    from harness.exercise.progress import Progress
    from harness.targets.interface import Target

_FIRST_LINES, _LAST_LINES, _MOST_COLUMNS = 8, 16, 200


def add_parser(commands: Commands) -> None:
    parser = commands.add_parser(
        "exercise",
        help="write one step yourself, with the vectors as the check",
        description="Copy a language into .exercises/ with one step emptied to its signatures, and "
        "run the vectors of that step there. A second call keeps your code and runs them again. "
        "Without a step it lists the exercises.",
    )
    parser.add_argument("step", nargs="?", metavar="STEP", help="the step to write")
    parser.add_argument("language", nargs="?", metavar="LANGUAGE", help="the language to write in")
    action = parser.add_mutually_exclusive_group()
    action.add_argument("--hint", action="store_true", help="add a hint for what fails next")
    action.add_argument(
        "--solve", action="store_true", help="print the difference to the real file, run nothing"
    )
    action.add_argument(
        "--restart", action="store_true", help="keep your file under another name and begin again"
    )
    action.add_argument(
        "--obvious",
        action="store_true",
        help="as --restart, with the version that most people would write first",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace, _: Target) -> int:
    from harness.exercise.exercises import LANGUAGES, load_exercise
    from harness.exercise.folder import open_workplace, restart
    from harness.exercise.own_tests import run_step_tests
    from harness.exercise.progress import measure
    from harness.model import UsageError

    if arguments.step is None:
        _list()
        return OK
    exercise = load_exercise(arguments.step)
    if arguments.language is None:
        raise UsageError(f"name a language, too: {', '.join(LANGUAGES)}")
    if arguments.language not in LANGUAGES:
        raise UsageError(f"{arguments.language} is no language: choose of {', '.join(LANGUAGES)}")
    place = open_workplace(exercise, arguments.language)
    if arguments.solve:
        print(place.difference() or "your file is the real one", end="")
        return OK
    if arguments.restart or arguments.obvious:
        begin = exercise.obvious if arguments.obvious else exercise.empty
        print(f"your file is kept as {restart(place, begin(place.language))}")
    _introduce(place)
    progress = measure(place)
    _report(progress)
    if progress.is_complete:
        if faults := run_step_tests(place):
            _tell(faults)
            _hint(place, exercise.own_tests, arguments.hint)
            return DIFFERENT
        print("\nThe vectors and the step's own tests pass: the step is complete.")
        print(f"Compare it with the real one: {_command(place)} ARGS=--solve")
        return OK
    _hint(place, progress.next[0].hint if progress.next else "", arguments.hint)
    return DIFFERENT


def _list() -> None:
    from harness.exercise.exercises import LANGUAGES, load_exercises, steps_without

    print("Exercises, each in " + ", ".join(LANGUAGES) + ":\n")
    for step, exercise in load_exercises().items():
        print(f"  {step:10} {exercise.title}")
    print("\nSteps without an exercise:\n")
    for step, reason in steps_without().items():
        print(
            textwrap.fill(
                f"{step:10} {reason}", 96, initial_indent="  ", subsequent_indent=" " * 13
            )
        )
    print("\nBegin one: make exercise STEP=splitter LANGUAGE=go")


def _command(place: Workplace) -> str:
    return f"make exercise STEP={place.exercise.step} LANGUAGE={place.language}"


def _introduce(place: Workplace) -> None:
    exercise = place.exercise
    print(f"{exercise.title}\n\n{exercise.task.strip()}\n")
    print(f"Clauses: SPEC.md {', '.join(exercise.clauses)}")
    print(f"Write:   {place.file}\n", flush=True)


def _report(progress: Progress) -> None:
    for stage, vectors in progress.stages:
        print(f"  {progress.passed(vectors):3} of {len(vectors):3}  {stage.title}")
    print(f"  {progress.passed(progress.vectors):3} of {len(progress.vectors):3}  in all")
    if progress.trouble:
        print(f"\n{progress.trouble}")
    if (following := progress.next) and following[1] in progress.answers:
        _explain(*following, progress)


def _explain(stage: Stage, vector: str, progress: Progress) -> None:
    from harness.verify.vectors.cases import VECTORS, load_cases

    (case,) = load_cases(VECTORS, vector)
    print(f"\nNext: {stage.title}")
    print(f"      by the vector tests/vectors/{vector}/")
    print(f"      {case.title} ({', '.join(case.clauses)})\n")
    answer = progress.answers[vector]
    _quote(answer.words)
    if answer.cause:
        print("\nThe cause in the log:\n")
        _quote(answer.cause)


def _tell(faults: OwnFaults) -> None:
    print("\nThe vectors pass. The step's own tests do not:\n")
    for name in faults.names:
        print(f"  {name}")
    if faults.names:
        print("\nThe first one says:\n")
    _quote(faults.words)
    if faults.command:
        print(f"\nIt alone: {faults.command}")


def _quote(words: str) -> None:
    """The first lines tell what has failed, the last ones of a long traceback why."""
    lines = words.splitlines()
    if (left_out := len(lines) - _FIRST_LINES - _LAST_LINES) > 1:
        lines[_FIRST_LINES:-_LAST_LINES] = [f"... {left_out} lines ..."]
    for line in lines:
        print(f"  {line if len(line) <= _MOST_COLUMNS else f'{line[:_MOST_COLUMNS]} ...'}")


def _hint(place: Workplace, words: str, wanted: bool) -> None:
    if not wanted:
        print(f"\nA hint: {_command(place)} ARGS=--hint")
        return
    for each in (words, place.exercise.languages[place.language].hint):
        if each:
            print(f"\n{each.strip()}")
