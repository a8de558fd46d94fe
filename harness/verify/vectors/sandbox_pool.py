"""Keeps sandboxes between invocations, one for each environment of a vector.

A vector needs a sandbox with its settings; most share the default ones. A kept sandbox also shows
whether an invocation disturbs the next one.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import Self

from harness.model import Artefact
from harness.targets.local.sandbox import LocalSandbox

_MOST = 4
_NO_TRIGGER = b"[]"


class SandboxPool:
    """``with SandboxPool(artefact) as functions: functions(env, timeout_s).invoke(payload)``.

    ``env`` overrides the variable that chooses the artefact's client.
    """

    def __init__(self, artefact: Artefact) -> None:
        self._artefact = artefact
        self._running: OrderedDict[tuple[frozenset[tuple[str, str]], int | None], LocalSandbox] = (
            OrderedDict()
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def __call__(self, env: Mapping[str, str], timeout_s: int | None) -> LocalSandbox:
        env = {**self._artefact.implementation.choice, **env}
        key = (frozenset(env.items()), timeout_s)
        if key in self._running:
            self._running.move_to_end(key)
            return self._running[key]
        while len(self._running) >= _MOST:
            self._running.popitem(last=False)[1].stop()
        sandbox = LocalSandbox(self._artefact, env, timeout_s=timeout_s)
        sandbox.start()
        if timeout_s is not None:
            sandbox.invoke(_NO_TRIGGER)  # so that the vector's time is without the runtime's start
        self._running[key] = sandbox
        return sandbox

    def stop(self) -> None:
        """End all sandboxes; the next call starts new ones."""
        while self._running:
            self._running.popitem()[1].stop()
