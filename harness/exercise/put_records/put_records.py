"""Puts records into a stream that refuses some of them. Write ``put_all``; the rest is there.

``Stream`` speaks with the check: one line for each call, and one for each answer.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

MOST_RECORDS = 500  # of a request
MOST_BYTES = 5 * 2**20  # of a request
LARGEST = 2**20  # of a record; a request with a larger one fails for ever
FIRST_PAUSE_MS, LONGEST_PAUSE_MS = 50, 1600


def put_all(sizes: Sequence[int], stream: Stream) -> None:
    """Put the records 0, 1, 2 and so on, whose sizes in bytes these are."""
    waiting = []
    for number, size in enumerate(sizes):
        if size > LARGEST:
            stream.refuse(number)
        else:
            waiting.append(number)
    pause_ms = FIRST_PAUSE_MS
    while waiting:
        request = first_request(waiting, sizes)
        answers = stream.put(request)
        again = [number for number, answer in zip(request, answers, strict=True) if answer != "ok"]
        waiting = again + waiting[len(request) :]
        if again:
            stream.pause(pause_ms)
            pause_ms = min(2 * pause_ms, LONGEST_PAUSE_MS)
        else:
            pause_ms = FIRST_PAUSE_MS


def first_request(waiting: Sequence[int], sizes: Sequence[int]) -> list[int]:
    """As many of the first ones as one request may hold."""
    request, total = [], 0
    for number in waiting[:MOST_RECORDS]:
        total += sizes[number]
        if total > MOST_BYTES:
            break
        request.append(number)
    return request


class Stream:
    def put(self, numbers: Sequence[int]) -> list[str]:
        """Put them by one request. The answer has for each ``ok``, ``throttled`` or ``failed``; it
        is ``error`` for all of them if the request failed as a whole.
        """
        print("put", *numbers, flush=True)
        answer = sys.stdin.readline().split()
        return ["error"] * len(numbers) if answer == ["error"] else answer

    def pause(self, ms: int) -> None:
        """Wait. No time passes: the check counts it."""
        print("pause", ms, flush=True)

    def refuse(self, number: int) -> None:
        """Tell that a record can't be put."""
        print("refuse", number, flush=True)


for line in iter(sys.stdin.readline, ""):
    put_all([int(size) for size in line.split()[1:]], Stream())
    print("done", flush=True)
