"""The cores of a function and of its S3 server."""

from __future__ import annotations

import os
from pathlib import Path

import psutil
import pytest

from harness.model import Artefact, Implementation
from harness.targets.interface import Placement
from harness.targets.local import placement
from harness.targets.local.placement import pinned, place
from harness.targets.local.s3server import S3Server
from harness.targets.local.sandbox import LocalSandbox

needs_two_cores = pytest.mark.skipif(
    len(os.sched_getaffinity(0)) < 2, reason="needs two cores to tell one from the other"
)


def threads(monkeypatch: pytest.MonkeyPatch, *cores: int) -> None:
    monkeypatch.setattr(placement, "_threads_beside", lambda core: frozenset(cores))


def test_the_function_has_a_core_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    threads(monkeypatch, 3)

    assert place({0, 1, 3}) == Placement(frozenset({3}), frozenset({0, 1}))


def test_the_other_thread_of_the_functions_core_stays_idle(monkeypatch: pytest.MonkeyPatch) -> None:
    threads(monkeypatch, 1, 3)

    assert place({0, 1, 2, 3}) == Placement(frozenset({3}), frozenset({0, 2}))


def test_two_threads_of_one_core_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    threads(monkeypatch, 0, 1)

    found = place({0, 1})

    assert (found.sandbox, found.others) == (frozenset({1}), frozenset({0}))
    assert found.reason == "the cores are hardware threads of one physical core"


def test_one_core_is_shared_and_told() -> None:
    found = place({5})

    assert found.sandbox is found.others is None
    assert found.reason is not None
    assert "share the only core" in found.reason


@needs_two_cores
def test_sandbox_server_and_harness_run_where_they_are_put(tmp_path: Path) -> None:
    (tmp_path / "where.py").write_text(
        "import os\ndef handle(event, context):\n    return sorted(os.sched_getaffinity(0))\n"
    )
    implementation = Implementation(
        "python", "WhereFunction", "python3.13", "where.handle", tmp_path, 256, 5, {}
    )
    before = os.sched_getaffinity(0)
    found = place()
    assert found.sandbox is not None
    assert found.others is not None

    with pinned(found.others):
        harness = os.sched_getaffinity(0)
        with S3Server(cores=found.others) as server:
            assert server._process is not None
            served = psutil.Process(server._process.pid).cpu_affinity()
        with LocalSandbox(
            Artefact(implementation, tmp_path, 0, 0), {}, cores=found.sandbox
        ) as sandbox:
            ran = sandbox.invoke({}).result

    assert ran == sorted(found.sandbox)
    assert served == sorted(found.others)
    assert harness == found.others
    assert os.sched_getaffinity(0) == before
