"""A function under the real emulator."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from harness import scratch
from harness.model import Artefact, FailureKind, Implementation, NotReady, PeakSince
from harness.scratch import is_own
from harness.targets.local import processes
from harness.targets.local.sandbox import LocalSandbox
from harness.toolchain import tools

pytestmark = pytest.mark.slow

HELLO = """
import json, os, time

print(json.dumps({"event": "loaded"}))

def handle(event, context):
    print("not a log line")
    print(json.dumps({"event": "called", "with": event}))
    match event:
        case {"fail": message}:
            raise ValueError(message)
        case {"sleep": seconds}:
            time.sleep(seconds)
        case {"spin": seconds}:
            end = time.process_time() + seconds
            while time.process_time() < end:
                pass
        case {"hold": size}:
            return len(bytearray(size))
        case {"exit": code}:
            os._exit(code)
        case {"environment": _}:
            return dict(os.environ)
    return {"ok": True}
"""


@pytest.fixture
def artefact(tmp_path: Path) -> Artefact:
    (tmp_path / "hello.py").write_text(HELLO)
    implementation = Implementation(
        "python", "HelloFunction", "python3.13", "hello.handle", tmp_path, 256, 10, {}
    )
    return Artefact(implementation, tmp_path, 0, 0)


@pytest.fixture
def sandbox(artefact: Artefact) -> Iterator[LocalSandbox]:
    with LocalSandbox(artefact, {"GREETING": "hello"}) as started:
        yield started


def test_the_first_invocation_is_cold_and_the_next_is_warm(sandbox: LocalSandbox) -> None:
    cold, begin = sandbox.invoke({"n": 1}), time.monotonic()
    warm = sandbox.invoke({"n": 2})
    warm_ms = (time.monotonic() - begin) * 1e3

    assert cold.result == warm.result == {"ok": True}
    assert cold.error is warm.error is None
    assert (cold.cold, warm.cold) == (True, False)
    assert cold.init_ms is not None
    assert cold.init_ms > 1
    assert warm.init_ms is None
    assert warm.duration_ms is not None
    assert 0 < warm.duration_ms < warm_ms
    assert list(cold.log) == [{"event": "loaded"}, {"event": "called", "with": {"n": 1}}]
    assert list(warm.log) == [{"event": "called", "with": {"n": 2}}]


@pytest.mark.alone
def test_the_emulator_s_own_report_is_handed_on_and_does_not_hold(sandbox: LocalSandbox) -> None:
    cold, warm = sandbox.invoke({}), sandbox.invoke({})
    assert cold.emulator is not None
    assert warm.emulator is not None
    assert cold.init_ms is not None
    assert cold.duration_ms is not None
    assert cold.peak_rss_bytes is not None

    # as the page says of it: should it ever hold, the page has to change
    assert cold.emulator.init_ms is not None
    assert cold.emulator.init_ms < cold.init_ms / 2
    assert cold.emulator.duration_ms > cold.init_ms + cold.duration_ms / 2
    assert cold.emulator.max_memory_mb == cold.emulator.memory_mb
    assert cold.emulator.max_memory_mb > 2 * cold.peak_rss_bytes / 2**20
    assert warm.emulator.init_ms is None
    assert warm.emulator.billed_ms >= warm.emulator.duration_ms


def test_an_exception_is_the_error_and_the_sandbox_goes_on(sandbox: LocalSandbox) -> None:
    failed = sandbox.invoke({"fail": "BAD_JSON: no"})

    assert failed.error == "BAD_JSON: no"
    assert failed.result is None
    assert sandbox.invoke({}).error is None


def test_a_payload_that_is_not_json_reaches_the_runtime(sandbox: LocalSandbox) -> None:
    invocation = sandbox.invoke(b"not json")

    assert invocation.error is not None
    assert "Unable to unmarshal input" in invocation.error


@pytest.mark.alone
def test_the_time_out_is_an_error_and_the_next_invocation_is_cold(artefact: Artefact) -> None:
    with LocalSandbox(artefact, {}, timeout_s=4) as sandbox:
        late = sandbox.invoke({"sleep": 30})
        again = sandbox.invoke({})

    assert late.error == "Task timed out after 4.00 seconds"
    assert late.duration_ms is None
    assert again.cold


def test_a_runtime_that_exits_is_an_error(sandbox: LocalSandbox) -> None:
    invocation = sandbox.invoke({"exit": 3})

    assert invocation.error is not None
    assert "exit status 3" in invocation.error


def test_a_runtime_that_ends_before_it_is_ready_tells_its_last_words(artefact: Artefact) -> None:
    code = "import os\nprint('no room at all', flush=True)\nos._exit(9)\n"
    (artefact.folder / "hello.py").write_text(code)
    with LocalSandbox(artefact, {}) as sandbox:
        invocation = sandbox.invoke({})
    assert invocation.failure is not None
    assert invocation.failure.kind is FailureKind.DIED
    assert invocation.error is not None
    assert "no room at all" in invocation.error


def test_a_handler_that_is_absent_is_an_error(artefact: Artefact) -> None:
    (artefact.folder / "hello.py").write_text("")
    with LocalSandbox(artefact, {}) as sandbox:
        invocation = sandbox.invoke({})

    assert invocation.error is not None
    assert "handle" in invocation.error


@pytest.mark.alone
def test_cpu_time_and_peak_memory_are_the_runtimes(sandbox: LocalSandbox) -> None:
    sandbox.invoke({})
    idle = sandbox.invoke({})
    spun = sandbox.invoke({"spin": 0.3})
    held = sandbox.invoke({"hold": 100 << 20})

    assert idle.cpu_ms is not None
    assert idle.cpu_ms < 100
    assert spun.cpu_ms is not None
    assert 300 <= spun.cpu_ms < 600
    assert idle.peak_rss_bytes is not None
    assert idle.peak_rss_bytes < 100 << 20
    assert held.peak_rss_bytes is not None
    assert held.peak_rss_bytes >= 100 << 20


def test_peak_memory_is_the_invocations_where_it_can_be_reset(
    artefact: Artefact, monkeypatch: pytest.MonkeyPatch
) -> None:
    held: dict[str, object] = {"hold": 60 << 20}
    with LocalSandbox(artefact, {}, reset_peak=True) as sandbox:
        cold, large, small = (sandbox.invoke(event) for event in ({}, held, {}))
        monkeypatch.setattr(processes, "reset_peak_rss", lambda pid: False)
        refused = sandbox.invoke({})
    with LocalSandbox(artefact, {}) as sandbox:
        _, _, since_start = (sandbox.invoke(event) for event in ({}, held, {}))

    assert {cold.peak_since, large.peak_since, small.peak_since} == {PeakSince.INVOCATION}
    assert (large.peak_rss_bytes or 0) >= 60 << 20 > (small.peak_rss_bytes or 0) > 0
    assert refused.peak_since is since_start.peak_since is PeakSince.START
    assert (since_start.peak_rss_bytes or 0) >= 60 << 20


def test_a_frozen_sandbox_stands_still_and_goes_on_when_it_is_thawed(sandbox: LocalSandbox) -> None:
    sandbox.invoke({})
    family = processes.descendants(os.getpid())
    runtimes = [each for each in family if each.cmdline()[1:3] == ["-m", "awslambdaric"]]
    sandbox.freeze()
    assert [each.status() for each in runtimes] == [psutil.STATUS_STOPPED] * len(runtimes)
    sandbox.thaw()
    answer = sandbox.invoke({})
    assert (answer.error, answer.cold) == (None, False)
    assert len(runtimes) == 1


def test_the_function_gets_lambdas_environment_and_nothing_of_the_users(
    artefact: Artefact, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "private")
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.invalid")
    with LocalSandbox(artefact, {"GREETING": "hello"}, memory_mb=512) as sandbox:
        environment = sandbox.invoke({"environment": True}).result

    assert isinstance(environment, dict)
    assert environment["GREETING"] == "hello"
    assert environment["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"] == "512"
    assert environment["LAMBDA_TASK_ROOT"] == str(artefact.folder)
    assert not {"AWS_PROFILE", "HTTPS_PROXY", "VIRTUAL_ENV", "PYTHONPATH"} & environment.keys()


def test_no_process_is_left_behind(artefact: Artefact) -> None:
    with LocalSandbox(artefact, {}) as sandbox:
        sandbox.invoke({})
        assert sandbox._process is not None
        emulator = sandbox._process.pid
        family = processes.descendants(emulator)
        assert family

    assert not psutil.pid_exists(emulator)
    assert not [each for each in family if processes.is_alive(each)]


def test_a_dead_emulator_is_an_error_with_its_last_words(sandbox: LocalSandbox) -> None:
    sandbox.invoke({})
    assert sandbox._process is not None
    processes.stop(sandbox._process)

    invocation = sandbox.invoke({})

    assert invocation.error is not None
    assert "gave no answer" in invocation.error
    assert "not a log line" in invocation.error


def test_children_die_with_a_harness_that_is_killed(tmp_path: Path) -> None:
    script = (
        "import sys, time, pathlib; from harness.targets.local import processes\n"
        "out = open(sys.argv[1], 'wb')\n"
        "child = processes.start(['/bin/sleep', '60'], cwd=pathlib.Path('/'), env={}, output=out)\n"
        "print(child.pid, flush=True); time.sleep(60)"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "output")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as harness:
        assert harness.stdout is not None
        child = psutil.Process(int(harness.stdout.readline()))
        harness.kill()

    end = time.monotonic() + 60
    while processes.is_alive(child) and time.monotonic() < end:
        time.sleep(0.01)
    assert not processes.is_alive(child)


def test_a_runtime_that_the_local_target_lacks_is_told(tmp_path: Path) -> None:
    implementation = Implementation("ruby", "F", "ruby3.4", "a.b", tmp_path, 128, 1, {})

    with pytest.raises(NotReady, match=r"does not support ruby3\.4"):
        LocalSandbox(Artefact(implementation, tmp_path, 0, 0), {}).start()


# ---- emulators that do not start well ----

EMULATOR = """#!{python}
import pathlib, socket, sys, time

