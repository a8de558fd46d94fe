"""Keys that another thread gives, kept for a second. Skip on first reading.

The plain version asks that thread for each request. It takes 1.47 times the CPU of a run whose keys
come from the container endpoint (SPEC S16), as with SnapStart: docs/performance/python.md has the
command.
"""

import time
from collections.abc import Awaitable, Callable


def each_second[T](ask: Callable[[], Awaitable[T]]) -> Callable[[], Awaitable[T]]:
    """The same function, which asks once a second and gives the last answer in between."""
    held: tuple[T, int] | None = None

    async def latest() -> T:
        nonlocal held
        second = int(time.time())  # the wall clock: a frozen sandbox may wake up days later
        if held is None or held[1] != second:
            held = await ask(), second
        return held[0]

    return latest
