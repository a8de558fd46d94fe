"""``compare --target task``: whole runs of tasks, verified and measured as all rows are."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Self

import psutil
import pytest
from conftest import built
from fake_comparison import COMPARISON

from harness import cli
from harness.analysis.caveats import find_caveats
from harness.analysis.row_summary import ranking
from harness.model import Artefact, Comparison, FailureKind, NotReady, Row, Sample, SampleKind
from harness.report.formatting import about
from harness.report.json_export import read_export, to_json
from harness.report.task_table import tasks_table
from harness.report.terminal_report import render
from harness.targets.local import tasks
from harness.targets.local.own_network import enter_own_network
from harness.targets.local.task_bundle import TaskRun, TaskSize
from harness.targets.local.tasks import invocation_of
from harness.toolchain.paths import ROOT

SIZE = TaskSize(1, 2048)
LOG = (
    '{"event": "start", "request_id": "1"}\n'
    '{"event": "end", "error": null, "result": {"records": 3}}\n'
)
HELD = replace(COMPARISON.rows[0].enforcement or pytest.fail("no limits"), throttle_init=True)


def run(output: str, at: tuple[float, ...], exit_code: int = 0, oom_kills: int = 0) -> TaskRun:
    return TaskRun(exit_code, output, at, 2.0, 1.5, 80 << 20, HELD, oom_kills, 12.5)


def test_a_run_is_an_invocation_by_its_own_lines() -> None:
    found = invocation_of(run(LOG, (0.25, 1.75)), SIZE)
    assert (found.init_ms, found.duration_ms, found.process_ms) == (250, 1500, 2000)
    assert (found.cpu_ms, found.throttled_ms) == (1500, 12.5)
    assert found.result == {"records": 3}
    assert found.error is None
    assert found.cold


def test_a_run_without_lines_has_no_parts() -> None:
    found = invocation_of(run("Segmentation fault\n", (0.1,), 139), SIZE)
    assert (found.init_ms, found.duration_ms, found.process_ms) == (None, None, 2000)
    assert found.error == "exit code 139: Segmentation fault"
    assert found.failure is not None
    assert found.failure.kind is FailureKind.ERROR


def test_the_end_of_a_failed_run_tells_the_error() -> None:
    failed = LOG.replace('"error": null', '"error": "NO_TRAIL: AWSLogs/"')
    assert invocation_of(run(failed, (0.1, 0.2), 13), SIZE).error == "NO_TRAIL: AWSLogs/"
    killed = invocation_of(run("", (), 137, oom_kills=1), SIZE)
    assert killed.failure is not None
    assert killed.failure.kind is FailureKind.OUT_OF_MEMORY
    assert killed.failure.reason == "out of memory at 2,048 MiB"


def sample(number: int, process_ms: float) -> Sample:
    started, ran = 0.1 * process_ms, 0.8 * process_ms
    kind, peak = SampleKind.COLD, 80 << 20
    return Sample(kind, number, started, ran, 0.7 * process_ms, None, peak, process_ms=process_ms)


def row(name: str, *process_ms: float) -> Row:
    language, client = name.split()
    samples = tuple(sample(number, each) for number, each in enumerate(process_ms, 1))
    whole = next(each for each in COMPARISON.rows if each.samples)
    return replace(whole, language=language, client=client, samples=samples, enforcement=HELD)


TASKS = replace(
    COMPARISON,
    environment={**COMPARISON.environment, "target": "task"},
    rows=(row("python sdk", 900, 1000, 1100), row("go light", 400, 500, 550)),
    again=None,
)


def test_the_table_has_the_parts_of_a_task_and_ratios() -> None:
    slow, fast = tasks_table(TASKS).rows
    assert slow[:3] == ("python sdk", "3", "1,000")
    assert slow[4].startswith("2.00 [")
    assert slow[5:] == ("100", "800", "700", "80")
    assert fast[4] == "1.00"
    assert tasks_table(COMPARISON).rows == []


def test_a_comparison_of_tasks_is_exported_and_has_no_rank(tmp_path: Path) -> None:
    file = tmp_path / "tasks.json"
    file.write_text(json.dumps(to_json(TASKS)))
    again = read_export(file)
    assert again.rows[0].samples == TASKS.rows[0].samples
    assert again.rows[0].samples[0].first_ms == 900
    assert ranking(again).fastest is None
    codes = {str(each.code) for each in find_caveats(again, ranking(again))}
    assert not codes & {"too-few-samples", "no-noise-floor"}
    assert "no task is warm" in about(again)


def test_the_report_of_tasks_shows_their_table(capsys: pytest.CaptureFixture[str]) -> None:
    render(TASKS, sys.stdout)
    out = capsys.readouterr().out
    assert "start to exit" in out
    assert "emulator" not in about(TASKS)


@pytest.mark.parametrize(
    ("flags", "named"),
    [
        (["--warm", "3"], "--warm"),
        (["--s3-latency", "20ms", "--rerun", "1"], "--rerun, --s3-latency"),
        (["--start", "aot"], "--start"),
        (["--peers"], "--peers"),
        (["--no-limits"], "--no-limits"),
        (["--baseline", "x.json"], "--baseline"),
        (["--snap-start", "on"], "--snap-start"),
    ],
)
def test_flags_that_do_not_go_with_tasks_are_refused(
    flags: list[str], named: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["compare", "--target", "task", *flags]) == 2
    assert f"leave out {named}\n" in capsys.readouterr().err


def test_the_size_of_a_task_needs_a_task(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["compare", "--vcpus", "0.5"]) == 2
    assert "add --target task" in capsys.readouterr().err
    assert cli.main(["compare", "--target", "task", "--vcpus", "0"]) == 2
    assert "0 is not a number above 0" in capsys.readouterr().err


def test_without_bubblewrap_the_remedy_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("harness.targets.local.task_bundle.shutil.which", lambda _name: None)
    assert cli.main(["compare", "--target", "task"]) == 3
    assert "apt install bubblewrap" in capsys.readouterr().err


# -- without bubblewrap: the same command, in no bundle and no other process --


class Here:
    """In place of the process apart."""

    def __init__(self, *_: object) -> None:
        pass

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def submit(self, function: Callable[..., object], *given: Any, **more: Any) -> Future[object]:
        done: Future[object] = Future()
        done.set_result(function(*given, **more))
        return done


def run_plainly(
    command: Sequence[str | Path],
    folder: Path,
    env: Mapping[str, str],
    size: TaskSize,
    **_: object,
) -> TaskRun:
    ran = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False)
    lines = ran.stdout.splitlines(keepends=True)
    assert size == TaskSize(0.5, 2048)
    at = tuple(float(number) for number, _ in enumerate(lines, 1))
    return TaskRun(ran.returncode, ran.stdout, at, len(lines) + 0.5, 0.25, 20 << 20, HELD)


@contextmanager
def same_keys(key_id: str, secret: str) -> Iterator[dict[str, str]]:
    yield {"AWS_ACCESS_KEY_ID": key_id, "AWS_SECRET_ACCESS_KEY": secret}


@pytest.mark.slow
def test_a_comparison_of_tasks_is_like_any_other(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert isinstance(built("go"), Artefact)
    for name, value in {
        "ProcessPoolExecutor": Here,
        "enter_own_network": lambda _addresses: None,
        "dies_with_parent": lambda: lambda: None,
        "bubblewrap": lambda: "no bundle",
        "credentials": same_keys,
        "run_bundle": run_plainly,
    }.items():
        monkeypatch.setattr(tasks, name, value)
    file = tmp_path / "tasks.json"
    command = ["compare", "--target", "task", "--languages", "go", "--clients", "light"]
    options = ["--objects", "30", "--cold", "1", "--vcpus", "0.5", "--export-json", str(file)]
    assert cli.main([*command, *options]) == 0
    found = read_export(file)
    assert [each.name for each in found.rows] == ["go light", "floor obstore"]
    for each in found.rows:
        (one,) = each.samples
        assert (one.init_ms, one.duration_ms, one.process_ms) == (1000, 1000, 2500)
    assert found.settings["memory_mb"] == 2048
    assert found.settings["timeout_s"] == 3600


# -- with bubblewrap --


@pytest.fixture(scope="module")
def bundles() -> Iterator[None]:
    if shutil.which("bwrap") is None:
        pytest.skip("no bundles: bwrap is not on the PATH")
    with ProcessPoolExecutor(1, get_context("spawn")) as process:
        try:
            process.submit(enter_own_network, []).result()
        except NotReady as error:
            pytest.skip(f"no bundles: {error}")
    yield


@pytest.fixture(scope="module")
def measured(bundles: None, tmp_path_factory: pytest.TempPathFactory) -> Comparison:
    """A comparison over TLS of two languages and the floor, with two tasks of each row."""
    for language in ("go", "python"):
        assert isinstance(built(language), Artefact)
    file = tmp_path_factory.mktemp("tasks") / "tasks.json"
    command = ["compare", "--target", "task", "--languages", "go,python", "--clients", "light"]
    options = ["--objects", "40", "--cold", "2", "--memory", "512", "--export-json", str(file)]
    assert cli.main([*command, *options]) == 0
    return read_export(file)


@pytest.mark.slow
def test_tasks_are_verified_and_measured(measured: Comparison) -> None:
    assert [each.name for each in measured.rows] == [
        "python light 512 MB",
        "go light 512 MB",
        "floor obstore 512 MB",
    ]
    for each in measured.rows:
        assert each.verdict.accepts, each.verdict.reason
        assert each.tls
        assert [sample.kind for sample in each.samples] == [SampleKind.COLD] * 2
        for one in each.samples:
            assert one.init_ms is not None
            assert one.duration_ms is not None
            assert one.process_ms is not None
            assert one.init_ms + one.duration_ms <= one.process_ms + 0.001  # a sum of floats
            assert one.cpu_ms
            assert one.peak_rss_bytes
    assert measured.environment["target"] == "task"
    assert measured.settings["warm"] == 0


@pytest.mark.slow
def test_no_figure_of_a_warm_invocation_is_told(measured: Comparison) -> None:
    found: Any = to_json(measured)["results"]
    for each in found:
        assert each["figures"]["warm"] is None
        assert each["figures"]["rerun"] is None
        assert each["rank"] is None
    (table,) = [tasks_table(measured)]
    assert len(table.rows) == 3


#: A comparison of tasks that never end; its argument is the folder of the artefact.
ENDLESS = """
    import sys
    from dataclasses import replace
    from pathlib import Path
    from harness import cli
    from harness.model import Artefact

    def build(implementations, _progress):
        return {each.language: Artefact(each, Path(sys.argv[1]), 1, 1) for each in implementations}

    command = ["compare", "--target", "task", "--languages", "go", "--clients", "light"]
    target = replace(cli._local_target(None), build=build)
    sys.exit(cli.main([*command, "--objects", "3", "--no-floor"], target))
