"""The floor as something to run: beside a function of the template, with its settings."""

from __future__ import annotations

from dataclasses import replace

from harness import toolchain
from harness.local.runtimes import runtime_command, runtime_version
from harness.model import FLOOR, Artefact, Implementation, NotReady

_CLIENT = "obstore"


def floor_beside(implementation: Implementation) -> Implementation:
    """The floor with the memory, the time-out and the variables of a language's function."""
    return replace(
        implementation,
        language=FLOOR,
        function="Floor",
        runtime=FLOOR,
        handler="harness.floor.function.handle",
        code=toolchain.ROOT,
        build_properties={},
        clients=(_CLIENT,),
    ).with_client(_CLIENT)


def prepare_floor(floor: Implementation, progress: toolchain.Progress) -> Artefact | NotReady:
    """Fetch its parts: there is nothing to build, and no package that has a size."""
    try:
        runtime_command(floor, floor.code, floor.memory_mb, progress)
    except NotReady as error:
        return error
    version = runtime_version(floor, floor.code)
    return Artefact(floor, floor.code, None, None, runtime_version=version)
