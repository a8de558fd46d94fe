"""Which kind of control group works on this machine: tried, not guessed."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from functools import cache

from harness.local.cgroups import NoGroupError, ScopeGroup, V1Group, V2Group

_PROBE_TIMEOUT_S = 10.0

KINDS: Mapping[str, type[V1Group | V2Group]] = {
    "cgroup v1": V1Group,
    "cgroup v2": V2Group,
    "systemd scope": ScopeGroup,
}


@cache
def find_kind() -> tuple[str | None, str | None]:
    """(the first of ``KINDS`` that works here, ``None``), or (``None``, why none does).

    Tried with a process in a group that is removed again; once per run.
    """
    reasons = []
    for name, kind in KINDS.items():
        try:
            _probe(kind)
        except (NoGroupError, OSError, subprocess.SubprocessError) as error:
            reasons.append(f"{name}: {error}")
        else:
            return name, None
    return None, "; ".join(reasons)


def _probe(kind: type[V1Group | V2Group]) -> None:
    group = kind(64 << 20)
    try:
        with subprocess.Popen(
            [*group.prefix, "cat"],
            env={"PATH": os.defpath},
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            preexec_fn=group.join,
        ) as child:
            try:
                group.started(child.pid)
                group.set_quota(20_000, 20_000)
                if group.oom_kills() is None:
                    raise NoGroupError("the kernel does not count kills for want of memory")
                child.communicate(timeout=_PROBE_TIMEOUT_S)
            finally:
                child.kill()
    finally:
        group.remove()