"""


@pytest.mark.slow
@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_ends_a_task_that_runs(
    bundles: None, sign: signal.Signals, tmp_path: Path
) -> None:
    artefact, temporary = tmp_path / "artefact", tmp_path / "temporary"
    artefact.mkdir()
    temporary.mkdir()
    (artefact / "bootstrap").write_text("#!/bin/sh\nsleep 3000\n")
    (artefact / "bootstrap").chmod(0o755)
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(ENDLESS), artefact],
        env={**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(temporary)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=partial(signal.signal, sign, signal.SIG_DFL),
    )
    try:
        family: list[psutil.Process] = []
        while not any(each.name() == "sleep" for each in family):
            assert process.poll() is None, process.communicate()[1]
            time.sleep(0.05)
            family = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(sign)
        _, err = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 130
    assert err.splitlines()[-1] == "interrupted"
    assert list(temporary.iterdir()) == []
    _, alive = psutil.wait_procs(family, timeout=60)
    assert alive == []


@pytest.mark.slow
def test_a_task_that_fails_is_told(
    bundles: None, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: Any
) -> None:
    made = built("go")
    assert isinstance(made, Artefact)
    bootstrap = tmp_path / "bootstrap"
    bootstrap.write_text("#!/bin/sh\necho broken\nexit 5\n")
    bootstrap.chmod(0o755)
    real = cli._local_target(None)
    target = replace(real, build=lambda _all, _tell: {"go": replace(made, folder=tmp_path)})
    command = ["compare", "--target", "task", "--languages", "go", "--clients", "light"]
    assert cli.main([*command, "--objects", "3", "--no-floor"], target) == 1
    assert "exit code 5: broken" in capsys.readouterr().out
