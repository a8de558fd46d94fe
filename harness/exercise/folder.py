"""The learner's folder: a copy of one language in which one step is empty."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from itertools import chain, count
from pathlib import Path

from harness.exercise.exercises import Exercise
from harness.scratch import scratch
from harness.toolchain.paths import ROOT
from harness.verify.checkout import copy_language

FOLDERS = ROOT / ".exercises"


@dataclass(frozen=True, slots=True)
class Workplace:
    """Where one learner writes one step. Other files there are copies of the real ones."""

    exercise: Exercise
    language: str
    root: Path

    @property
    def code(self) -> Path:
        return self.root / self.language

    @property
    def file(self) -> Path:
        return self.root / self.exercise.file(self.language)

    def solution(self) -> str:
        return (ROOT / self.exercise.file(self.language)).read_text()

    def difference(self) -> str:
        """From the learner's file to the real one, as ``diff -u`` shows it."""
        mine, real = self.file.read_text(), self.solution()
        lines = difflib.unified_diff(
            mine.splitlines(keepends=True),
            real.splitlines(keepends=True),
            str(self.file.relative_to(self.root.parent)),
            str(self.exercise.file(self.language)),
        )
        return "".join(lines)


def open_workplace(exercise: Exercise, language: str, folders: Path | None = None) -> Workplace:
    """The folder as the learner left it, or a new one."""
    folders = folders or FOLDERS
    root = folders / f"{exercise.step}-{language}"
    if not root.exists():
        folders.mkdir(parents=True, exist_ok=True)
        with scratch("exercise", folders) as made:
            copy_language(language, made)
            place = Workplace(exercise, language, made)
            place.file.write_text(exercise.empty(language))
            made.rename(root)  # as a whole: a kill leaves no half of a folder
    return Workplace(exercise, language, root)


def restart(place: Workplace, text: str) -> Path:
    """Begin again with another text. Returns where the learner's file is kept."""
    before = place.file.with_suffix(f"{place.file.suffix}.before")
    later = (before.with_name(f"{before.name}.{number}") for number in count(2))
    kept = next(file for file in chain([before], later) if not file.exists())
    place.file.replace(kept)
    place.file.write_text(text)
    return kept
