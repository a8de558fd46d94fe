"""The command line: exit codes, the use of stdout and stderr, and clean ends."""

from __future__ import annotations

import json
import os
import platform
import re
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Never

import psutil
import pytest
from fake_machine import FakeMachine, implementation

from harness.cli import main
from harness.commands.output_files import reserved
from harness.scratch import owned_name

ROOT = Path(__file__).parent.parent
SMALL = ("compare", "--objects", "30", "--cold", "1", "--warm", "1")


def drop_one(records: list[bytes]) -> list[bytes]:
    return records[:-1]


def test_all_match(capsys: pytest.CaptureFixture[str]) -> None:
    machine = FakeMachine()
    assert main(SMALL, machine.target()) == 0
    out, err = capsys.readouterr()
    assert out.count(" match ") == 4
    assert "round 1: warm go sdk" in err.splitlines()
    assert "measuring" not in out
    assert machine.done.count("start go") == machine.done.count("stop go") == 3
    assert machine.done[-1] == "stop serving"


def test_once_each_row_runs_once(tmp_path: Path) -> None:
    machine, export = FakeMachine(), tmp_path / "comparison.json"
    asked = ("compare", "--objects", "30", "--once", "--export-json", str(export))
    assert main(asked, machine.target()) == 0
    assert machine.done.count("start go") == 1
    results = json.loads(export.read_text())["results"]
    assert {sample["kind"] for each in results for sample in each["samples"]} == {"cold"}
    assert {len(each["samples"]) for each in results if each["verdict"] == "match"} == {1}


