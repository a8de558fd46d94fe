"""The companions of the languages: functions of the harness that are measured in the same way.

A companion takes the settings of a function of the template. It runs under the same emulator and
limits, and in the same rounds. It does not implement the contract, so its role decides how its
output is judged.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from harness.model import Artefact, Implementation, NotReady, Role
from harness.targets.local.runtimes import runtime_command, runtime_version
from harness.terminal import Progress
from harness.toolchain.paths import ROOT


@dataclass(frozen=True, slots=True)
class Companion:
    """One companion. ``client`` is the library that does its work; ``runtime`` is the folder in
    ``tools/`` that locks its dependencies.
    """

    role: Role
    client: str
    runtime: str
    handler: str

    def beside(self, implementation: Implementation) -> Implementation:
        """The companion with the memory, time-out and variables of a language's function."""
        return replace(
            implementation,
            language=self.role.value,
            function=self.role.value.title(),
            runtime=self.runtime,
            handler=self.handler,
            code=ROOT,
            build_properties={},
            clients=(self.client,),
        ).with_client(self.client)


FLOOR = Companion(Role.FLOOR, "obstore", "floor", "harness.compare.floor.function.handle")
DUCKDB = Companion(Role.PEER, "duckdb", "duckdb", "harness.compare.peers.duckdb_function.handle")


def prepare(companion: Implementation, progress: Progress) -> Artefact | NotReady:
    """Install the companion's dependencies. It has no build, and no package with a size."""
    try:
        runtime_command(companion, companion.code, companion.memory_mb, progress)
    except NotReady as error:
        return error
    version = runtime_version(companion, companion.code)
    return Artefact(companion, companion.code, None, None, runtime_version=version)
