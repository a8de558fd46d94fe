"""A sandbox that starts as SnapStart's does: from what the init and its hooks have left.

Its first invocation inits the runtime, runs the hooks before the snapshot, and freezes the
processes. All their connections are cut, and the credentials of before expire. Then it thaws them,
the hooks after the restore run, and the invocation follows. The process stays the same: no memory
is written and read again, so the cost of the restore itself is missing.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from harness.model import HarnessError, Invocation, Start
from harness.targets.local.runtimes import runtime_command
from harness.targets.local.sandbox import LocalSandbox
from harness.targets.local.starts.connections import cut_connections
from harness.targets.local.starts.runtime_api import KeyService, RuntimeApi

_FROZEN_S = 0.2
_ENV = "/usr/bin/env"
#: SnapStart sets none of these; the function asks an endpoint for them.
_KEY_VARIABLES = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")


class PrimedSandbox(LocalSandbox):
    """It takes the arguments of ``LocalSandbox``.

    ``Invocation.init_ms`` is the init with the hooks before the snapshot, for which no caller
    waits. ``after_restore_ms`` is the time from the restore to the first event. CPU time and peak
    memory of a cold invocation begin at the restore.
    """

    _api: RuntimeApi | None = None
    keys: KeyService | None = None
    cut = 0  # connections at the last snapshot

    def stop(self) -> None:
        super().stop()
        if self._api is not None:
            self._api.close()
            self._api = None

    def invoke(self, event: object) -> Invocation:
        api = self._api
        if api is not None:
            api.moments = api.fault = None
        invocation = super().invoke(event)
        if api is not None and api.fault is not None:
            raise api.fault
        if api is None or not invocation.cold:
            return invocation
        if invocation.error is not None:
            return invocation
        moments = api.moments
        if moments is None:
            raise HarnessError("the runtime client did not ask for a restore, so it has no hooks")
        if self.keys is not None and not self.keys.after:
            raise HarnessError("the function asked for no credentials after the restore")
        begun_ms = (moments.ready - moments.snapshot) * 1000
        return replace(
            invocation,
            init_ms=None if invocation.init_ms is None else max(0.0, invocation.init_ms - begun_ms),
            after_restore_ms=(moments.ready - moments.restored) * 1000,
        )

    def _command(self) -> Sequence[str | Path]:
        key_id, secret, token = (self._env.get(name, "") for name in _KEY_VARIABLES)
        self.keys = KeyService(key_id, secret, token) if key_id and secret else None
        self._api = RuntimeApi(self._ports[1], self._snapshot, self.keys)
        return [
            _ENV,
            *(word for name in _KEY_VARIABLES for word in ("-u", name)),
            *(f"{name}={value}" for name, value in self._api.environment().items()),
            *(f"{name}={value}" for name, value in self._implementation.with_snap_start.items()),
            *runtime_command(
                self._implementation, self._folder, self._memory_mb, start=Start.PRIMED
            ),
        ]

    def _snapshot(self) -> None:
        assert self._api is not None
        self.freeze()
        try:
            self.cut = cut_connections(self.runtime_pids(), self._api.port)
            wait_s = _FROZEN_S
            if self.keys is not None:
                wait_s = max(wait_s, self.keys.last_expires - time.monotonic())
                self.keys.is_restored = True
            time.sleep(wait_s)
            self._begin_measuring()
        finally:
            self.thaw()  # also after a fault: a frozen runtime would not end before its time-out
