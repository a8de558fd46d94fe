"""Checks the tools that an implementation needs on this machine. It installs nothing."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable

from harness.model import Finding, HarnessError, Implementation
from harness.toolchain.programs import (
    find_go,
    find_jdk,
    find_maven,
    find_npm,
    find_uv,
    host_architecture,
)
from harness.toolchain.tools import base_python, carried_rie


def check(implementation: Implementation) -> list[Finding]:
    """The needs of the local target for this implementation, found or missing."""
    runtime = implementation.runtime
    common = [
        _finding("machine", host_architecture),
        _finding("sam", lambda: f"aws-sam-cli {importlib.metadata.version('aws-sam-cli')}"),
        _finding("emulator", carried_rie),
        _finding("uv", find_uv),
        _finding("go for the S3 server", find_go),
    ]
    if runtime.startswith("python"):
        version = runtime.removeprefix("python")
        return [*common, _finding(f"Python {version}", lambda: base_python(version))]
    if runtime.startswith("java"):
        major = int(runtime.removeprefix("java"))
        return [
            *common,
            _finding("Maven", find_maven),
            _finding(f"JDK {major}", lambda: find_jdk(major)),
        ]
    if runtime.startswith("nodejs"):
        return [*common, _finding("npm", find_npm)]
    if runtime.startswith("provided"):
        return common  # the build reports other needs of the language; Go is in common
    remedy = (
        "use provided.al2023, or add it to harness/targets/local/runtimes.py and "
        "harness/toolchain/check.py"
    )
    return [*common, Finding(runtime, False, f"the harness can't run {runtime}", remedy)]


def _finding(name: str, look: Callable[[], object]) -> Finding:
    try:
        return Finding(name, True, str(look()))
    except HarnessError as error:
        what, _, remedy = str(error).partition(": ")
        return Finding(name, False, what, remedy or what)
