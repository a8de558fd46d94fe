"""Every vector against every built artefact under the Runtime Interface Emulator."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from _pytest.mark import ParameterSet

from harness.model import Artefact
from harness.verify.scripted_s3.server import ScriptedS3
from harness.verify.vectors.cases import Case, load_cases
from harness.verify.vectors.judge import judge
from harness.verify.vectors.sandbox_pool import SandboxPool

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def s3() -> Iterator[ScriptedS3]:
    """One address for all vectors: sandboxes are kept by their environment."""
    with ScriptedS3() as server:
        yield server


@pytest.fixture(scope="module")
def functions(artefact: Artefact) -> Iterator[SandboxPool]:
    with SandboxPool(artefact) as pool:
        yield pool


def with_marks(case: Case) -> ParameterSet:
    """A vector with a time limit waits for its end, and then has 0.8 s for its answer."""
    limited = any(step.timeout_s is not None for step in case.steps)
    return pytest.param(case, id=case.id, marks=[pytest.mark.timed] if limited else [])


@pytest.mark.parametrize("case", [with_marks(case) for case in load_cases()])
def test_vector(case: Case, functions: SandboxPool, s3: ScriptedS3) -> None:
    problems = judge(case, s3, functions)
    if problems:
        functions.stop()  # the next vector shall not suffer from this one
    assert not problems, "\n".join([case.title, *problems])
