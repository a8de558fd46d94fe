"""The faults of this machine that prevent a comparison, each with a remedy; changes nothing."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

from harness.model import Finding, NotReady
from harness.targets.local.cgroup_probe import find_kind
from harness.targets.local.ports import free_ports
from harness.toolchain.paths import ROOT

_LEAST_FREE_BYTES = 5 << 30  # the tools, their caches and the builds take about 3 GiB


def check_machine() -> Iterator[Finding]:
    """Check ports, limits and disk. ``harness.toolchain.check`` checks the toolchains."""
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
    free = shutil.disk_usage(ROOT).free
    detail = f"{free / 2**30:.0f} GiB are free at {ROOT}"
    if free >= _LEAST_FREE_BYTES:
        yield Finding("disk", True, detail)
    else:
        remedy = f"free {_LEAST_FREE_BYTES >> 30} GiB: tools and builds need them"
        yield Finding("disk", False, detail, remedy)
