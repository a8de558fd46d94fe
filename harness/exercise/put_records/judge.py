"""Plays the stream of one vector, and judges what a program puts into it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from harness.exercise.put_records.vectors import Vector

MOST_RECORDS, MOST_BYTES, LARGEST = 500, 5 * 2**20, 2**20
FIRST_PAUSE_MS, LONGEST_PAUSE_MS = 50, 1600


class FaultError(Exception):
    """A fault of the program, in words for its author."""


class Judge:
    """One stream. Raises ``FaultError`` as soon as a rule is broken."""

    def __init__(self, vector: Vector) -> None:
        self._vector = vector
        self._sizes = vector.sizes
        self._refusals = vector.refusals()
        self._taken: set[int] = set()
        self._unknown: set[int] = set()  # taken, but the answer was lost
        self._refused: set[int] = set()
        self._not_taken: Counter[int] = Counter()
        self._pause_ms: Counter[int] = Counter()
        self._requests = 0

    @property
    def doubles(self) -> int:
        """Records that the stream has twice. No program can prevent them."""
        return len(self._taken & self._unknown)

    def answer(self, line: str) -> str | None:
        """The stream's answer to a line; ``None`` where it gives none."""
        verb, *words = line.split() or [""]
        if not all(word.isdecimal() for word in words):
            raise FaultError(f"the line {line!r} has a word that is no number")
        numbers = [int(word) for word in words]
        match verb, numbers:
            case "put", _:
                return self._put(numbers)
            case "pause", [ms]:
                self._pause_ms.update(dict.fromkeys(self._not_taken, ms))
            case "refuse", [number]:
                self._refuse(number)
            case "done", []:
                self._end()
            case _:
                raise FaultError(f"nobody understands the line {line!r}")
        return None

    def _put(self, numbers: Sequence[int]) -> str:
        self._requests += 1
        name = f"request {self._requests}"
        self._check_size(name, numbers)
        for number in numbers:
            self._check_record(name, number)
        if self._requests > self._vector.most_requests:
            raise FaultError(f"{name} is one too many: {self._vector.most_requests} do")
        if self._requests in self._vector.failed:
            if self._vector.taken:
                self._unknown.update(numbers)
            self._repeat(numbers)
            return "error"
        answers = [self._answer_for(number) for number in numbers]
        self._repeat([n for n, each in zip(numbers, answers, strict=True) if each != "ok"])
        return " ".join(answers)

    def _check_size(self, name: str, numbers: Sequence[int]) -> None:
        if not numbers:
            raise FaultError(f"{name} has no record")
        if len(numbers) > MOST_RECORDS:
            raise FaultError(f"{name} has {len(numbers)} records; {MOST_RECORDS} are allowed")
        if doubled := [number for number, count in Counter(numbers).items() if count > 1]:
            raise FaultError(f"{name} has record {doubled[0]} twice")
        if unknown := [number for number in numbers if number >= len(self._sizes)]:
            raise FaultError(f"{name} has record {unknown[0]}, which does not exist")
        if large := [number for number in numbers if self._sizes[number] > LARGEST]:
            raise FaultError(f"{name} has record {large[0]}, which is too large: it fails for ever")
        total = sum(self._sizes[number] for number in numbers)
        if total > MOST_BYTES:
            raise FaultError(f"{name} has {total:,} bytes; {MOST_BYTES:,} are allowed")

    def _check_record(self, name: str, number: int) -> None:
        if number in self._taken:
            raise FaultError(
                f"{name} has record {number}, which was accepted before: it is doubled"
            )
        if times := self._not_taken[number]:
            least = min(FIRST_PAUSE_MS * 2 ** (times - 1), LONGEST_PAUSE_MS)
            if self._pause_ms[number] < least:
                raise FaultError(
                    f"{name} repeats record {number} after {self._pause_ms[number]} ms; "
                    f"after {times} refusals in a row pause for {least} ms"
                )

    def _answer_for(self, number: int) -> str:
        left = self._refusals.get(number, 0)
        if left:
            self._refusals[number] = left - 1
            return "throttled" if left % 2 else "failed"
        self._taken.add(number)
        del self._not_taken[number]
        return "ok"

    def _repeat(self, numbers: Sequence[int]) -> None:
        for number in numbers:
            self._not_taken[number] += 1
            self._pause_ms[number] = 0

    def _refuse(self, number: int) -> None:
        if number >= len(self._sizes) or self._sizes[number] <= LARGEST:
            raise FaultError(f"record {number} is not too large, and is refused")
        self._refused.add(number)

    def _end(self) -> None:
        for number, size in enumerate(self._sizes):
            if number in self._taken | self._refused:
                continue
            if size > LARGEST:
                raise FaultError(f"record {number} is too large, and nobody is told")
            refused = self._not_taken[number]
            why = "it was refused, and not put again" if refused else "it was never put"
            raise FaultError(f"record {number} is lost: {why}")
