"""Lambda's limits for one sandbox: a share of CPU and a memory size, set by a control group.

A function with 1,769 MB has one vCPU, and the share is in proportion
(docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html). MB are MiB, as Lambda counts
them. The quota is per 20 ms; AWS documents no period. The init has the full CPU, as on AWS: the
quota is set when the emulator reports the end of the init.

The group contains the emulator and its children, but not the harness. So the emulator counts, too:
1 to 2 ms of CPU per invocation and 3 to 5 MiB of memory, as measured on 2 cores of an AMD EPYC
(its own clock over 100 warm invocations; the group's usage without a runtime).
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from harness.model import Enforcement, HarnessError, NotReady
from harness.targets.interface import VCPU_MB
from harness.targets.local import cgroup_probe, cgroups

PERIOD_US = 20_000
_LEAST_QUOTA_US = 1_000  # the kernel takes no less
_POLL_S = 0.0005
_INIT_DONE = b"(rapid) INIT RTDONE("
_STAMP = "%d %b %Y %H:%M:%S,%f"  # in UTC, which the sandbox gives the emulator
_ABSURD_MS = 60_000  # from a function that prints such a line, or from another time zone


@dataclass(frozen=True, slots=True)
class Pressure:
    """The effect of the limits since the group's start; ``None`` without a group.

    ``oom_kills`` counts processes that were killed at the memory limit. ``throttled_ms`` is summed
    over cores.
    """

    oom_kills: int | None = None
    throttled_ms: float | None = None

    def since(self, before: Pressure) -> Pressure:
        return Pressure(
            _difference(self.oom_kills, before.oom_kills),
            _difference(self.throttled_ms, before.throttled_ms),
        )


def quota_us(memory_mb: int) -> int:
    """CPU time per ``PERIOD_US``, in us, for a memory size."""
    return max(_LEAST_QUOTA_US, round(PERIOD_US * memory_mb / VCPU_MB))


def support() -> tuple[str | None, str | None]:
    """(mechanism, ``None``) of this machine, or (``None``, the reason why it has none)."""
    return cgroup_probe.find_kind()


@contextmanager
def limited(
    memory_mb: int,
    cores: int | None = None,
    *,
    throttle_init: bool = False,
    vcpus: float | None = None,
) -> Iterator[Limited]:
    """A group for one sandbox. Leaving the context kills its processes and removes it.

    ``cores`` is the number of cores that the sandbox may use, by default the caller's. If the share
    of CPU is larger, the ``reason`` says so. Without a group nothing is limited. ``vcpus`` is for a
    task; a function has the share of its memory.
    """
    cores = len(os.sched_getaffinity(0)) if cores is None else cores
    vcpus = memory_mb / VCPU_MB if vcpus is None else vcpus
    mechanism, reason = support()
    group: cgroups.Group | None = None
    if mechanism is not None:
        try:
            group = cgroup_probe.KINDS[mechanism](memory_mb << 20)
        except cgroups.NoGroupError as error:
            mechanism, reason = None, f"{mechanism}: {error}"
    if group is None:
        yield Limited(None, Enforcement(memory_mb, vcpus, None, reason))
        return
    if vcpus > cores:
        reason = f"{memory_mb:,} MB are {vcpus:.2f} vCPUs, but the function may use {cores}"
    facts = Enforcement(
        memory_mb,
        vcpus,
        mechanism,
        reason,
        quota_us(round(vcpus * VCPU_MB)),
        PERIOD_US,
        group.swap_is_off(),
        throttle_init,
    )
    limits = Limited(group, facts)
    try:
        yield limits
    finally:
        limits.close()
        group.remove()


class Limited:
    """The group of one sandbox; without a group every method does nothing.

    ``prefix`` precedes the command. The child calls :meth:`join` before it executes the command;
    then the parent calls :meth:`started`. :meth:`init_begins` and :meth:`init_ended` enclose an
    invocation that starts a runtime.
    """

    def __init__(self, group: cgroups.Group | None, facts: Enforcement) -> None:
        self._group = group
        self._watch: _InitWatch | None = None
        self.enforcement = facts

    @property
    def prefix(self) -> Sequence[str]:
        return () if self._group is None else self._group.prefix

    def join(self) -> None:
        if self._group is not None:
            self._group.join()

    def started(self, pid: int) -> None:
        """Check the child. Raises ``NotReady`` if it is not under the limits."""
        if self._group is None:
            return
        try:
            self._group.started(pid)
            if self.enforcement.throttle_init:
                self._group.set_quota(self.enforcement.quota_us, PERIOD_US)
        except (cgroups.NoGroupError, OSError) as error:
            raise NotReady(f"{self.enforcement.mechanism}: {error}") from error

    def hold(self) -> None:
        """Set the quota now. It is for a server, whose start is its init."""
        if self._group is not None:
            self._set_quota(self._group, self.enforcement.quota_us)

    def init_begins(self, output: Path, offset: int) -> None:
        """Remove the quota until the emulator's ``output``, from ``offset`` on, ends an init."""
        if self._group is None or self.enforcement.throttle_init:
            return
        self.close()  # ends the watch of an interrupted invocation
        self._set_quota(self._group, None)
        self._watch = _InitWatch(self._group, self.enforcement.quota_us, output, offset)
        self._watch.start()

    def init_ended(self) -> None:
        """End the watch and set the quota, even if no line ended the init."""
        if self._group is None or self._watch is None:
            return
        delay_ms = self._watch.end()
        self._watch = None
        self._set_quota(self._group, self.enforcement.quota_us)
        self.enforcement = replace(self.enforcement, quota_delay_ms=delay_ms)

    def close(self) -> None:
        """End the watch without a change of the quota."""
        if self._watch is not None:
            self._watch.end()
            self._watch = None

    def _set_quota(self, group: cgroups.Group, quota: int | None) -> None:
        try:
            group.set_quota(quota, PERIOD_US)
        except OSError as error:
            reason = f"{self.enforcement.mechanism}: the CPU quota can't be set: {error}"
            raise HarnessError(reason) from error

    def cpu_use(self) -> cgroups.CpuUse | None:
        return None if self._group is None else self._group.cpu_use()

    def pressure(self) -> Pressure:
        if self._group is None:
            return Pressure()
        return Pressure(self._group.oom_kills(), self._group.cpu_use().throttled_ms)