def test_a_mismatch_shows_the_first_difference(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    export = tmp_path / "comparison.json"
    machine = FakeMachine(spoil={"java": drop_one})
    assert main([*SMALL, "--export-json", str(export)], machine.target()) == 1
    out = capsys.readouterr().out
    assert "java sdk: mismatch 2024/02/08/" in out
    assert "the chunk ends too early" in out
    results = {each["language"]: each for each in json.loads(export.read_text())["results"]}
    assert results["java"]["verdict"] == "mismatch"
    assert results["java"]["samples"] == []
    assert len(results["go"]["samples"]) == 3
    assert results["go"]["output"]["sources"] == 30


def test_the_functions_own_words_come_before_the_difference(
    capsys: pytest.CaptureFixture[str],
) -> None:
    told = [{"event": "bad_source", "key": key, "code": "MISSING"} for key in ("AWSLogs/x", "y")]
    machine = FakeMachine(spoil={"java": drop_one}, log={"java": told})
    assert main(SMALL, machine.target()) == 1
    out = capsys.readouterr().out
    words = "the function could not read AWSLogs/x and 1 more: MISSING"
    assert 0 < out.index(words) < out.index("the chunk ends too early")


@pytest.mark.parametrize(
    ("settings", "code", "message"),
    [
        ({"MAX_SOURCE_BYTES": "1000"}, 2, "goFunction has no numeric variable CHUNK_BYTES"),
        (
            {"CHUNK_BYTES": "1000", "MAX_SOURCE_BYTES": ""},
            2,
            "no numeric variable MAX_SOURCE_BYTES",
        ),
        (None, 1, "gives python other settings than go"),
    ],
)
def test_settings_that_a_comparison_lacks(
    capsys: pytest.CaptureFixture[str], settings: dict[str, str] | None, code: int, message: str
) -> None:
    chosen = [implementation("go", settings)]
    if settings is None:
        chosen.append(implementation("python", {"CHUNK_BYTES": "1", "MAX_SOURCE_BYTES": "1"}))
    assert main(SMALL, replace(FakeMachine().target(), load=lambda: chosen)) == code
    assert message in capsys.readouterr().err


def test_chunks_are_cut_as_the_template_says(tmp_path: Path) -> None:
    export = tmp_path / "comparison.json"
    assert main([*SMALL, "--export-json", str(export)], FakeMachine().target()) == 0
    exported = json.loads(export.read_text())
    assert exported["fixture"]["chunks"] > 3
    assert exported["settings"]["CHUNK_BYTES"] == 50000


def test_a_missing_tool_skips_its_language(capsys: pytest.CaptureFixture[str]) -> None:
    machine = FakeMachine(missing={"java": "mvn"})
    assert main(SMALL, machine.target()) == 0
    assert "java sdk: skipped mvn is not on PATH: install mvn" in capsys.readouterr().out
    assert machine.done[0] == "build python javascript go"


@pytest.mark.parametrize("option", [("--languages", "go,java"), ("--require-all",)])
def test_a_language_that_has_to_run_and_cannot(
    option: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    machine = FakeMachine(missing={"java": "mvn"})
    assert main([*SMALL, *option], machine.target()) == 3
    out, err = capsys.readouterr()
    assert "java: mvn is not on PATH: install mvn" in err
    assert out == ""
    assert machine.done == []


def test_named_languages_run_alone() -> None:
    machine = FakeMachine(missing={"java": "mvn"})
    assert main([*SMALL, "--languages", "go, python"], machine.target()) == 0
    assert machine.done[0] == "build python go"


def test_nothing_that_can_run_is_not_a_match() -> None:
    assert main(SMALL, FakeMachine(languages=["java"], missing={"java": "mvn"}).target()) == 3


def test_a_failed_build_is_a_failed_run(capsys: pytest.CaptureFixture[str]) -> None:
    machine = FakeMachine(unbuildable={"go": "main.go:7: undefined: x"})
    assert main(SMALL, machine.target()) == 1
    assert "go sdk: failed main.go:7: undefined: x" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ((*SMALL, "--languages", "cobol"), "known are python, java, javascript, go"),
        ((*SMALL, "--export-json", "/no/such/folder/file"), "can't be written"),
        ((*SMALL, "--export-json", "/"), "can't be written"),
        (("compare", "--source", "/no/such", "--day", "2024-02-08"), "is not a folder"),
        (("compare", "--source", "/"), "--source needs --day"),
        ((*SMALL, "--source", "/", "--day", "2024-02-08"), "leave out --source"),
        (("compare", "--day", "8 February"), "not a day of the form YYYY-MM-DD"),
        (("compare", "--objects", "0"), "of at least 1"),
        (("compare", "--warm", "-1"), "of at least 0"),
        ((*SMALL, "--once"), "leave out --cold, --warm"),
        (("compare", "--max-slowdown", "1.1"), "--max-slowdown needs --baseline FILE"),
        (("compare", "--max-slowdown", "inf"), "inf is not 1 or a number above it"),
        (("compare", "--region", "eu-central-1"), "need --target aws"),
        (("doctor", "--region", "eu-central-1"), "add --stack NAME"),
        (("compare", "--languages", ","), "give at least one name"),
        (("measure",), "invalid choice"),
        ((), "required"),
    ],
)
def test_wrong_usage_starts_nothing(
    arguments: tuple[str, ...], complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    machine = FakeMachine()
    assert main(arguments, machine.target()) == 2
    out, err = capsys.readouterr()
    assert complaint in err
    assert out == ""
    assert machine.done == []


def test_a_day_from_a_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "AWSLogs/111122223333/CloudTrail/us-east-1/2023/07/10"
    folder.mkdir(parents=True)
    (folder / "a.json").write_text('{"Records": [{"n": 1.0},\n {}]}')
    arguments = ("compare", "--source", str(tmp_path), "--day", "2023-07-10")
    assert main(arguments, FakeMachine().target()) == 0
    assert "2023-07-10, given: 1 source, 0.0 MB" in capsys.readouterr().out


def test_doctor_names_each_remedy(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor"], FakeMachine().target()) == 0
    assert "missing" not in capsys.readouterr().out
    assert main(["doctor"], FakeMachine(missing={"java": "mvn"}).target()) == 3
    out = capsys.readouterr().out
    assert "missing  tool: mvn is not on PATH" in out
    assert "install mvn" in out


def test_another_operating_system_gets_one_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(platform, "system", lambda: "Darwin")
    assert main(SMALL) == 3
    assert len(capsys.readouterr().err.splitlines()) == 1


# ---- interruption, in a process of its own ----

SCRIPT = """
    import subprocess, sys, time
    from fake_machine import FakeMachine, implementation
    from harness.cli import main

    class Slow(FakeMachine):
        def _build(self, implementations, progress):
            # a build tool that starts another: only the kernel knows the second one
            subprocess.run(["sh", "-c", "sleep 300 & echo built; sleep 300"])

    class Stuck(FakeMachine):
        def _sandbox(self, artefact, env, *others, **options):
            print("invoking", flush=True)
            time.sleep(300)

    machine = Slow() if sys.argv[1] == "build" else Stuck()
    sys.exit(main(["compare", "--objects", "5"], machine.target()))
"""


@pytest.mark.slow
@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
@pytest.mark.parametrize("when", ["build", "invoke"])
def test_an_interruption_leaves_nothing(when: str, sign: signal.Signals, tmp_path: Path) -> None:
    environment = {
        **os.environ,
        "PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}",
        "TMPDIR": str(tmp_path),
    }
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(SCRIPT), when],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        # a signal that nohup or a shell ignores would stay ignored
        preexec_fn=partial(signal.signal, sign, signal.SIG_DFL),
    )
    assert process.stdout is not None
    assert process.stdout.readline() in ("built\n", "invoking\n")
    family = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(sign)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert err.splitlines()[-1] == "interrupted"
    assert list(tmp_path.iterdir()) == []
    await_(lambda: not any(child.is_running() for child in family))


