"""Control groups for one run's sandboxes: cgroup v1, cgroup v2, or a scope of systemd.

A group is made below the harness's own, so that limits on the harness also limit the function.
A killed run leaves its groups behind. Their names tell their owner, so the next run removes them.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from harness.targets.local import cgroup_files as files

_SCOPE_TIMEOUT_S = 5.0
_ENV = "/usr/bin/env"


class NoGroupError(Exception):
    """This machine does not support this kind of group; the message says why."""


@dataclass(frozen=True, slots=True)
class CpuUse:
    """A group's CPU time since its start, and how often its quota stopped it.

    ``periods`` counts the periods in which a process ran under a quota. The numbers come from
    ``cpu.stat`` and, in v1, ``cpuacct.usage``; one that the kernel does not count is ``None``.
    """

    cpu_ms: float | None
    periods: int | None
    throttled_periods: int | None
    throttled_ms: float | None


class Group(Protocol):
    """One control group with a memory limit. ``prefix`` has to precede the command."""

    prefix: Sequence[str]

    def join(self) -> None:
        """Move the calling process into the group. A child calls it between fork and exec."""
        ...

    def started(self, pid: int) -> None:
        """Wait until the child is in the group. Raises ``NoGroupError`` if that fails."""
        ...

    def set_quota(self, quota_us: int | None, period_us: int) -> None:
        """Set the CPU time per period, over all cores; ``None`` removes the quota.

        Raises ``OSError`` if the kernel refuses it.
        """
        ...

    def swap_is_off(self) -> bool: ...
    def cpu_use(self) -> CpuUse: ...
    def oom_kills(self) -> int | None: ...
    def remove(self) -> None:
        """Kill the processes in the group and remove it. It may be called twice."""
        ...


class V1Group:
    """A folder in each hierarchy of cgroup v1: cpu, memory and, to count CPU time, cpuacct."""

    def __init__(self, memory_bytes: int) -> None:
        own = files.own_groups()
        if missing := {"cpu", "memory"} - own.keys():
            raise NoGroupError(f"no {' and '.join(sorted(missing))} controller is mounted")
        self.prefix: Sequence[str] = ()
        self._descriptors: list[int] = []
        name = files.new_name()
        parents = {own[each] for each in ("cpu", "memory", "cpuacct") if each in own}
        self._folders = [parent / name for parent in sorted(parents)]
        self._cpu, self._memory = own["cpu"] / name, own["memory"] / name
        self._accounting = own["cpuacct"] / name if "cpuacct" in own else None
        try:
            for folder in self._folders:
                files.make(folder)
            files.write(self._memory / "memory.limit_in_bytes", memory_bytes)
            self._swap_is_off = files.try_write(
                self._memory / "memory.memsw.limit_in_bytes", memory_bytes
            )
            # opened here: the child may only make calls
            self._descriptors = [
                files.open_to_write(folder / "cgroup.procs") for folder in self._folders
            ]
        except OSError as error:
            self.remove()
            raise NoGroupError(files.words(error)) from error

    def join(self) -> None:
        for descriptor in self._descriptors:
            os.write(descriptor, b"0")

    def started(self, pid: int) -> None:
        pass

    def set_quota(self, quota_us: int | None, period_us: int) -> None:
        files.write(self._cpu / "cpu.cfs_period_us", period_us)
        files.write(self._cpu / "cpu.cfs_quota_us", -1 if quota_us is None else quota_us)

    def swap_is_off(self) -> bool:
        return self._swap_is_off

    def cpu_use(self) -> CpuUse:
        stat = files.read_flat(self._cpu / "cpu.stat")
        throttled_ns = stat.get("throttled_time")
        used = (
            None if self._accounting is None else files.read_int(self._accounting / "cpuacct.usage")
        )
        return CpuUse(
            None if used is None else used / 1e6,
            stat.get("nr_periods"),
            stat.get("nr_throttled"),
            None if throttled_ns is None else throttled_ns / 1e6,
        )

    def oom_kills(self) -> int | None:
        return files.read_flat(self._memory / "memory.oom_control").get("oom_kill")

    def remove(self) -> None:
        for descriptor in self._descriptors:
            os.close(descriptor)
        self._descriptors = []
        for folder in self._folders:
            files.remove(folder)


class V2Group:
    """A folder of cgroup v2 where cpu and memory are handed down: below root or as delegated."""

    def __init__(self, memory_bytes: int) -> None:
        own = files.own_groups().get("")
        if own is None:
            raise NoGroupError("cgroup v2 is not mounted")
        # a group that holds processes hands nothing down, unless it is the root: then beside it
        parent = next((each for each in (own, own.parent) if files.hands_down(each)), None)
        if parent is None:
            raise NoGroupError("the cpu and memory controllers are not handed down to this group")
        self.prefix: Sequence[str] = ()
        self._descriptor: int | None = None
        self._folder: Path | None = parent / files.new_name()
        try:
            files.make(self._folder)
            files.write(self._folder / "memory.max", memory_bytes)
            self._swap_is_off = files.try_write(self._folder / "memory.swap.max", 0)
            self._descriptor = files.open_to_write(self._folder / "cgroup.procs")
        except OSError as error:
            self.remove()
            raise NoGroupError(files.words(error)) from error

    def join(self) -> None:
        if self._descriptor is not None:
            os.write(self._descriptor, b"0")

    def started(self, pid: int) -> None:
        pass

    def set_quota(self, quota_us: int | None, period_us: int) -> None:
        if self._folder is not None:
            files.write(self._folder / "cpu.max", f"{quota_us or 'max'} {period_us}")

    def swap_is_off(self) -> bool:
        return self._swap_is_off

    def cpu_use(self) -> CpuUse:
        stat = {} if self._folder is None else files.read_flat(self._folder / "cpu.stat")
        used_us, throttled_us = stat.get("usage_usec"), stat.get("throttled_usec")
        return CpuUse(
            None if used_us is None else used_us / 1e3,
            stat.get("nr_periods"),
            stat.get("nr_throttled"),
            None if throttled_us is None else throttled_us / 1e3,
        )

    def oom_kills(self) -> int | None:
        if self._folder is None:
            return None
        return files.read_flat(self._folder / "memory.events").get("oom_kill")

    def remove(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
        if self._folder is not None:
            files.remove(self._folder)


class ScopeGroup(V2Group):
    """A transient scope that systemd makes for the command; root's, or else the user's.

    systemd moves the child into the scope, and ends the scope with its last process. The quota is
    written to the scope's own file, which is faster than a second call of systemd.
    """

    def __init__(self, memory_bytes: int) -> None:
        if (systemd_run := shutil.which("systemd-run")) is None:
            raise NoGroupError("systemd-run is not on PATH")
        self._unit = f"{files.new_name()}.scope"
        self._folder, self._descriptor = None, None
        self._swap_is_off = True
        is_root = os.geteuid() == 0
        # the function's environment lacks the address of the user's systemd
        runtime = f"XDG_RUNTIME_DIR={os.environ.get('XDG_RUNTIME_DIR', '')}"
        self.prefix = (
            *(() if is_root else (_ENV, runtime)),
            systemd_run,
            *(() if is_root else ("--user",)),
            *("--scope", "--quiet", "--collect", f"--unit={self._unit}"),
            # with any quota, systemd enables the cpu controller for the scope
            *("-p", "CPUQuota=10000%", "-p", "CPUQuotaPeriodSec=20ms"),
            *("-p", f"MemoryMax={memory_bytes}", "-p", "MemorySwapMax=0", "--"),
            *(() if is_root else (_ENV, "--unset=XDG_RUNTIME_DIR")),
        )

    def started(self, pid: int) -> None:
        end = time.monotonic() + _SCOPE_TIMEOUT_S
        while time.monotonic() < end:
            folder = files.own_groups(pid).get("")
            if folder is not None and folder.name == self._unit:
                self._folder = folder
                return
            # WNOWAIT: the child is not reaped here
            if os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None:
                raise NoGroupError("systemd-run failed: no running systemd accepts scopes")
            time.sleep(0.005)
        raise NoGroupError(f"systemd made no scope within {_SCOPE_TIMEOUT_S:.0f} s")
