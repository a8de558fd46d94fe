"""The memory column shows a function that leaks memory."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import pytest

from harness.analysis.row_summary import summarise_row
from harness.compare.schedule import Plan, run_plan
from harness.model import Artefact, Implementation, Invocation, Role, Row, Verdict, VerdictKind
from harness.targets.interface import Sandbox
from harness.targets.local.sandbox import LocalSandbox

pytestmark = pytest.mark.slow

LEAKED_MIB, WARM = 20, 3
CODE = f"""
import os

kept = []

def handle(event, context):
    held = bytearray({LEAKED_MIB} << 20)
    if os.environ["LEAKS"]:
        kept.append(held)
    return {{}}
"""


@dataclass
class Leaky:
    artefact: Artefact
    name: str
    role: Role = Role.LANGUAGE

    def start(self) -> AbstractContextManager[Sandbox]:
        leaks = "yes" if self.name == "leaky" else ""
        return LocalSandbox(self.artefact, {"LEAKS": leaks}, reset_peak=True)


class Nothing:
    """A destination that accepts any output."""

    def clear(self) -> None:
        pass

    def judge(
        self, invocation: Invocation, *, half: bool = False, role: Role = Role.LANGUAGE
    ) -> Verdict:
        assert invocation.result == {}
        return Verdict(VerdictKind.MATCH)

    def stored_bytes(self) -> int:
        return 0

    def server_cpu_ms(self) -> float | None:
        return None


@pytest.mark.timeout(600)
def test_a_leak_shows_in_the_memory_column(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(CODE)
    runtime = ("python3.13", "app.handle", tmp_path, 512, 60)
    artefact = Artefact(Implementation("python", "F", *runtime, {}), tmp_path, 0, 0)
    candidates = [Leaky(artefact, name) for name in ("steady", "leaky")]
    plan = Plan({}, cold=0, warm=WARM, rerun=0, again=False)
    found = run_plan(plan, candidates, Nothing(), lambda _: None, lambda: 0.0)
    peaks = {}
    for name, outcome in found.outcomes.items():
        assert outcome.matched, outcome.verdict.reason
        row = Row(name, "sdk", Verdict(VerdictKind.MATCH), samples=tuple(outcome.samples))
        peak = summarise_row(row, {"sources": 1, "source_bytes": 1}).peak_rss_bytes
        assert peak is not None
        peaks[name] = peak / 2**20
    # two invocations warmed it up; the steady function keeps the memory of one invocation
    kept_before_the_last = (2 + WARM - 1) * LEAKED_MIB
    assert peaks["leaky"] - peaks["steady"] == pytest.approx(kept_before_the_last, rel=0.2)