def await_(condition: Callable[[], bool]) -> None:
    for _ in range(3000):
        if condition():
            return
        time.sleep(0.02)
    pytest.fail("still not so after a minute")


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("--objects", "x"), "x is not a whole number of at least 1"),
        (("--objects", "0"), "0 is not a whole number of at least 1"),
        (("--warm", "-1"), "-1 is not a whole number of at least 0"),
        (("--day", "0999-01-01"), "0999-01-01 is before the year 1000"),
    ],
)
def test_a_wrong_number_is_named(
    arguments: tuple[str, ...], complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(("compare", *arguments), FakeMachine().target()) == 2
    assert complaint in capsys.readouterr().err


def test_a_full_disk_is_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    def full(*_: object) -> Never:
        raise OSError(28, "No space left on device", "somewhere")

    target = replace(FakeMachine().target(), build=full)
    assert main(SMALL, target) == 3
    *_, fault, remedy = capsys.readouterr().err.splitlines()
    assert fault == "somewhere: No space left on device"
    assert re.search(r"/\S+ has [\d,]+ MiB free: free space there, or set TMPDIR", remedy)


def test_a_full_disk_costs_the_export_and_not_the_table(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, *_: object, **__: object) -> Never:
        path.touch()
        raise OSError(28, "No space left on device")

    export, page = tmp_path / "out.json", tmp_path / "page.md"
    monkeypatch.setattr(Path, "write_text", full)
    arguments = (*SMALL, "--export-json", str(export), "--markdown", str(page))
    assert main(arguments, FakeMachine().target()) == 3
    out, err = capsys.readouterr()
    assert out.count(" match ") == 4
    for file in (export, page):
        assert f"{file} can't be written: the disk is full: free space there" in err
    assert list(tmp_path.iterdir()) == []


# ---- equal paths ----


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        (("--csv", "a", "--html", "a"), "are one file"),
        (("--csv", "a", "--html", "folder/../a"), "are one file"),
        (("--csv", "a", "--export-json", "link"), "are one file"),
        (("--csv", "baseline.json", "--baseline", "baseline.json"), "would replace the input"),
        (("--csv", "hard.json", "--baseline", "baseline.json"), "would replace the input"),
        (("--html", "baseline.json", "--resume", "baseline.json"), "would replace the input"),
        (("--csv", "AWSLogs/x", "--source", ".", "--day", "2024-02-08"), "among the sources"),
        (("--csv", "x", "--source", "AWSLogs", "--day", "2024-02-08"), None),
    ],
)
def test_equal_paths_are_refused_before_the_work(
    given: tuple[str, ...],
    complaint: str | None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    for folder in ("folder", "AWSLogs"):
        (tmp_path / folder).mkdir()
    (tmp_path / "link").symlink_to("a")
    (tmp_path / "baseline.json").write_text("{}")
    (tmp_path / "hard.json").hardlink_to("baseline.json")
    machine = FakeMachine()
    assert main(("compare", *given), machine.target()) == 2
    said = capsys.readouterr().err
    assert (complaint or "has no AWSLogs/") in said
    assert machine.done == []
    assert (tmp_path / "baseline.json").read_text() == "{}"


def test_a_report_does_not_replace_its_export(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    export = tmp_path / "a.json"
    export.write_bytes((ROOT / "tests/baseline.json").read_bytes())
    assert main(("report", str(export), "--html", str(export)), FakeMachine().target()) == 2
    assert "would replace the input" in capsys.readouterr().err
    assert export.read_bytes() == (ROOT / "tests/baseline.json").read_bytes()


def test_two_runs_do_not_write_one_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "out.json"
    with reserved([file]):
        assert main((*SMALL, "--export-json", str(file)), FakeMachine().target()) == 2
    assert f"another run writes {file}: name another file" in capsys.readouterr().err
    assert main((*SMALL, "--export-json", str(file)), FakeMachine().target()) == 0


def test_an_unfinished_file_of_a_killed_run_is_removed(tmp_path: Path) -> None:
    name = owned_name("output")
    _, place, pid, start, *_ = name.split("-")
    killed = tmp_path / f".rosetta-{place}-{pid}-{int(start) - 1}-output-0"
    running = tmp_path / f".{name}"
    for each in (killed, running):
        each.touch()
    arguments = ("report", str(ROOT / "tests/baseline.json"), "--csv", str(tmp_path / "out.csv"))
    assert main(arguments, FakeMachine().target()) == 0
    assert {*tmp_path.iterdir()} == {running, tmp_path / "out.csv"}


# ---- the end of the output ----


@pytest.mark.slow
@pytest.mark.parametrize(
    ("redirection", "code", "complaint"),
    [
        ("| true", 141, ""),
        ("2>&1 >/dev/null | true", 0, ""),  # a report has no progress
        (">&-", 2, "stdout is closed: redirect it to a file or to /dev/null\n"),
        ("2>&- >/dev/null", 0, ""),
        (">/dev/full", 3, "No space left on device"),
    ],
)
def test_an_output_that_nobody_reads(redirection: str, code: int, complaint: str) -> None:
    command = f'"{sys.executable}" -m harness report tests/baseline.json {redirection}'
    done = subprocess.run(
        ["bash", "-c", f"{command}; exit ${{PIPESTATUS[0]}}"],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    assert done.returncode == code
    assert complaint in done.stderr
    assert "Traceback" not in done.stderr
    assert bool(done.stderr) == bool(complaint)


def test_a_temporary_folder_that_does_not_exist_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path / "none"))
    assert main(SMALL, FakeMachine().target()) == 3
    assert f"TMPDIR is {tmp_path / 'none'}, which is no writable" in capsys.readouterr().err


def test_the_last_day_of_the_calendar() -> None:
    assert main((*SMALL, "--day", "9999-12-31"), FakeMachine().target()) == 0
