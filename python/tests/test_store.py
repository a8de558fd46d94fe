import pytest

from aggregator.store import refusal


@pytest.mark.parametrize(
    ("status", "again"),
    [
        (301, False),
        (400, False),
        (403, False),
        (404, False),
        (408, True),
        (429, True),
        (500, True),
        (503, True),
    ],
)
def test_most_refusals_are_final(status: int, again: bool) -> None:
    failure = refusal(status, "Code")
    assert (str(failure), failure.again) == (f"{status} Code", again)
