import pytest

from aggregator.store import AttemptError, Listed, Page, is_unmet, refusal, whole_page


@pytest.mark.parametrize(
    ("status", "again"),
    [
        (301, False),
        (400, False),
        (403, False),
        (404, False),
        (408, True),
        (409, True),
        (429, True),
        (500, True),
        (503, True),
    ],
)
def test_most_refusals_are_final(status: int, again: bool) -> None:
    failure = refusal(status, "Code")
    assert (str(failure), failure.again) == (f"{status} Code", again)


def test_a_400_is_final_unless_the_request_was_slow() -> None:
    assert refusal(400, "RequestTimeout").again
    assert not refusal(403, "RequestTimeout").again


@pytest.mark.parametrize(
    ("status", "code", "unmet"),
    [
        (412, "PreconditionFailed", True),
        (404, "NoSuchKey", True),
        (404, "NoSuchBucket", False),
        (409, "ConditionalRequestConflict", False),
        (200, "", False),
    ],
)
def test_a_condition_that_does_not_hold(status: int, code: str, unmet: bool) -> None:
    assert is_unmet(status, code) is unmet


def test_a_whole_page() -> None:
    objects = [Listed("a/b", 0), Listed("a/", 2**53)]
    assert whole_page("a/", objects, ["a/c/"], "t", truncated=True) == (objects, ["a/c/"], "t")
    assert whole_page("a/", [], [], "t", truncated=False) == Page([], [], None)


@pytest.mark.parametrize(
    ("listed", "prefixes", "token"),
    [
        (Listed("a/b", 1), [], None),
        (Listed("a/b", 1), [], ""),
        (Listed("a/b", -1), [], "t"),
        (Listed("a/b", 2**53 + 1), [], "t"),
        (Listed("b/a/b", 1), [], "t"),
        (Listed("a/b", 1), ["c/a/"], "t"),
    ],
)
def test_what_is_no_page(listed: Listed, prefixes: list[str], token: str | None) -> None:
    with pytest.raises(AttemptError) as caught:
        whole_page("a/", [listed], prefixes, token, truncated=True)
    assert caught.value.again
