"""The exercises as data: a file of ``docs/exercises/`` for each step that has one."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from fnmatch import fnmatch
from functools import cache
from pathlib import Path

import msgspec

from harness.exercise.blank import blank
from harness.model import HarnessError, UsageError
from harness.teaching.excerpts import TOPS, step_file
from harness.toolchain.paths import ROOT
from harness.verify.vectors.cases import VECTORS

EXERCISES = ROOT / "docs/exercises"
WITHOUT = "steps-without.toml"

LANGUAGES = tuple(TOPS)


class Stage(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Vectors that belong together, as globs of their ids, and a hint for them."""

    title: str
    vectors: tuple[str, ...]
    hint: str


class Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One language's file: the blocks to write, those left out, and special bodies (``blank``)."""

    write: tuple[str, ...]
    drop: tuple[str, ...] = ()
    bodies: Mapping[str, str] = {}
    hint: str = ""
    obvious: str = (
        ""  # a body for the first of ``write``, as one would write it without the vectors
    )
    imports: tuple[str, ...] = ()  # of Go, for ``obvious``


class Exercise(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A step to write, in every language."""

    step: str
    title: str
    task: str
    clauses: tuple[str, ...]
    stages: tuple[Stage, ...]
    own_tests: str  # a hint for the step's own tests
    languages: Mapping[str, Part]

    def file(self, language: str) -> Path:
        """The step's file, below the folder of the repository or of a copy."""
        return Path(step_file(self.step, language))

    def empty(self, language: str) -> str:
        """The step's file with signatures only. Raises ``HarnessError`` if the data do not fit."""
        return self._blank(language, (ROOT / self.file(language)).read_text(), {})

    def obvious(self, language: str) -> str:
        """The step's file with an obvious version. Raises ``UsageError`` if there is none."""
        part = self.languages[language]
        if not part.obvious:
            raise UsageError(f"{self.step} has no obvious version in {language}")
        text = (ROOT / self.file(language)).read_text()
        imports = "".join(f'\t"{name}"\n' for name in part.imports)
        text = text.replace("import (\n", f"import (\n{imports}", 1) if imports else text
        return self._blank(language, text, {part.write[0]: part.obvious.rstrip("\n")})

    def _blank(self, language: str, text: str, bodies: Mapping[str, str]) -> str:
        part, file = self.languages[language], self.file(language)
        try:
            return blank(text, language, part.write, part.drop, {**part.bodies, **bodies})
        except HarnessError as error:
            raise HarnessError(f"docs/exercises/{self.step}.toml, {file}: {error}") from None

    def vectors(self) -> list[tuple[Stage, list[str]]]:
        """The ids of each stage's vectors. A vector belongs to the first stage that names it."""
        left = local_vectors()
        stages = []
        for stage in self.stages:
            chosen = [
                each for glob in stage.vectors for each in left if fnmatch(each, glob)
            ]  # in the order of the globs: the simplest first
            stages.append((stage, list(dict.fromkeys(chosen))))
            left = [each for each in left if each not in chosen]
        return stages


@cache
def local_vectors() -> list[str]:
    """The ids of the vectors that a language's own tests can run."""
    return [
        case.parent.name
        for case in sorted(VECTORS.glob("*/case.json"))
        if msgspec.json.decode(case.read_bytes()).get("needs") != "http"
    ]


def load_exercises() -> dict[str, Exercise]:
    """step -> its exercise."""
    files = sorted(file for file in EXERCISES.glob("*.toml") if file.name != WITHOUT)
    return {file.stem: _load(file) for file in files}


def load_exercise(step: str) -> Exercise:
    """Raises ``UsageError`` for a step without one, with the reason."""
    if (file := EXERCISES / f"{step}.toml").exists() and file.name != WITHOUT:
        return _load(file)
    if reason := steps_without().get(step):
        raise UsageError(f"{step} has no exercise: {reason}")
    raise UsageError(f"no step is called {step}; exercises: {', '.join(load_exercises())}")


def steps_without() -> dict[str, str]:
    """step -> why it has no exercise."""
    return dict(tomllib.loads((EXERCISES / WITHOUT).read_text()))


def _load(file: Path) -> Exercise:
    try:
        raw = tomllib.loads(file.read_text())
        return msgspec.convert({"step": file.stem, **raw}, Exercise)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise UsageError(f"{file}: {error}") from None
