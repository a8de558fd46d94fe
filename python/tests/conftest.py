import pytest

import aggregator.light_store  # noqa: F401  # before the other client hides its library
from aggregator.attempts import Attempts, Lanes
from aggregator.journal import Journal


@pytest.fixture
def attempts() -> Attempts:
    return Attempts(Lanes(16), 60, Journal("id"))