def unlimited(memory_mb: int) -> Limited:
    """For a sandbox without limits by request."""
    return Limited(None, Enforcement(memory_mb, memory_mb / VCPU_MB, None, "not requested"))


class _InitWatch(threading.Thread):
    def __init__(self, group: cgroups.Group, quota: int | None, output: Path, offset: int) -> None:
        super().__init__(name="init-watch", daemon=True)
        self._group = group
        self._quota = quota
        self._output = output
        self._offset = offset
        self._over = threading.Event()
        self._delay_ms: float | None = None

    def run(self) -> None:
        try:
            if (line := self._wait_for_line()) is not None:
                self._group.set_quota(self._quota, PERIOD_US)
                self._delay_ms = _since_ms(line)
        except OSError:
            return  # init_ended() tries again and reports the error

    def end(self) -> float | None:
        """Stop, and return the delay in ms; ``None`` if no line ended the init."""
        self._over.set()
        self.join()
        return self._delay_ms

    def _wait_for_line(self) -> bytes | None:
        held = b""
        with self._output.open("rb") as file:
            file.seek(self._offset)
            while True:
                is_over = self._over.is_set()  # then this look is the last one
                *lines, held = (held + file.read()).split(b"\n")
                for line in lines:
                    if _INIT_DONE in line:
                        return line
                if is_over:
                    return None
                self._over.wait(_POLL_S)


def _difference[T: (int, float)](after: T | None, before: T | None) -> T | None:
    return None if after is None or before is None else after - before


def _since_ms(line: bytes) -> float | None:
    now = datetime.now(UTC)
    try:
        then = datetime.strptime(line[:24].decode(), _STAMP).replace(tzinfo=UTC)
    except ValueError:
        return None
    delay = (now - then).total_seconds() * 1e3
    return delay if 0 <= delay < _ABSURD_MS else None
