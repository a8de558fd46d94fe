"""The command that runs an artefact, by the runtime that the template names.

The flags that Lambda gives its own runtimes by memory size are repeated here, so that a
function meets the same limits.
"""

from __future__ import annotations

from pathlib import Path

from harness import toolchain
from harness.model import Implementation, NotReady

_NODE_LOOP = Path(__file__).parent / "node_runtime.mjs"


def runtime_command(
    implementation: Implementation,
    folder: Path,
    memory_mb: int,
    progress: toolchain.Progress = toolchain.to_stderr,
) -> list[str | Path]:
    """The runtime's command line for an artefact in ``folder``, which is also its cwd.

    Makes the runtime's tools where they are not made yet; raises ``NotReady`` if it can't.
    """
    runtime, handler = implementation.runtime, implementation.handler
    if runtime.startswith("python"):
        python = toolchain.python_for_runtime(runtime.removeprefix("python"), progress)
        return [python, "-m", "awslambdaric", handler]
    if runtime.startswith("java"):
        major = int(runtime.removeprefix("java"))
        jars = toolchain.java_ric_jars(progress)
        # Serial collector and C1 only: Lambda's documented defaults for Java 17 and later
        # without SnapStart (docs.aws.amazon.com/lambda/latest/dg/java-customization.html).
        # The heap's share is not documented; 85 % is what functions report of their JVM.
        return [
            toolchain.find_jdk(major) / "bin/java",
            "-XX:+UseSerialGC",
            "-XX:TieredStopAtLevel=1",
            f"-Xmx{memory_mb * 85 // 100}m",
            *("-cp", f"{folder}:{folder}/lib/*:{jars}/*"),
            "com.amazonaws.services.lambda.runtime.api.client.AWSLambda",
            handler,
        ]
    if runtime.startswith("nodejs"):
        major = int(runtime.removeprefix("nodejs").removesuffix(".x"))
        # as the bootstrap of Lambda's own Node image computes them
        new_space = memory_mb // 10
        return [
            toolchain.find_node(major, progress),
            f"--max-semi-space-size={new_space // 2}",
            f"--max-old-space-size={memory_mb - new_space}",
            _NODE_LOOP,
            handler,
        ]
    if runtime.startswith("provided"):
        return [folder / "bootstrap"]
    raise NotReady(f"the local target can't run {runtime}: use provided.al2023")
