"""The faults of this machine that prevent a comparison, each with a remedy; changes nothing."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

from harness.model import Finding, NotReady
from harness.scratch import temporary
from harness.targets.local.cgroup_probe import find_kind
from harness.targets.local.ports import free_ports
from harness.toolchain.paths import MADE, ROOT
from harness.toolchain.tools import damaged_folders

_LEAST_FREE_BYTES = 5 << 30  # the tools, their caches and the builds take about 3 GiB
_LEAST_TEMPORARY_BYTES = 1 << 30


def check_machine() -> Iterator[Finding]:
    """Check ports, limits, tools and disk. ``harness.toolchain.check`` checks the toolchains."""
    try:
        free_ports(2)
        yield Finding("ports", True, "servers can listen on 127.0.0.1")
    except (NotReady, OSError) as error:
        remedy = "let this user open ports above 1023 on 127.0.0.1"
        yield Finding("ports", False, f"no server can listen on 127.0.0.1: {error}", remedy)
    kind, reason = find_kind()
    if kind is not None:
        yield Finding("limits", True, f"Lambda's share of CPU and memory by {kind}")
    else:
        remedy = "run compare as root or in a systemd user session, or use --no-limits"
        yield Finding("limits", False, f"no control group can limit a function: {reason}", remedy)
    damaged = damaged_folders()
    if not damaged:
        yield Finding("tools", True, f"no damaged folder in {MADE}")
    for folder in damaged:
        remedy = "run make setup, which makes it again"
        yield Finding("tools", False, f"{folder} lacks files", remedy)
    yield _check_disk("disk", ROOT, _LEAST_FREE_BYTES, "free {} GiB: tools and builds need them")
    words = "free {} GiB for the day and its output, or set TMPDIR to a folder with more"
    yield _check_disk("TMPDIR", temporary(), _LEAST_TEMPORARY_BYTES, words)


def _check_disk(name: str, folder: Path, least: int, remedy: str) -> Finding:
    free = shutil.disk_usage(folder).free
    detail = f"{free / 2**30:.1f} GiB are free at {folder}"
    if free >= least:
        return Finding(name, True, detail)
    return Finding(name, False, detail, remedy.format(least >> 30))
