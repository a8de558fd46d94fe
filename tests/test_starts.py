"""The choice of starts, their tables, and the cost of SnapStart."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from fake_comparison import COMPARISON, MATCH, cold, eight
from fake_machine import FakeMachine, implementation
from pages import Reader

from harness.analysis.cost import SnapshotPrices, snapshot_prices
from harness.analysis.row_summary import to_floor
from harness.analysis.starts import snap_start_cost, starts
from harness.cli import main
from harness.compare.starts import require_starts
from harness.model import (
    Artefact,
    Comparison,
    Enforcement,
    Implementation,
    NotReady,
    Row,
    Start,
    UsageError,
    Variant,
)
from harness.report.formatting import about
from harness.report.html_page.page import render_page
from harness.report.start_tables import snap_start_cost_table, starts_table
from harness.report.tables import emulator_table
from harness.targets.interface import Target
from harness.targets.local.starts import aot_cache
from harness.terminal import Progress
from harness.toolchain import tools


def of(language: str, runtime: str) -> Implementation:
    return replace(implementation(language), runtime=runtime)


RUNTIMES = [
    of("python", "python3.13"),
    of("java", "java25"),
    of("javascript", "nodejs24.x"),
    of("go", "provided.al2023"),
]


@pytest.mark.parametrize(
    ("asked", "languages", "told"),
    [
        ((Start.AOT,), ("go", "python"), "--start aot: python, go can't start so; only Java 25"),
        ((Start.PRIMED,), ("go",), "--start primed: go can't start so; SnapStart is for Java and"),
        ((Start.AOT, Start.PRIMED), ("java", "go"), "go has none of these starts"),
    ],
)
def test_a_start_that_a_language_lacks_is_refused(
    asked: tuple[Start, ...], languages: tuple[str, ...], told: str
) -> None:
    chosen = [each for each in RUNTIMES if each.language in languages]
    with pytest.raises(UsageError, match=told):
        require_starts(asked, languages, chosen)


def test_languages_that_are_not_named_need_no_start_of_their_own() -> None:
    require_starts((Start.AOT, Start.PRIMED), (), RUNTIMES)
    require_starts((Start.ZIP, Start.AOT), ("java", "go"), [RUNTIMES[1], RUNTIMES[3]])


class Machine(FakeMachine):
    """A machine whose Java has AOT caches of half a megabyte."""

    untrainable = False

    def target(self) -> Target:
        given = {each.language: each for each in RUNTIMES}
        made = super().target()

        def load() -> list[Implementation]:
            return [replace(each, runtime=given[each.language].runtime) for each in made.load()]

        return replace(made, load=load, train=self._train)

    def _train(self, artefact: Artefact, _progress: Progress) -> Artefact | NotReady:
        self.done.append(f"train {artefact.implementation.name}")
        if self.untrainable:
            return NotReady("the JVM made no AOT cache")
        assert artefact.zip_bytes is not None
        return replace(artefact, aot=Path("cache"), zip_bytes=artefact.zip_bytes + 500_000)


def compared(machine: FakeMachine, tmp_path: Path, *arguments: str) -> list[dict[str, object]]:
    file = tmp_path / "out.json"
    few = ("--objects", "20", "--cold", "1", "--warm", "1", "--rerun", "0")
    main(["compare", *few, "--export-json", str(file), *arguments], machine.target())
    results: list[dict[str, object]] = json.loads(file.read_text())["results"]
    return results


def test_each_language_is_measured_with_the_starts_that_it_has(tmp_path: Path) -> None:
    machine = Machine(companions=True)
    rows = compared(machine, tmp_path, "--start", "zip,aot,primed", "--clients", "sdk")
    assert [row["name"] for row in rows] == [
        *(f"{each} sdk zip" for each in ("python", "java", "javascript", "go")),
        "floor obstore zip",
        "java sdk AOT",
        "python sdk primed",
        "java sdk primed",
    ]
    assert all(row["verdict"] == "match" for row in rows)
    sizes = [row["package_zip_bytes"] for row in rows if row["language"] == "java"]
    assert sizes == [1_500_000, 2_000_000, 1_500_000]
    assert machine.done.count("train java sdk") == 1


def test_a_cache_that_can_t_be_made_fails_its_row_only(tmp_path: Path) -> None:
    machine = Machine(languages=("java",))
    machine.untrainable = True
    rows = compared(machine, tmp_path, "--start", "zip,aot", "--no-floor")
    assert [(row["verdict"], row["reason"]) for row in rows] == [
        ("match", None),
        ("failed", "the JVM made no AOT cache"),
    ]


@pytest.fixture
def caches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of the AOT caches, on a machine without a JVM."""
    folder, jars = tmp_path / "caches", tmp_path / "jars"
    used: list[int] = []
    jars.mkdir()
    monkeypatch.setattr(aot_cache, "CACHES", folder)
    monkeypatch.setattr(aot_cache, "_used", used)
    monkeypatch.setattr(aot_cache, "_release", lambda _: "25")
    monkeypatch.setattr(tools, "java_ric_jars", lambda: jars)
    yield folder
    for lock in used:
        os.close(lock)


