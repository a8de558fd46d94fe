import os
import subprocess
import sys

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


def test_a_failed_allocation_ends_the_process_however_it_is_wrapped() -> None:
    program = """
from aggregator.errors import end_if_out_of_memory
try:
    try:
        raise MemoryError
    except MemoryError:
        raise OSError
except OSError as error:
    group = ExceptionGroup("of tasks", [ValueError(), error])
    error.__context__.__context__ = group  # errors may go round in circles
    end_if_out_of_memory(ValueError())
    print("alive", flush=True)
    end_if_out_of_memory(group)
print("never")
"""
    env = {"PYTHONPATH": os.pathsep.join(sys.path)}
    argv = [sys.executable, "-c", program]
    ended = subprocess.run(argv, env=env, capture_output=True, text=True, check=False)  # noqa: S603
    assert (ended.returncode, ended.stdout) == (1, "alive\n"), ended.stderr