calls = pathlib.Path(sys.argv[0] + ".calls")
calls.write_text(calls.read_text() + "x" if calls.exists() else "x")
if len(calls.read_text()) <= {failures}:
    sys.exit("the port is taken")
for address in (sys.argv[2], sys.argv[4]):
    host, port = address.split(":")
    server = socket.create_server((host, int(port)))
    server.detach()
    time.sleep(0.5)  # the runtime's port comes later
time.sleep(60)
"""


def play(failures: int, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put a program in the emulator's place that fails at its first starts."""
    program = folder / "emulator"
    program.write_text(EMULATOR.format(python=sys.executable, failures=failures))
    program.chmod(0o755)
    monkeypatch.setattr(tools, "rie_binary", lambda: program)
    return program


def test_a_sandbox_waits_for_the_runtimes_port_too(
    artefact: Artefact, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    play(0, tmp_path, monkeypatch)
    with LocalSandbox(artefact, {}) as sandbox, socket.socket() as runtime:
        assert runtime.connect_ex(("127.0.0.1", sandbox._ports[1])) == 0


def test_a_sandbox_that_does_not_listen_is_started_again(
    artefact: Artefact,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    program = play(1, tmp_path, monkeypatch)
    with LocalSandbox(artefact, {}):
        pass
    said = capsys.readouterr().err
    assert f"{program} ended with 1: the port is taken: if the program is damaged" in said
    assert said.endswith("starting the sandbox again\n")


def test_a_sandbox_that_never_listens_names_its_program(
    artefact: Artefact, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = play(9, tmp_path, monkeypatch)
    before = set(scratch.temporary().iterdir())
    with pytest.raises(NotReady, match=f"{program} ended with 1: the port is taken: if the"):
        LocalSandbox(artefact, {}).start()
    assert not [each for each in set(scratch.temporary().iterdir()) - before if is_own(each.name)]


@pytest.mark.parametrize("part", [0.001, 0.5])
def test_a_half_of_the_emulator_is_named(
    part: float, artefact: Artefact, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = tools.rie_binary().read_bytes()
    program = tmp_path / "half"
    program.write_bytes(whole[: int(len(whole) * part)])
    program.chmod(0o755)
    monkeypatch.setattr(tools, "rie_binary", lambda: program)
    with pytest.raises(NotReady, match=f"{program} .*: .*remove its folder and run make setup"):
        LocalSandbox(artefact, {}).start()