def java(tmp_path: Path, text: str) -> Artefact:
    folder = tmp_path / text
    folder.mkdir(exist_ok=True)
    (folder / "Function.class").write_text(text)
    return Artefact(RUNTIMES[1], folder, 1, 1)


def make_cache(artefact: Artefact) -> None:
    assert artefact.aot is not None
    (artefact.aot / "cache.aot").write_bytes(b"whole")


def test_a_cache_whose_sizes_were_cut_off_is_made_again(
    caches: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def dying(file: Path, text: str) -> None:
        file.write_bytes(text[:4].encode())
        raise KeyboardInterrupt

    artefact = java(tmp_path, "one")
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(Path, "write_text", dying)
        aot_cache.with_cache(artefact, make_cache, "none")
    made = aot_cache.with_cache(artefact, make_cache, "none")
    assert made.unzipped_bytes == 1 + len("whole")
    assert len(list(caches.glob("*/*/cache.aot"))) == 1


def test_a_cache_that_a_process_uses_is_not_removed(caches: Path, tmp_path: Path) -> None:
    first = aot_cache.with_cache(java(tmp_path, "one"), make_cache, "none")
    second = aot_cache.with_cache(java(tmp_path, "two"), make_cache, "none")
    assert first.aot is not None
    assert second.aot is not None
    assert (first.aot / "cache.aot").exists()
    while aot_cache._used:  # as at the end of the process
        os.close(aot_cache._used.pop())
    third = aot_cache.with_cache(java(tmp_path, "three"), make_cache, "none")
    assert [*caches.glob("*/*/")] == [third.aot]


def test_a_jvm_that_makes_its_cache_too_slowly_makes_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Slow:
        def __init__(self, _: int) -> None: ...

        def send_signal(self, _: int) -> None:
            make_cache(artefact)  # half of it

        def is_running(self) -> bool:
            return True

        def status(self) -> str:
            return "running"

    artefact = replace(java(tmp_path, "one"), aot=tmp_path)
    sandbox = aot_cache.AotSandbox(artefact, {}, training=True)
    monkeypatch.setattr(sandbox, "runtime_pids", lambda: [1])
    monkeypatch.setattr(aot_cache, "_FINISH_S", 0.1)
    monkeypatch.setattr(psutil, "Process", Slow)
    with pytest.raises(NotReady, match="made no AOT cache in"):
        sandbox.finish()


def row(start: Start, language: str, *samples: tuple[float, float]) -> Row:
    colds = tuple(cold(number, *each) for number, each in enumerate(samples, 1))
    if start is Start.PRIMED:
        colds = tuple(replace(each, after_restore_ms=10.0) for each in colds)
    return Row(
        language,
        "light",
        MATCH,
        7_100_000,
        32_000_000,
        samples=colds + eight(*[100.0] * 8),
        variant=Variant(start=start),
        runtime={"java": "java25", "python": "python3.13"}[language],
    )


def measured() -> Comparison:
    return replace(
        COMPARISON,
        rows=(
            row(Start.ZIP, "java", (300, 1200), (300, 1200)),
            row(Start.ZIP, "python", (100, 400), (100, 400)),
            row(Start.AOT, "java", (200, 550), (200, 550)),
            row(Start.PRIMED, "java", (3000, 290), (3000, 290)),
            row(Start.PRIMED, "python", (100, 390), (100, 390)),
        ),
    )


def test_the_first_of_a_snapshot_has_the_hooks_after_it_and_no_init() -> None:
    found = {each.row.name: each for each in starts(measured())}
    primed = found["java light primed"]
    assert primed.init is not None
    assert primed.init.median == 3000
    assert primed.first is not None
    assert primed.first.median == 300
    assert primed.to_plain is not None
    assert primed.to_plain.estimate == pytest.approx(0.2)
    assert found["java light zip"].to_plain is None


def test_the_tables_tell_what_is_not_measured_here() -> None:
    table = starts_table(measured())
    assert [each[0] for each in table.rows] == [each.name for each in measured().rows]
    assert table.rows[3][1:5] == ("3,000", "-", "10", "300")
    assert "container image only: AWS advises against it in a zip" in table.text
    assert "the restore itself can be measured on AWS only" in table.text
    costs = snap_start_cost_table(measured())
    assert [each[0] for each in costs.rows] == ["java light primed", "python light primed"]
    java, python = costs.rows
    assert java[2:] == ("0.0000", "0.00", "0.000", "1")
    assert python[5] == "never"
    # 1,769 MB: 0.0000015046 by 730 hours, and by three
    assert python[3:5] == ("6.83", "0.028")


def test_the_page_draws_the_hooks_after_the_restore_as_the_start() -> None:
    """The init of before the snapshot is no part of the first invocation."""
    tables = Reader(render_page(measured())).tables
    (first,) = (each for each in tables if each[0] == ["row", "start", "first", "warm"])
    assert first[1] == ["java light zip", "300", "1,500", "100"]
    assert first[4] == ["java light primed", "10", "300", "100"]


def test_a_report_tells_what_the_first_of_a_snapshot_is() -> None:
    assert "in a primed row it has the hooks after the restore" in about(measured())
    assert "snapshot" not in about(COMPARISON)


def test_the_emulators_report_of_a_primed_row_is_left_out() -> None:
    """It contains the time for which the processes were frozen."""
    names = [each[0] for each in emulator_table(measured()).rows]
    assert names == ["java light zip", "python light zip", "java light AOT"]


def test_without_limits_snap_start_has_no_cost() -> None:
    """As in ``cost``: times on a whole machine are none that AWS bills."""
    free = Enforcement(1769, 1.0, None, "not requested")
    whole = replace(measured(), rows=tuple(replace(r, enforcement=free) for r in measured().rows))
    assert snap_start_cost_table(measured()).rows
    assert not snap_start_cost_table(whole).rows


def test_snap_start_pays_from_the_start_whose_saving_covers_the_cache() -> None:
    prices = SnapshotPrices(month=4.0, least=0.02, restore=0.125)
    # each start saves 0.75 of duration, and its restore of 2 GB costs 0.25
    assert snap_start_cost(0.75, 2.0, prices).pays_from == 16
    assert snap_start_cost(0.25, 2.0, prices).pays_from is None
    free = snapshot_prices("java25")
    assert (free.month, free.least, free.restore) == (0, 0, 0)
    assert snap_start_cost(0.0002, 2.0, free).pays_from == 1
    assert snap_start_cost(-0.0002, 2.0, free).pays_from is None


def test_the_floor_of_one_start_stands_for_all() -> None:
    floor = replace(measured().rows[0], language="floor", client="obstore")
    rows = (*measured().rows, floor)
    assert set(to_floor(replace(COMPARISON, rows=rows))) == {each.name for each in measured().rows}
