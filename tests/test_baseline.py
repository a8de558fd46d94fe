"""The gate and the memory column with real functions: only the worse language is named."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from conftest import IMPLEMENTATIONS
from make_baseline import BASELINE, COMPARE

from harness import cli
from harness.model import Artefact, Implementation, NotReady
from harness.targets.interface import Target
from harness.terminal import Progress

pytestmark = pytest.mark.slow

VARIANTS = Path(__file__).parent / "variants"
#: Generous: it is for machines that others use, too.
GATE = ("--baseline", str(BASELINE), "--max-slowdown", "2.5")
PYTHON = IMPLEMENTATIONS["python"]


def target(folder: Path, variants: Mapping[str, str]) -> Target:
    """The real target, but languages of ``variants`` are Python functions with these handlers."""
    real = cli._local_target(None)

    def build(
        asked: Sequence[Implementation], progress: Progress
    ) -> Mapping[str, Artefact | NotReady]:
        made = real.build([PYTHON], progress)["python"]
        assert isinstance(made, Artefact), str(made)
        return {each.language: varied(made, each, folder, variants) for each in asked}

    known = [PYTHON, *(replace(PYTHON, language=name) for name in variants if name != "python")]
    return replace(real, load=lambda: known, build=build)


def varied(
    made: Artefact, asked: Implementation, folder: Path, variants: Mapping[str, str]
) -> Artefact:
    if asked.language not in variants:
        return made
    variant = variants[asked.language]
    copied = folder / variant
    if not copied.exists():
        shutil.copytree(made.folder, copied)
        shutil.copy(VARIANTS / f"{variant}.py", copied)
    return replace(made, folder=copied, implementation=replace(asked, handler=f"{variant}.handle"))


@pytest.mark.alone
@pytest.mark.timeout(900)
def test_nothing_is_far_slower_than_in_the_baseline(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([*COMPARE, *GATE]) == 0
    told = capsys.readouterr().out
    for name in ("python sdk", "go sdk"):
        assert f"ok     {name}: " in told


@pytest.mark.alone
@pytest.mark.timeout(900)
def test_a_slowed_function_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    slowed = target(tmp_path, {"python": "slowed"})
    assert cli.main([*COMPARE, "--languages", "python", *GATE], slowed) == 1
    told = capsys.readouterr().out
    assert "slower python sdk: " in told
    assert "python sdk: mismatch" not in told


@pytest.mark.timeout(900)
def test_a_leaky_function_shows_in_the_memory_column(tmp_path: Path) -> None:
    file = tmp_path / "out.json"
    few = ("--warm", "3", "--no-floor", "--languages", "python,leaky", "--export-json", str(file))
    assert cli.main([*COMPARE, *few], target(tmp_path, {"leaky": "leaky"})) == 0
    rows = {row["language"]: row for row in json.loads(file.read_text())["results"]}
    normal, leaky = (rows[name]["figures"]["peak_rss_bytes"] for name in ("python", "leaky"))
    assert leaky > normal * 1.5
