"""Finds and runs programs of this machine.

Each ``find_`` function returns a path that exists or raises ``NotReady`` with the program's name
and a remedy.
"""

from __future__ import annotations

import contextlib
import errno
import os
import platform
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from uv import find_uv_bin

from harness.model import NotReady
from harness.scratch import dies_with_parent, scratch
from harness.toolchain.paths import SOURCES

_FULL = os.strerror(errno.ENOSPC).lower()


def host_architecture() -> str:
    """``x86_64`` or ``arm64``, as the template's Architecture names it."""
    machine = platform.machine().lower()
    names = {"x86_64": "x86_64", "amd64": "x86_64", "aarch64": "arm64", "arm64": "arm64"}
    if platform.system() != "Linux" or machine not in names:
        raise NotReady(
            f"the emulator needs Linux on x86_64 or arm64, but this is {platform.system()} on "
            f"{machine}: use a machine or container with Linux"
        )
    return names[machine]


def find_program(name: str, remedy: str) -> Path:
    """The program ``name`` on PATH."""
    found = shutil.which(name)
    if found is None:
        raise NotReady(f"{name} is not on PATH: {remedy}")
    return Path(found)


def find_go() -> Path:
    """A Go that can build the modules of this repository."""
    remedy = f"install Go {_go_wanted()} or newer"
    go = find_program("go", remedy)
    # inside a module, a Go that is too old fails, or downloads the right one
    answer = subprocess.run(
        [go, "env", "GOVERSION"], cwd=SOURCES / "s3", capture_output=True, text=True, check=False
    )
    if answer.returncode != 0:
        raise NotReady(f"{go} can't build this repository: {remedy}\n{tail(answer.stderr)}")
    return go


def _go_wanted() -> str:
    match = re.search(r"^go (\S+)", (SOURCES / "s3/go.mod").read_text(), re.MULTILINE)
    return match[1] if match else "1.26"


def find_maven() -> Path:
    return find_program("mvn", "install Apache Maven 3.8 or newer")


def find_npm() -> Path:
    return find_program("npm", "install Node.js 20 or newer, with npm")


def find_uv() -> Path:
    return Path(find_uv_bin())


def find_jdk(major: int) -> Path:
    """The home of an installed JDK of exactly this major version."""
    for home in _jdk_homes():
        if (home / "bin/java").exists() and _jdk_major(home) == major:
            return home
    raise NotReady(
        f"JDK {major} was not found by JAVA_HOME, on PATH or under /usr/lib/jvm, /opt, "
        f"~/.sdkman or ~/.jdks: install JDK {major} (any vendor) or set JAVA_HOME to it"
    )


def _jdk_homes() -> Iterator[Path]:
    if home := os.environ.get("JAVA_HOME"):
        yield Path(home)
    if java := shutil.which("java"):
        yield Path(java).resolve().parent.parent
    for folder, pattern in (
        (Path("/usr/lib/jvm"), "*"),
        (Path("/opt"), "*j*"),
        (Path("/opt/java"), "*"),
        (Path.home() / ".sdkman/candidates/java", "*"),
        (Path.home() / ".jdks", "*"),
    ):
        yield from sorted(folder.glob(pattern))


def _jdk_major(home: Path) -> int | None:
    with contextlib.suppress(OSError):
        match = re.search(r'^JAVA_VERSION="(\d+)', (home / "release").read_text(), re.MULTILINE)
        return int(match[1]) if match else None
    return None


def tail(text: str, lines: int = 30) -> str:
    return "\n".join(text.strip().splitlines()[-lines:])


def run(
    command: Sequence[str | Path],
    what: str,
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    reason: Callable[[str], str] = tail,
) -> str:
    """Run a program to its end and return its output.

    Raises ``NotReady`` if it fails, and ``OSError`` if the disk is full. ``reason`` extracts the
    message from the output. The program's TMPDIR tells a later run what to end if this one is
    killed: a build starts other programs.
    """
    with scratch("program") as temporary:
        done = subprocess.run(
            command,
            cwd=cwd,
            env={**(os.environ if env is None else env), "TMPDIR": str(temporary)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            check=False,
            preexec_fn=dies_with_parent(),
        )
    if done.returncode != 0:
        if _FULL in done.stdout.lower():  # a fault of the machine, and not of the sources
            raise OSError(errno.ENOSPC, f"{what} failed: {os.strerror(errno.ENOSPC)}")
        raise NotReady(f"{what} failed (exit {done.returncode}):\n{reason(done.stdout)}")
    return done.stdout
