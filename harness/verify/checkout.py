"""A copy of one language's folder, and the run of a language's own tests in it."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Sequence
from pathlib import Path
from subprocess import DEVNULL, PIPE, STDOUT, Popen, TimeoutExpired

from harness.scratch import dies_with_parent, scratch
from harness.toolchain.paths import ROOT


def copy_language(language: str, root: Path) -> Path:
    """Copy the language into ``root``, with links to the shared folders beside it."""
    original, code = ROOT / language, root / language
    waste = shutil.ignore_patterns("node_modules", "__pycache__", ".*_cache")
    shutil.copytree(original, code, ignore=waste)
    if (original / "node_modules").exists():
        (code / "node_modules").symlink_to(original / "node_modules")
    for shared in ("tests", "tools", ".tools", "requirements.txt"):
        (root / shared).symlink_to(ROOT / shared)
    return code


def run_tests(command: Sequence[str], folder: Path, seconds: float) -> tuple[int | None, str]:
    """The exit code, ``None`` after the time limit, and the output."""
    with (
        scratch("own-tests") as temporary,
        Popen(
            command,
            cwd=folder,
            env={**os.environ, "TMPDIR": str(temporary)},
            stdin=DEVNULL,
            stdout=PIPE,
            stderr=STDOUT,
            start_new_session=True,
            preexec_fn=dies_with_parent(),
        ) as process,
    ):
        try:
            output, _ = process.communicate(timeout=seconds)
        except BaseException as error:
            os.killpg(process.pid, signal.SIGKILL)  # a test runner has children
            if not isinstance(error, TimeoutExpired):
                raise
            return None, ""
    return process.returncode, output.decode(errors="replace")
