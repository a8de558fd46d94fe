"""A function under Lambda's share of CPU and memory, by this machine's control groups."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from harness.model import Artefact, FailureKind, Implementation, Invocation
from harness.targets.interface import Limits
from harness.targets.local import cgroup_files, cgroup_probe, limits, processes
from harness.targets.local.limits import limited
from harness.targets.local.sandbox import LocalSandbox

pytestmark = pytest.mark.slow

MIB = 1 << 20
FUNCTION = """
import os, subprocess, sys, time

def burn(seconds):
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass

def hold(size):
    return len(b"x" * size)

if os.path.exists("burn"):
    burn(0.1)
if os.path.exists("hold"):
    hold(140 << 20)

def handle(event, context):
    match event:
        case {"burn": seconds}:
            burn(seconds)
        case {"hold": size}:
            return hold(size)
        case {"sleep": seconds}:
            time.sleep(seconds)
        case {"exit": code}:
            os._exit(code)
        case {"fail": message}:
            raise ValueError(message)
        case {"kill": size}:
            hog = f"b'x' * {size}"
            return subprocess.run([sys.executable, "-c", hog]).returncode
        case {"leave": seconds}:
            command = f"sleep {seconds} >/dev/null 2>&1 & echo $!"
            return int(subprocess.check_output(command, shell=True, start_new_session=True))
        case {"groups": _}:
            return open("/proc/self/cgroup").read()
        case {"cores": _}:
            return sorted(os.sched_getaffinity(0))
