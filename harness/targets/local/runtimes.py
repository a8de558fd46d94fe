"""The command that runs an artefact, by the runtime that the template names.

The flags that Lambda gives its own runtimes by memory size are in ``runtime_flags.toml``, so
that a function meets the same limits.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

from harness.model import Implementation, NotReady, Start
from harness.targets.local import runtime_flags
from harness.terminal import Progress, to_stderr
from harness.toolchain import programs, tools

_JAVA_RIC_PROPERTY = "com.amazonaws.services.lambda.runtime.api.client.runtimeapi.NativeClient.JNI"
_HEAP_PERCENT = 75  # of a task's memory
_NODE_LOOP = Path(__file__).parent / "node_runtime.mjs"


def runtime_command(
    implementation: Implementation,
    folder: Path,
    memory_mb: int,
    progress: Progress = to_stderr,
    start: Start | None = None,
) -> list[str | Path]:
    """The runtime's command line for an artefact in ``folder``, which is also its cwd.

    Some options depend on the ``start``. It builds missing tools of the runtime, and raises
    ``NotReady`` if it can't.
    """
    runtime, handler = implementation.runtime, implementation.handler
    options = [each.text for each in runtime_flags.flags(runtime, memory_mb, start)]
    if runtime.startswith("python"):
        python = tools.python_for_runtime(runtime.removeprefix("python"), progress)
        return [python, "-m", "awslambdaric", handler]
    if runtime.startswith("java"):
        class_path = f"{folder}:{folder}/lib/*:{tools.java_ric_jars(progress)}/*"
        return java_command(implementation, class_path, memory_mb, progress, start)
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


def java_command(
    implementation: Implementation,
    class_path: str,
    memory_mb: int,
    progress: Progress = to_stderr,
    start: Start | None = None,
    more: Sequence[str] = (),
) -> list[str | Path]:
    """The command line of a JVM with this class path, and with ``more`` options."""
    major = java_major(implementation.runtime)
    if major is None:
        raise NotReady(f"{implementation.runtime} has no JVM")
    jars = tools.java_ric_jars(progress)
    return [
        programs.find_jdk(major) / "bin/java",
        *(each.text for each in runtime_flags.flags(implementation.runtime, memory_mb, start)),
        *more,
        f"-D{_JAVA_RIC_PROPERTY}={jars / tools.JAVA_RIC_LIBRARY}",
        *("-cp", class_path),
        "com.amazonaws.services.lambda.runtime.api.client.AWSLambda",
        implementation.handler,
    ]


def java_major(runtime: str) -> int | None:
    """The version of a runtime such as ``java25``; ``None`` for another language."""
    return int(runtime.removeprefix("java")) if runtime.startswith("java") else None


def task_command(
    implementation: Implementation, folder: Path, memory_mb: int, event: str
) -> list[str | Path]:
    """The command line of an artefact as a task (SPEC K); ``folder`` is its cwd, too."""
    program, *words = task_words(implementation, folder, memory_mb)
    if not implementation.runtime.startswith("provided"):
        program = runtime_command(implementation, folder, memory_mb)[0]
    return [program, *words, event]


def task_words(implementation: Implementation, folder: Path, memory_mb: int) -> list[str | Path]:
    """The command line of a task without its event; a program on the PATH has its name there."""
    runtime = implementation.runtime
    if runtime.startswith("provided"):
        return [folder / "bootstrap", "task"]
    if runtime.startswith("python"):
        return ["python3", "-m", "task"]
    if runtime in tools.COMPANIONS:
        return ["python3", "-m", implementation.handler.rpartition(".")[0]]
    heap_mb = memory_mb * _HEAP_PERCENT // 100
    if runtime.startswith("java"):
        options = ["-XX:+UseSerialGC", f"-Xmx{heap_mb}m", "-cp", f"{folder}:{folder}/lib/*"]
        return ["java", *options, "rosetta.task.Task"]
    if runtime.startswith("nodejs"):
        return ["node", f"--max-old-space-size={heap_mb}", folder / "task/task.mjs"]
    raise NotReady(f"{implementation.name} has no entry for a task")


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
