"""The command that runs an artefact, by the runtime that the template names.

The flags that Lambda gives its own runtimes by memory size are in ``runtime_flags.toml``, so
that a function meets the same limits.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from harness.model import Implementation, NotReady
from harness.targets.local import runtime_flags
from harness.terminal import Progress, to_stderr
from harness.toolchain import programs, tools

_JAVA_RIC_PROPERTY = "com.amazonaws.services.lambda.runtime.api.client.runtimeapi.NativeClient.JNI"
_NODE_LOOP = Path(__file__).parent / "node_runtime.mjs"


def runtime_command(
    implementation: Implementation,
    folder: Path,
    memory_mb: int,
    progress: Progress = to_stderr,
) -> list[str | Path]:
    """The runtime's command line for an artefact in ``folder``, which is also its cwd.

    It builds missing tools of the runtime, and raises ``NotReady`` if it can't.
    """
    runtime, handler = implementation.runtime, implementation.handler
    options = [each.text for each in runtime_flags.flags(runtime, memory_mb)]
    if runtime.startswith("python"):
        python = tools.python_for_runtime(runtime.removeprefix("python"), progress)
        return [python, "-m", "awslambdaric", handler]
    if runtime.startswith("java"):
        major = int(runtime.removeprefix("java"))
        jars = tools.java_ric_jars(progress)
        return [
            programs.find_jdk(major) / "bin/java",
            *options,
            f"-D{_JAVA_RIC_PROPERTY}={jars / tools.JAVA_RIC_LIBRARY}",
            *("-cp", f"{folder}:{folder}/lib/*:{jars}/*"),
            "com.amazonaws.services.lambda.runtime.api.client.AWSLambda",
            handler,
        ]
    if runtime.startswith("nodejs"):
        major = int(runtime.removeprefix("nodejs").removesuffix(".x"))
        return [
            tools.find_node(major, progress),
            *options,
            _NODE_LOOP,
            handler,
        ]
    if runtime.startswith("provided"):
        return [folder / "bootstrap"]
    if runtime in tools.COMPANIONS:
        return [tools.companion_python(runtime, progress), "-m", "awslambdaric", handler]
    raise NotReady(f"the local target does not support {runtime}: use provided.al2023")


def runtime_environment(implementation: Implementation, memory_mb: int) -> dict[str, str]:
    """Variables for values that the runtime would find on Lambda by itself."""
    found = runtime_flags.variables(implementation.runtime, memory_mb)
    return {name: each.text for name, each in found.items()}


def runtime_version(implementation: Implementation, folder: Path) -> str | None:
    """The version of the runtime's program, such as ``24.11.1``; ``None`` without a program."""
    if implementation.runtime.startswith("provided"):
        return None
    program = runtime_command(implementation, folder, implementation.memory_mb)[0]
    said = subprocess.run([program, "--version"], capture_output=True, text=True, check=False)
    found = re.search(r"\d+(\.\d+)*", said.stdout)
    return found and found[0]
