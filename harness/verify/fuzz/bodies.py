"""Differential fuzzing: the same bodies for every implementation and a slow oracle.

A round is one day of many bodies, which takes one invocation of each implementation. Each must give
the oracle's result for every body, so that even an equal mistake of all is found. A body with
another result is isolated, shrunk in a day of its own, and drafted as a vector.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from harness.terminal import Progress
from harness.verify.fuzz.body_maker import Bodies
from harness.verify.fuzz.oracle import Truth, describe_records, differs, truth, wrong_places
from harness.verify.fuzz.shrink import shrink, write_draft
from harness.verify.fuzz.subjects import MAX_SOURCE_BYTES, PREFIX, SETTINGS, Day, Subject

ROUND = 400

_MOST_DRAFTS_OF_A_KIND = 3


@dataclass(slots=True)
class Tally:
    """The result of a run. ``by_code`` counts the bodies by the oracle's code.

    ``drafts`` are the kept folders and their titles. ``in_company`` describes days that differ,
    although none of their bodies differs alone.
    """

    rounds: int = 0
    cases: int = 0
    by_code: Counter[str] = field(default_factory=Counter)
    disagreements: int = 0
    drafts: dict[Path, str] = field(default_factory=dict)
    in_company: list[str] = field(default_factory=list)


def make_round(seed: int, number: int, size: int = ROUND) -> list[bytes]:
    """The bodies of a round: always the same for the same arguments."""
    bodies = Bodies(Random(f"{seed}/{number}"), MAX_SOURCE_BYTES)
    return [bodies.body() for _ in range(size)]


def fuzz(
    subjects: Mapping[str, Subject],
    seed: int,
    keep: Path,
    go_on: Callable[[int], bool],
    progress: Progress,
    size: int = ROUND,
) -> Tally:
    """Run rounds as long as ``go_on(number of the next)`` holds; drafts go to ``keep``."""
    tally = Tally()
    drafter = _Drafter(subjects, keep, progress)
    while go_on(tally.rounds):
        name = f"round {tally.rounds} of seed {seed}"
        progress(f"{name}, {tally.cases} cases so far")
        bodies = make_round(seed, tally.rounds, size)
        truths = [truth(body) for body in bodies]
        wrong: dict[bytes, str] = {}
        for language, subject in subjects.items():
            day = subject(bodies)
            if not differs(day, truths):
                continue
            culprits = _culprits(subject, day, bodies, truths)
            if not culprits:
                what = day.error or "differs, but no body does alone"
                tally.in_company.append(f"{language}: {name}: {what}")
            wrong = dict.fromkeys(culprits, language) | wrong
        for body, language in wrong.items():
            drafter.draft(body, language)
        tally.rounds += 1
        tally.cases += len(bodies)
        tally.by_code.update(each.kind for each in truths)
        tally.disagreements += len(wrong)
    tally.disagreements += len(tally.in_company)
    tally.drafts = drafter.drafts
    return tally


def describe(tally: Tally, seed: int, seconds: float) -> Iterator[str]:
    """The report as lines."""
    pace = round(tally.cases * 60 / seconds)
    yield f"seed {seed}: {tally.cases} cases in {tally.rounds} rounds, {pace} cases per minute"
    yield ", ".join(f"{code} {count}" for code, count in sorted(tally.by_code.items()))
    yield f"{tally.disagreements} disagreements"
    yield from (f"not alone: {line}" for line in tally.in_company)
    yield from (f"kept {folder}: {title}" for folder, title in tally.drafts.items())


def _culprits(
    subject: Subject, day: Day, bodies: Sequence[bytes], truths: Sequence[Truth]
) -> list[bytes]:
    """The bodies that differ alone: those with a wrong code, else one found by bisection."""
    suspects = [bodies[place] for place in wrong_places(day, truths)]
    while not suspects and len(bodies) > 1:
        half = len(bodies) // 2
        in_first = differs(subject(bodies[:half]), truths[:half])
        part = slice(half) if in_first else slice(half, None)
        bodies, truths = bodies[part], truths[part]
    return [body for body in suspects or bodies if differs(subject([body]), [truth(body)])]


class _Drafter:
    """Keeps a few drafts of each kind of disagreement, because a fault occurs in every round."""

    def __init__(self, subjects: Mapping[str, Subject], keep: Path, progress: Progress) -> None:
        self.drafts: dict[Path, str] = {}
        self._subjects = subjects
        self._keep = keep
        self._progress = progress
        self._kinds: Counter[tuple[str, str, str]] = Counter()

    def draft(self, body: bytes, language: str) -> None:
        """Shrink a body about which ``language`` is at odds with the oracle, and keep it."""
        subject = self._subjects[language]
        kind = (subject([body]).kind, truth(body).kind)
        self._kinds[language, *kind] += 1
        if self._kinds[language, *kind] > _MOST_DRAFTS_OF_A_KIND:
            return
        self._progress(f"{language}: shrinking a body of {len(body)} bytes")

        def shows(candidate: bytes) -> bool:
            expected = truth(candidate)
            if expected.kind != kind[1]:
                return False  # spares an invocation
            day = subject([candidate])
            return day.kind == kind[0] and differs(day, [expected])

        small = shrink(body, shows)
        title = self._title(small)
        draft = write_draft(
            self._keep, small, f"{PREFIX}a.json", SETTINGS, title, truth(small).kind
        )
        self.drafts[draft] = title

    def _title(self, body: bytes) -> str:
        """The results of all, such as ``go: BAD_JSON; python, java, oracle: 1 records, ...``."""
        expected = truth(body)
        voices: dict[str, list[str]] = {}
        for language, subject in self._subjects.items():
            day = subject([body])
            said = str(expected)
            if differs(day, [expected]):
                said = day.error or day.codes.get(0) or describe_records(day.text)
            voices.setdefault(said, []).append(language)
        voices.setdefault(str(expected), []).append("oracle")
        return "; ".join(f"{', '.join(who)}: {said}" for said, who in voices.items())
