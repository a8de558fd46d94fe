"""CPU time and memory of the runtime's processes: those that one emulator started."""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass

import psutil

from harness.model import PeakSince
from harness.targets.local import processes

_STOP_TIMEOUT_S = 1.0


@dataclass(frozen=True, slots=True)
class RuntimeProcesses:
    """The descendants of the process ``emulator``, looked up at every call; none for ``None``."""

    emulator: int | None

    def pids(self) -> list[int]:
        return [each.pid for each in self._family() if processes.is_alive(each)]

    def cpu_by_process(self) -> dict[int, float]:
        """Process id -> CPU time since its start, in ms."""
        times = {pid: processes.cpu_ms(pid) for pid in self.pids()}
        return {pid: value for pid, value in times.items() if value is not None}

    def begin_peak(self, *, reset: bool) -> PeakSince:
        """Reset the peak if ``reset`` and the kernel allow it; return the start of the next peak.

        Without processes it is the invocation, which starts them.
        """
        pids = self.pids()
        if not pids or (reset and all(map(processes.reset_peak_rss, pids))):
            return PeakSince.INVOCATION
        return PeakSince.START

    def peak_rss_bytes(self) -> int | None:
        """The sum of each process's peak."""
        peaks = [processes.peak_rss_bytes(pid) for pid in self.pids()]
        measured = [peak for peak in peaks if peak is not None]
        return sum(measured) if measured else None

    def stop(self) -> None:
        """Stop them by SIGSTOP, and wait until all have stopped."""
        family = self._family()
        for each in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                each.suspend()
        end = time.monotonic() + _STOP_TIMEOUT_S
        while any(map(_runs, family)) and time.monotonic() < end:
            time.sleep(0.001)

    def resume(self) -> None:
        for each in self._family():
            with contextlib.suppress(psutil.NoSuchProcess):
                each.resume()

    def _family(self) -> list[psutil.Process]:
        return [] if self.emulator is None else processes.descendants(self.emulator)


def _runs(process: psutil.Process) -> bool:
    try:
        return process.status() not in (psutil.STATUS_STOPPED, psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
