from collections.abc import Iterator

import pytest

from aggregator.attempts import Attempts
from aggregator.journal import Journal


@pytest.fixture
def attempts() -> Iterator[Attempts]:
    attempts = Attempts(16, 60, Journal("id"))
    yield attempts
    attempts.close()
