"""The pinned tools: each is built once into ``.tools/`` from its lock in ``tools/``.

The name of a tool's folder contains the hash of its lock, so that a tool is built again only after
a change of its lock. Each function returns a path that exists or raises ``NotReady``.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import importlib.metadata
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from harness.model import NotReady
from harness.terminal import Progress, to_stderr
from harness.toolchain.paths import MADE, SOURCES
from harness.toolchain.programs import (
    find_go,
    find_maven,
    find_npm,
    find_program,
    find_uv,
    host_architecture,
    run,
)


def find_node(major: int = 24, progress: Progress = to_stderr) -> Path:
    """Node of this major version: the machine's own, or the pinned one from the registry."""
    own = shutil.which("node")
    if own and _output([own, "--version"]).startswith(f"v{major}."):
        return Path(own)
    lock = SOURCES / "node/package-lock.json"
    if f'"version": "{major}.' not in lock.read_text():
        raise NotReady(f"Node {major} is not on PATH and tools/node does not pin it: install it")
    npm = find_npm()

    def make(folder: Path) -> None:
        progress("fetching Node for the function's runtime (some seconds)")
        for file in (lock, lock.with_name("package.json")):
            shutil.copy(file, folder)
        run([npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"], "npm ci", cwd=folder)
        found = sorted(folder.glob("node_modules/node-linux-*/bin/node"))
        if not found:
            raise NotReady("npm ci brought no Node for this machine: install Node 24 yourself")
        found[0].rename(folder / "node")
        shutil.rmtree(folder / "node_modules")

    return _made("node", _hash(lock, host_architecture()), make) / "node"


def s3_server_binary(progress: Progress = to_stderr) -> Path:
    """versitygw, built from the Go module in ``tools/s3``."""
    package = "github.com/versity/versitygw/cmd/versitygw"
    what = "the S3 server versitygw (once, two to five minutes)"
    return _go_tool("s3", "versitygw", package, what, progress)


def toxiproxy_binary(progress: Progress = to_stderr) -> Path:
    """toxiproxy's server, built from the Go module in ``tools/toxiproxy``."""
    package = "github.com/Shopify/toxiproxy/v2/cmd/server"
    return _go_tool("toxiproxy", "toxiproxy", package, "toxiproxy (once)", progress)


def _go_tool(folder_name: str, name: str, package: str, what: str, progress: Progress) -> Path:
    source = SOURCES / folder_name

    def make(folder: Path) -> None:
        go = find_go()
        progress(f"building {what}")
        run(
            [go, "build", "-trimpath", "-ldflags=-s -w", "-o", folder / name, package],
            f"building {name}",
            cwd=source,
            env={**os.environ, "CGO_ENABLED": "0", "GOFLAGS": "-mod=readonly -buildvcs=false"},
        )

    key = _hash(source / "go.mod", source / "go.sum", host_architecture())
    return _made(folder_name, key, make) / name


def rie_binary() -> Path:
    """An executable copy of the Lambda Runtime Interface Emulator in aws-sam-cli."""
    architecture = host_architecture()
    spec = importlib.util.find_spec("samcli")
    if spec is None or spec.origin is None:
        raise NotReady("aws-sam-cli is not in this environment: run make setup")
    carried = Path(spec.origin).parent / f"local/rapid/aws-lambda-rie-{architecture}"
    if not carried.exists():
        raise NotReady(f"aws-sam-cli does not contain {carried.name}: run make setup")

    def make(folder: Path) -> None:
        shutil.copy(carried, folder / "aws-lambda-rie")
        (folder / "aws-lambda-rie").chmod(0o755)

    version = importlib.metadata.version("aws-sam-cli")
    return _made("rie", _hash(version, architecture), make) / "aws-lambda-rie"


#: The native library in the folder of ``java_ric_jars``.
JAVA_RIC_LIBRARY = "libaws-lambda-jni.so"


def java_ric_jars(progress: Progress = to_stderr) -> Path:
    """The folder with the jars of the Java runtime interface client, and its native library."""
    pom = SOURCES / "java-ric/pom.xml"
    architecture = host_architecture()

    def make(folder: Path) -> None:
        maven = find_maven()
        progress("fetching the Java runtime interface client")
        run(
            [
                maven,
                *("--batch-mode", "--no-transfer-progress", "--quiet"),
                *("--file", pom),
                "dependency:copy-dependencies",
                f"-DoutputDirectory={folder}",
            ],
            "Maven",
        )
        # The client would unpack it to one place for all sandboxes, and two that start at the same
        # time would crash each other.
        (jar,) = folder.glob("aws-lambda-java-runtime-interface-client-*.jar")
        named = {"x86_64": "x86_64", "arm64": "aarch_64"}[architecture]
        with zipfile.ZipFile(jar) as archive:
            content = archive.read(f"jni/libaws-lambda-jni.linux-{named}.so")
        (folder / JAVA_RIC_LIBRARY).write_bytes(content)

    return _made("java-ric", _hash(pom, architecture), make)


def python_for_runtime(version: str, progress: Progress = to_stderr) -> Path:
    """An interpreter of ``version`` ("3.13") with Lambda's runtime interface client only.

    It is not that of ``.venv``, so that a function can import its artefact's libraries only.
    """
    return _python("python-ric", version, f"making the Python {version} runtime", progress)


#: The runtime of each companion, and the words for its dependencies.
COMPANIONS = {"floor": "the libraries of the floor", "duckdb": "DuckDB and its extension for S3"}


def companion_python(runtime: str, progress: Progress = to_stderr) -> Path:
    """An interpreter with Lambda's runtime interface client and a companion's dependencies."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    return _python(runtime, version, f"fetching {COMPANIONS[runtime]}", progress)


def ministack_python(progress: Progress = to_stderr) -> Path:
    """An interpreter with ministack, which simulates AWS in the tests of the deployment."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    return _python("ministack", version, "fetching ministack, a local CloudFormation", progress)


def _python(name: str, version: str, what: str, progress: Progress) -> Path:
    """An interpreter with the packages that ``tools/<name>/requirements.txt`` locks."""
    lock = SOURCES / name / "requirements.txt"
    base = base_python(version)

    def make(folder: Path) -> None:
        progress(what)
        run(
            [find_uv(), "venv", "--relocatable", "--allow-existing", "--python", base, folder], "uv"
        )
        python = folder / "bin/python"
        run([find_uv(), "pip", "install", "--require-hashes", "-r", lock, "-p", python], "uv pip")

    return _made(name, _hash(lock, str(base)), make) / "bin/python"


def base_python(version: str) -> Path:
    if version == f"{sys.version_info.major}.{sys.version_info.minor}":
        return Path(sys._base_executable).resolve()  # type: ignore[attr-defined]
    return find_program(f"python{version}", f"install Python {version}")


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold an exclusive lock between processes, on the file ``path``."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _made(name: str, key: str, make: Callable[[Path], None]) -> Path:
    folder = MADE / f"{name}-{key}"
    if folder.exists():
        return folder
    with locked(MADE / f"{name}.lock"):
        if not folder.exists():  # another process may have made it meanwhile
            # a name under .tools, so that the rename is atomic
            unfinished = Path(tempfile.mkdtemp(prefix=f".{name}-", dir=MADE))
            try:
                make(unfinished)
                unfinished.chmod(0o755)
                unfinished.rename(folder)
            finally:
                shutil.rmtree(unfinished, ignore_errors=True)
    return folder


def _hash(*parts: Path | str) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part.read_bytes() if isinstance(part, Path) else part.encode())
        digest.update(b"\0")
    return digest.hexdigest()[:12]


def _output(command: Sequence[str | Path]) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout
