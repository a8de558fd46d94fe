"""Ends and removes everything that a run left on this machine."""

from __future__ import annotations

from harness import scratch
from harness.targets.local import cgroup_files
from harness.toolchain.paths import MADE


def clear_abandoned() -> None:
    """Clear away the leftovers of killed runs: processes, control groups and folders."""
    scratch.end_abandoned_processes()
    cgroup_files.remove_groups(scratch.is_abandoned)
    scratch.remove_folders(scratch.is_abandoned, MADE)


def clear_own() -> None:
    """Clear away the groups and folders of this process, at its end.

    A signal may come before a context manager knows its folder.
    """
    cgroup_files.remove_groups(scratch.is_own)
    scratch.remove_folders(scratch.is_own, MADE)
