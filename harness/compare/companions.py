"""The companions of the languages: functions of the harness that are measured in the same way.

A companion takes the settings of a function of the template. It runs under the same emulator and
limits, and in the same rounds. It does not implement the contract, so its role decides how its
output is judged.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Any

from harness.model import Artefact, Implementation, NotReady, Role, Start
from harness.operate.day_sql import select_for
from harness.targets.interface import Sandbox
from harness.targets.local.runtimes import runtime_command, runtime_version
from harness.targets.local.sandbox import LocalSandbox
from harness.targets.local.starts.aot_cache import AotSandbox
from harness.targets.local.starts.primed import PrimedSandbox
from harness.targets.local.trino_server import JDK
from harness.terminal import Progress
from harness.toolchain import programs, tools
from harness.toolchain.paths import ROOT


@dataclass(frozen=True, slots=True)
class Companion:
    """One companion. ``client`` is the program that does its work; ``runtime`` is the folder in
    ``tools/`` that locks its dependencies.

    A ``server`` runs all the time, as Athena does. So it has warm samples only, and no re-runs: SQL
    refuses a day that is there. ``settings`` are variables of the companion alone.
    """

    role: Role
    client: str
    runtime: str
    handler: str
    server: bool = False
    settings: Callable[[], Mapping[str, str]] = dict

    @property
    def name(self) -> str:
        return f"{self.role} {self.client}"

    def beside(self, implementation: Implementation) -> Implementation:
        """The companion with the memory, time-out and variables of a language's function."""
        return replace(
            implementation,
            environment={**implementation.environment, **self.settings()},
            language=self.role.value,
            function=self.role.value.title(),
            runtime=self.runtime,
            handler=self.handler,
            code=ROOT,
            build_properties={},
            clients=(self.client,),
        ).with_client(self.client)


FLOOR = Companion(Role.FLOOR, "obstore", "floor", "harness.compare.floor.function.handle")
DUCKDB = Companion(
    Role.PEER,
    "duckdb",
    "duckdb",
    "harness.compare.peers.duckdb_function.handle",
    settings=lambda: {"AGGREGATE_SELECT": select_for("duckdb")},
)
TRINO = Companion(Role.PEER, "trino", "trino", "sql/aggregate.athena.sql", server=True)
PEERS: Mapping[str, Companion] = {each.client: each for each in (DUCKDB, TRINO)}


def prepare(companion: Implementation, progress: Progress) -> Artefact | NotReady:
    """Install the companion's dependencies. It has no build, and no package with a size."""
    version: str | None
    try:
        if companion.runtime == TRINO.runtime:
            version = _prepare_trino(progress)
        else:
            runtime_command(companion, companion.code, companion.memory_mb, progress)
            version = runtime_version(companion, companion.code)
    except NotReady as error:
        return error
    return Artefact(companion, companion.code, None, None, runtime_version=version)


def _prepare_trino(progress: Progress) -> str:
    programs.find_jdk(JDK)
    (main,) = (tools.trino_home(progress) / "lib").glob("*trino-main-*.jar")
    return main.stem.rpartition("-")[2]


def sandbox(
    artefact: Artefact, *arguments: Any, start: Start | None = None, **more: Any
) -> AbstractContextManager[Sandbox]:
    """The sandbox of a function or of a companion; it takes the arguments of ``LocalSandbox``.

    A companion has no start but its own.
    """
    if artefact.implementation.role is Role.LANGUAGE:
        kinds: Mapping[Start | None, type[LocalSandbox]]
        kinds = {Start.AOT: AotSandbox, Start.PRIMED: PrimedSandbox}
        return kinds.get(start, LocalSandbox)(artefact, *arguments, **more)
    if artefact.implementation.runtime != TRINO.runtime:
        return LocalSandbox(artefact, *arguments, **more)
    # imported here, because its clients take longer than a command's help
    from harness.compare.peers.trino_sandbox import TrinoSandbox

    return TrinoSandbox(artefact, *arguments, **more)