"""


@pytest.fixture
def artefact(tmp_path: Path) -> Artefact:
    (tmp_path / "tiny.py").write_text(FUNCTION)
    implementation = Implementation(
        "python", "TinyFunction", "python3.13", "tiny.handle", tmp_path, 128, 60, {}
    )
    return Artefact(implementation, tmp_path, 0, 0)


@pytest.fixture
def limited_artefact(artefact: Artefact) -> Artefact:
    """Skips on a machine without limits, and fails there with CI_LIMITS=required."""
    mechanism, reason = limits.support()
    if mechanism is None:
        message = f"no limits on this machine: {reason}"
        if os.environ.get("CI_LIMITS") == "required":
            pytest.fail(message)
        pytest.skip(message)
    return artefact


@pytest.fixture
def no_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cgroup_probe, "find_kind", lambda: (None, "cgroup v1: not today"))


def own_folders() -> list[Path]:
    """The groups that this process made and that are still there."""
    parents = set(cgroup_files.own_groups().values())
    pattern = f"rosetta-*-{os.getpid()}-*"
    return [
        each for parent in parents for each in (*parent.glob(pattern), *parent.parent.glob(pattern))
    ]


@pytest.fixture(autouse=True)
def no_group_is_left() -> Iterator[None]:
    yield
    assert own_folders() == []


@pytest.mark.alone
@pytest.mark.parametrize("memory_mb", [256, 512])
def test_a_function_that_burns_gets_its_share(limited_artefact: Artefact, memory_mb: int) -> None:
    share = memory_mb / 1769
    got: list[float] = []
    with LocalSandbox(limited_artefact, {}, memory_mb, limits=Limits()) as sandbox:
        sandbox.invoke({})
        group = sandbox._limits
        while len(got) < 5 and not (got and max(got) > share * 0.5):  # a busy machine gives less
            before, begin = group.cpu_use(), time.monotonic()
            invocation = sandbox.invoke({"burn": 0.2})
            wall_ms, after = (time.monotonic() - begin) * 1e3, group.cpu_use()
            assert before is not None
            assert after is not None
            assert before.cpu_ms is not None
            assert after.cpu_ms is not None
            got.append((after.cpu_ms - before.cpu_ms) / wall_ms)
            assert (after.throttled_periods or 0) > (before.throttled_periods or 0)
            assert (invocation.throttled_ms or 0) > 0

    # the first and the last period may give one quota more
    assert share * 0.5 < max(got) < share * 1.25


@pytest.mark.alone
def test_the_first_handler_has_its_share_only(limited_artefact: Artefact) -> None:
    with LocalSandbox(limited_artefact, {}, limits=Limits()) as sandbox:
        first = sandbox.invoke({"burn": BURN_S})

    assert first.cold
    assert_throttled(first)


BURN_S = 0.15


def assert_throttled(invocation: Invocation) -> None:
    """That it burned with the share of 128 MB, but for the moment until the quota was set.

    A busy machine can only make it longer.
    """
    assert invocation.throttled_ms is not None
    assert invocation.duration_ms is not None
    assert invocation.throttled_ms > 0
    assert invocation.duration_ms > (BURN_S - 0.1) * 1e3 * 1769 / 128


@pytest.mark.alone
def test_every_init_has_the_full_cpu_and_the_next_handler_has_not(
    limited_artefact: Artefact,
) -> None:
    (limited_artefact.folder / "burn").touch()
    with LocalSandbox(limited_artefact, {}, limits=Limits()) as sandbox:
        cold = sandbox.invoke({})
        facts = sandbox.enforcement
        burning = sandbox.invoke({"burn": BURN_S})
        sandbox.invoke({"exit": 1})
        again = sandbox.invoke({})  # init once more
        burning_again = sandbox.invoke({"burn": BURN_S})
    with LocalSandbox(limited_artefact, {}, limits=Limits(throttle_init=True)) as sandbox:
        throttled = sandbox.invoke({})
        throttled_facts = sandbox.enforcement

    assert throttled.throttled_ms is not None
    for each in (cold, again):
        assert each.cold
        assert each.throttled_ms is not None
        assert each.throttled_ms < throttled.throttled_ms * 0.25
    for each in (burning, burning_again):
        assert_throttled(each)
    assert facts.quota_delay_ms is not None
    assert (facts.quota_us, facts.period_us) == (1447, 20_000)
    assert throttled_facts.quota_delay_ms is None
    assert throttled_facts.throttle_init


def test_a_function_that_leaks_is_killed_and_told_from_others(limited_artefact: Artefact) -> None:
    with LocalSandbox(limited_artefact, {}, limits=Limits()) as sandbox:
        fits = sandbox.invoke({"hold": 32 * MIB})
        leaked = sandbox.invoke({"hold": 140 * MIB})
        again = sandbox.invoke({"hold": 32 * MIB})
        exited = sandbox.invoke({"exit": 3})

    assert fits.result == again.result == 32 * MIB
    assert fits.failure is again.failure is None
    assert again.cold
    assert leaked.failure is not None
    assert leaked.failure.kind is FailureKind.OUT_OF_MEMORY
    assert leaked.failure.reason == "out of memory at 128 MB"
    assert leaked.error is not None
    assert leaked.error.startswith("out of memory at 128 MB: ")
    assert exited.failure is not None
    assert exited.failure.kind is FailureKind.DIED


def test_memory_is_limited_during_init(limited_artefact: Artefact) -> None:
    (limited_artefact.folder / "hold").touch()
    with LocalSandbox(limited_artefact, {}, limits=Limits()) as sandbox:
        invocation = sandbox.invoke({})

    assert invocation.failure is not None
    assert invocation.failure.reason == "out of memory at 128 MB"


def test_a_killed_child_of_a_function_that_goes_on_is_no_failure(
    limited_artefact: Artefact,
) -> None:
    with LocalSandbox(limited_artefact, {}, limits=Limits()) as sandbox:
        invocation = sandbox.invoke({"kill": 140 * MIB})

    assert (invocation.result, invocation.failure) == (-9, None)


@pytest.mark.alone
@pytest.mark.parametrize("asked", [None, Limits()], ids=["without", "with"])
def test_a_time_out_an_end_and_an_error_are_told_apart(
    artefact: Artefact, asked: Limits | None
) -> None:
    # long enough for the start of a runtime
    with LocalSandbox(artefact, {}, timeout_s=4, limits=asked) as sandbox:
        events: list[dict[str, object]] = [{"sleep": 30}, {"exit": 3}, {"fail": "BAD_JSON: no"}, {}]
        failures = [sandbox.invoke(event).failure for event in events]

    kinds = [None if each is None else each.kind for each in failures]
    assert kinds == [FailureKind.TIMED_OUT, FailureKind.DIED, FailureKind.ERROR, None]
    reasons = [each.reason for each in failures if each is not None]
    assert reasons[0] == "timed out after 4 s"
    assert "exit status 3" in reasons[1]
    assert reasons[2] == "BAD_JSON: no"


def test_the_function_and_the_emulator_are_inside_and_the_harness_is_not(
    limited_artefact: Artefact,
) -> None:
    with LocalSandbox(limited_artefact, {}, limits=Limits()) as sandbox:
        inside = str(sandbox.invoke({"groups": True}).result)
        assert sandbox._process is not None
        emulator = Path(f"/proc/{sandbox._process.pid}/cgroup").read_text()
        harness = Path("/proc/self/cgroup").read_text()

    assert inside == emulator
    assert "rosetta-" in inside
    assert "rosetta-" not in harness


def test_a_process_that_left_the_family_ends_with_the_group(limited_artefact: Artefact) -> None:
    with LocalSandbox(limited_artefact, {}, limits=Limits()) as sandbox:
        left = sandbox.invoke({"leave": 60}).result
        assert isinstance(left, int)
        process = psutil.Process(left)
        with pytest.raises(ZeroDivisionError), limited(128):
            assert own_folders()
            _ = 1 / 0

    assert not processes.is_alive(process)


@pytest.mark.usefixtures("no_limits")
def test_where_nothing_can_be_limited_the_reason_is_told(artefact: Artefact) -> None:
    with LocalSandbox(artefact, {}, limits=Limits()) as sandbox:
        invocation = sandbox.invoke({"hold": 140 * MIB})
        facts = sandbox.enforcement

    assert (facts.mechanism, facts.reason) == (None, "cgroup v1: not today")
    assert facts.quota_us is facts.swap_off is facts.quota_delay_ms is None
    assert (invocation.result, invocation.throttled_ms) == (140 * MIB, None)


@pytest.mark.parametrize(("memory_mb", "quota"), [(128, 1447), (1769, 20_000), (3538, 40_000)])
def test_the_quota_is_in_proportion_to_the_memory(memory_mb: int, quota: int) -> None:
    assert limits.quota_us(memory_mb) == quota


@pytest.mark.usefixtures("limited_artefact")
def test_a_share_above_the_cores_is_told() -> None:
    with limited(3538, cores=1) as found:
        assert found.enforcement.reason == "3,538 MB are 2.00 vCPUs, but the function may use 1"
    with limited(1769, cores=1) as found:
        assert found.enforcement.reason is None
