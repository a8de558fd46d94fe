"""Changes the settings of functions for a comparison, and restores them after it.

Only ``$LATEST`` changes. The comparison publishes its own versions and aliases of it, and leaves
the alias of the daily work alone. The former settings are first written to a record, so that the
next comparison can undo the changes of a killed one.
"""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from harness.model import HarnessError
from harness.targets.aws.deployed import Deployed
from harness.targets.aws.session import Clients, code_of, explained
from harness.terminal import Progress

_SIGNALS = {signal.SIGINT, signal.SIGTERM}
_ALIAS = "compare"
_NUMBER = "COMPARE_SANDBOX"


@dataclass(frozen=True, slots=True)
class Published:
    """A version and its alias; ``publish_ms`` is the time until AWS had the version ready."""

    function: str
    version: str
    alias: str
    publish_ms: float


@dataclass(slots=True)
class SettingsKeeper:
    """Publishes versions and restores settings; :func:`kept_settings` makes one."""

    clients: Clients
    record: Path
    progress: Progress
    former: dict[str, dict[str, Any]] = field(default_factory=dict)
    made: list[tuple[str, str, str]] = field(default_factory=list)

    def publish(
        self,
        deployed: Deployed,
        memory_mb: int,
        variables: Mapping[str, str],
        snap_start: bool,
    ) -> Published:
        """A fresh version with these settings: its first invocation is a cold one."""
        name = deployed.implementation.function
        self._remember(deployed)
        self._configure(
            name,
            {
                "MemorySize": memory_mb,
                # without a change, AWS would not make a new version
                "Environment": {"Variables": {**variables, _NUMBER: str(len(self.made))}},
                "SnapStart": {"ApplyOn": _apply_on(snap_start)},
            },
        )
        begin = time.monotonic()
        with _uninterrupted():
            with explained("lambda:PublishVersion", f"function {name}"):
                version = self.clients.functions.publish_version(FunctionName=name)["Version"]
            alias = f"{_ALIAS}-{version}"
            self.made.append((name, version, alias))
            self._write()
        with explained("lambda:GetFunctionConfiguration", f"version {version} of {name}"):
            waiter = self.clients.functions.get_waiter("published_version_active")
            waiter.wait(FunctionName=name, Qualifier=version)
        publish_ms = (time.monotonic() - begin) * 1000
        with explained("lambda:CreateAlias", f"function {name}"):
            self.clients.functions.create_alias(
                FunctionName=name, Name=alias, FunctionVersion=version
            )
        return Published(name, version, alias, publish_ms)

    def restore(self) -> None:
        """Restore all settings, and delete the comparison's versions and aliases.

        Ctrl-C has to wait for it. Raises ``HarnessError`` with all that could not be undone.
        """
        if not self.former and not self.made:
            return
        self.progress("restoring the functions' settings: this can't be interrupted")
        left: list[str] = []
        with _uninterrupted():
            for name, version, alias in reversed(self.made):
                left += self._removed(name, version, alias)
            for name, settings in self.former.items():
                try:
                    self._configure(name, settings)
                except HarnessError as error:
                    left.append(f"{name} needs these settings: {json.dumps(settings)}: {error}")
        if left:
            again = f"run a comparison again, which reads {self.record}"
            raise HarnessError("\n".join([f"some changes could not be undone: {again}", *left]))
        self.former.clear()
        self.made.clear()
        self.record.unlink(missing_ok=True)

    def read_record(self) -> None:
        """Read the changes that a killed comparison did not undo."""
        if self.record.exists():
            left = json.loads(self.record.read_text())
            self.former |= left["former"]
            self.made += [(name, version, alias) for name, version, alias in left["made"]]

    def _remember(self, deployed: Deployed) -> None:
        name = deployed.implementation.function
        if name in self.former:
            return
        self.former[name] = {
            "MemorySize": deployed.implementation.memory_mb,
            "Environment": {"Variables": dict(deployed.variables)},
            "SnapStart": {"ApplyOn": _apply_on(deployed.snap_start)},
        }
        self._write()

    def _write(self) -> None:
        self.record.parent.mkdir(parents=True, exist_ok=True)
        unfinished = self.record.with_suffix(".new")
        unfinished.write_text(json.dumps({"former": self.former, "made": self.made}, indent=2))
        unfinished.replace(self.record)

    def _configure(self, name: str, settings: Mapping[str, Any]) -> None:
        with explained("lambda:UpdateFunctionConfiguration", f"function {name}"):
            self.clients.functions.update_function_configuration(FunctionName=name, **settings)
        with explained("lambda:GetFunction", f"function {name}"):
            self.clients.functions.get_waiter("function_updated_v2").wait(FunctionName=name)

    def _removed(self, name: str, version: str, alias: str) -> Iterator[str]:
        steps = (
            ("lambda:DeleteAlias", lambda: self._delete_alias(name, alias)),
            ("lambda:DeleteFunction", lambda: self._delete_version(name, version)),
        )
        for action, step in steps:
            try:
                with explained(action, f"{name}:{version}"):
                    _unless_gone(step)
            except HarnessError as error:
                yield str(error)

    def _delete_alias(self, name: str, alias: str) -> None:
        self.clients.functions.delete_alias(FunctionName=name, Name=alias)

    def _delete_version(self, name: str, version: str) -> None:
        # without a qualifier this would delete the function
        assert version.isdecimal()
        self.clients.functions.delete_function(FunctionName=name, Qualifier=version)


@contextmanager
def kept_settings(clients: Clients, record: Path, progress: Progress) -> Iterator[SettingsKeeper]:
    """A keeper whose changes are undone at the end. First it undoes those of a killed run."""
    keeper = SettingsKeeper(clients, record, progress)
    keeper.read_record()
    keeper.restore()
    try:
        yield keeper
    finally:
        keeper.restore()


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Delay signals until the context ends. With a mask, other threads would get them."""
    came: list[int] = []
    former = {each: signal.signal(each, lambda number, _: came.append(number)) for each in _SIGNALS}
    try:
        yield
    finally:
        for each, handler in former.items():
            signal.signal(each, handler)
    if came:
        signal.raise_signal(came[0])


def _unless_gone(step: Any) -> None:
    try:
        step()
    except ClientError as error:
        if code_of(error) != "ResourceNotFoundException":
            raise


def _apply_on(snap_start: bool) -> str:
    return "PublishedVersions" if snap_start else "None"
