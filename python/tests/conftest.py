from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

import aggregator.light_store  # noqa: F401  # before the other client hides its library
from aggregator.attempts import Attempts
from aggregator.journal import Journal


@pytest.fixture
def attempts() -> Iterator[Attempts]:
    with ThreadPoolExecutor(16) as pool:
        attempts = Attempts(pool, 60, Journal("id"))
        yield attempts
        attempts.close()
