"""Publishes versions of functions with a comparison's settings, and deletes them after it.

``$LATEST`` has the comparison's settings only while a version is published, because a deployment in
this time would publish them for the daily work. The alias of the daily work never moves. Each
change is first written to a record, so that the next comparison can undo those of a killed one.
Without the record, the alias of the daily work tells the former settings.
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
from harness.targets.aws.deployed import (
    ALIAS,
    MARK,
    Deployed,
    configuration,
    has_snap_start,
    variables_of,
)
from harness.targets.aws.session import Clients, code_of, explained
from harness.terminal import Progress

_SIGNALS = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}
_OWN_ALIAS = "compare"


@dataclass(frozen=True, slots=True)
class Published:
    """A version and its alias; ``publish_ms`` is the time until AWS had the version ready."""

    function: str
    version: str
    alias: str
    publish_ms: float


@dataclass(slots=True)
class SettingsKeeper:
    """Publishes versions and restores settings; :func:`kept_settings` makes one.

    ``former`` has the settings of each function whose ``$LATEST`` is changed now. ``made`` has the
    comparison's versions and aliases.
    """

    clients: Clients
    record: Path
    progress: Progress
    former: dict[str, dict[str, Any]] = field(default_factory=dict)
    made: list[tuple[str, str, str]] = field(default_factory=list)
    published: int = 0

    def publish(
        self,
        deployed: Deployed,
        memory_mb: int,
        variables: Mapping[str, str],
        snap_start: bool,
    ) -> Published:
        """A fresh version with these settings: its first invocation is a cold one."""
        name = deployed.implementation.function
        # without a change, AWS would not make a new version
        self.published += 1
        mark = {MARK: str(self.published)}
        settings = _settings(memory_mb, {**variables, **mark}, snap_start=snap_start)
        self._remember(deployed)
        try:
            self._configure(name, settings)
            begin = time.monotonic()
            version, alias = self._publish(name)
        finally:
            self._give_back(name)
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
            self.record.unlink(missing_ok=True)
            return
        self.progress("restoring the functions' settings: this can't be interrupted")
        left: list[str] = []
        with _uninterrupted():
            for name, settings in list(self.former.items()):
                try:
                    self._give_back(name)
                except HarnessError as error:
                    left.append(f"{name} needs these settings: {json.dumps(settings)}: {error}")
            for name, version, alias in reversed(self.made):
                left += self._removed(name, version, alias)
        if left:
            again = f"run a comparison again, which reads {self.record}"
            raise HarnessError("\n".join([f"some changes could not be undone: {again}", *left]))
        self.made.clear()
        self.record.unlink(missing_ok=True)

    def restore_marked(self, name: str) -> None:
        """Undo a comparison that was killed and whose record is not here.

        ``$LATEST`` gets the settings of the alias: they were equal when that comparison began.
        """
        if self._is_marked(name):
            live = configuration(self.clients, name, ALIAS)
            if MARK in variables_of(live):
                return  # a deployment came first; read_deployed tells what to do
            self.progress(f"{name} has the settings of a killed comparison: restoring the alias's")
            former = _settings(
                live["MemorySize"], variables_of(live), snap_start=has_snap_start(live)
            )
            self._configure(name, former)

    def read_record(self) -> None:
        """Read the changes that a killed comparison did not undo.

        Where a deployment has replaced its settings since, the recorded ones are old.
        """
        if self.record.exists():
            left = json.loads(self.record.read_text())
            former = left["former"].items()
            self.former |= {name: each for name, each in former if self._is_marked(name)}
            self.made += [(name, version, alias) for name, version, alias in left["made"]]

    def _is_marked(self, name: str) -> bool:
        return MARK in variables_of(configuration(self.clients, name))

    def _remember(self, deployed: Deployed) -> None:
        self.former[deployed.implementation.function] = _settings(
            deployed.implementation.memory_mb, deployed.variables, snap_start=deployed.snap_start
        )
        self._write()

    def _publish(self, name: str) -> tuple[str, str]:
        with _uninterrupted():
            with explained("lambda:PublishVersion", f"function {name}"):
                version = self.clients.functions.publish_version(FunctionName=name)["Version"]
            alias = f"{_OWN_ALIAS}-{version}"
            self.made.append((name, version, alias))
            self._write()
        return version, alias

    def _give_back(self, name: str) -> None:
        with _uninterrupted():
            self._configure(name, self.former[name])
            del self.former[name]
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


def _settings(memory_mb: int, variables: Mapping[str, str], *, snap_start: bool) -> dict[str, Any]:
    """The parameters of ``UpdateFunctionConfiguration`` that a comparison changes."""
    return {
        "MemorySize": memory_mb,
        "Environment": {"Variables": dict(variables)},
        "SnapStart": {"ApplyOn": "PublishedVersions" if snap_start else "None"},
    }


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
