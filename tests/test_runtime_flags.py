"""The options of Lambda's managed runtimes, by memory size."""

from __future__ import annotations

import tomllib
from datetime import date
from pathlib import Path

import pytest

from harness.model import Implementation, Start, UsageError
from harness.targets.local import runtime_flags
from harness.targets.local.runtimes import runtime_environment


def texts(runtime: str, memory_mb: int) -> list[str]:
    return [each.text for each in runtime_flags.flags(runtime, memory_mb)]


def test_java_gets_its_heap_its_collector_its_compiler_and_two_processors() -> None:
    assert texts("java25", 1769) == [
        "-XX:+UseSerialGC",
        "-XX:TieredStopAtLevel=1",
        "-Xmx1503m",
        "-XX:ActiveProcessorCount=2",
        "-Dorg.crac.Core.Compat=com.amazonaws.services.lambda.crac",
    ]


def test_a_primed_java_has_the_compilers_of_the_jvm() -> None:
    plain, aot, primed = (
        [each.text for each in runtime_flags.flags("java25", 1769, start)]
        for start in (Start.ZIP, Start.AOT, Start.PRIMED)
    )
    assert plain == aot == texts("java25", 1769)
    assert primed == [each for each in plain if each != "-XX:TieredStopAtLevel=1"]


@pytest.mark.parametrize("memory_mb", [128, 129, 1769, 3001, 10_239, 10_240])
def test_nodes_heap_is_the_memory_less_a_tenth_for_both_semi_spaces(memory_mb: int) -> None:
    new_space = memory_mb // 10

    assert texts("nodejs24.x", memory_mb) == [
        f"--max-semi-space-size={new_space // 2}",
        f"--max-old-space-size={memory_mb - new_space}",
    ]


def test_python_gets_none_and_go_a_variable() -> None:
    go = Implementation("go", "F", "provided.al2023", "bootstrap", Path(), 1769, 1, {})
    python = Implementation("python", "F", "python3.13", "a.b", Path(), 1769, 1, {})

    assert texts("python3.13", 1769) == texts("provided.al2023", 1769) == []
    assert runtime_environment(go, 1769) == {"GOMAXPROCS": "2"}
    assert runtime_environment(go, 3009) == {"GOMAXPROCS": "3"}
    assert runtime_environment(python, 1769) == {}


@pytest.mark.parametrize(("memory_mb", "count"), [(128, 2), (3008, 2), (3009, 3), (10_240, 6)])
def test_processors_come_in_steps(memory_mb: int, count: int) -> None:
    assert runtime_flags.processors(memory_mb) == count


def test_a_size_that_lambda_lacks_is_refused() -> None:
    with pytest.raises(UsageError, match="at most 10,240 MB"):
        runtime_flags.processors(10_241)


def test_every_entry_tells_where_it_is_from() -> None:
    table = tomllib.loads(Path(runtime_flags.__file__).with_suffix(".toml").read_text())

    assert isinstance(table.pop("checked"), date)
    rows = [row for kind in table.values() for row in kind]
    assert len(rows) >= 11
    for row in rows:
        assert row["source"].startswith("https://")
        assert row["documented"] == ("aws.amazon.com/" in row["source"]), row
