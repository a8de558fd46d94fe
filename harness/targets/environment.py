"""The environment of a comparison: the machine and the state of the checkout."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import subprocess
from pathlib import Path

import psutil

from harness.toolchain.paths import ROOT


def describe() -> dict[str, object]:
    """The export's ``environment``; ``commit`` and ``clean`` are ``None`` outside of git.

    ``load`` is the number of threads that were ready to run in the last minute.
    """
    commit = _git("rev-parse", "--short=12", "HEAD")
    changes = _git("status", "--porcelain")
    return {
        "cpu": _cpu(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_mb": psutil.virtual_memory().total // 10**6,
        "kernel": f"{platform.system()} {platform.release()}",
        "architecture": platform.machine(),
        "load": round(os.getloadavg()[0], 2),
        "emulator": f"aws-sam-cli {importlib.metadata.version('aws-sam-cli')}",
        "commit": commit,
        "clean": None if commit is None or changes is None else changes == "",
    }


def _cpu() -> str | None:
    for line in Path("/proc/cpuinfo").read_text(errors="replace").splitlines():
        name, _, value = line.partition(":")
        if name.strip() in ("model name", "Model"):
            return value.strip()
    return None


def _git(*arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False
        )
    except OSError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None
