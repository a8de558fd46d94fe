import asyncio
import time

import pytest

from aggregator.tuning.each_second import each_second


def test_a_function_is_asked_once_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[str] = []

    async def ask() -> str:
        given.append(f"token {len(given)}")
        return given[-1]

    async def at(*moments: float) -> list[str]:
        found = []
        for moment in moments:
            monkeypatch.setattr(time, "time", lambda: moment)  # noqa: B023
            found.append(await latest())
        return found

    latest = each_second(ask)
    seen = asyncio.run(at(10.0, 10.9, 11.1, 11.2, 864000.5, 9.0))
    tokens = ["token 0", "token 0", "token 1", "token 1", "token 2", "token 3"]
    assert seen == tokens
