import pytest

from aggregator.errors import AggregationError


def test_message_is_code_and_detail() -> None:
    error = AggregationError("NO_TRAIL", "in/AWSLogs/")
    assert str(error) == "NO_TRAIL: in/AWSLogs/"
    assert error.code == "NO_TRAIL"


@pytest.mark.parametrize(
    ("character", "written"),
    [
        ("\x00", r"\u0000"),
        ("\n", r"\u000a"),
        ("\x1f", r"\u001f"),
        (" ", " "),
        ("~", "~"),
        ("\x7f", r"\u007f"),
        ("\x9f", r"\u009f"),
        ("\xa0", "\xa0"),
        ("é", "é"),
        ("\\", "\\"),
    ],
)
def test_control_characters_are_escaped(character: str, written: str) -> None:
    assert str(AggregationError("S3_ERROR", f"get {character}")) == f"S3_ERROR: get {written}"
