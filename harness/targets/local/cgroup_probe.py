"""Finds the kind of control group that works on this machine by trying each."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from functools import cache

from harness.targets.local import cgroup_files as files
from harness.targets.local.cgroups import NoGroupError, ScopeGroup, V1Group, V2Group

_PROBE_TIMEOUT_S = 10.0

KINDS: Mapping[str, type[V1Group | V2Group]] = {
    "cgroup v1": V1Group,
    "cgroup v2": V2Group,
    "systemd scope": ScopeGroup,
}


@cache
def find_kind() -> tuple[str | None, str | None]:
    """(the first of ``KINDS`` that works here, ``None``), or (``None``, the reasons).

    A trial runs a process in a group and removes the group. The result is cached.
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


def may_limit() -> bool:
    """Whether this process may write the files of its own groups, and so set a limit.

    It looks at permissions only, so it is a check on :func:`find_kind`.
    """
    own = files.own_groups()
    v1 = [own[each] for each in ("cpu", "memory") if each in own]
    v2 = own.get("")
    handed = v2 is not None and any(files.hands_down(each) for each in (v2, v2.parent))
    return (len(v1) == 2 and all(os.access(each, os.W_OK) for each in v1)) or (
        v2 is not None and handed and os.access(v2, os.W_OK)
    )


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
                    raise NoGroupError("the kernel does not count out-of-memory kills")
                child.communicate(timeout=_PROBE_TIMEOUT_S)
            finally:
                child.kill()
    finally:
        group.remove()
