"""The door to every program outside Python: finds it, or makes it once into ``.tools/``.

Each door returns a path that exists or raises ``NotReady`` with the thing and its remedy.
What is made is pinned by a lock in ``tools/`` and kept under a name with the lock's hash,
so a changed lock makes anew and an unchanged one costs a ``stat``.

``python -m harness.toolchain [NAME...]`` makes the named tools (all, if none is named) and
prints their paths.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import importlib.metadata
import importlib.util
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from uv import find_uv_bin

from harness.model import HarnessError, Implementation, NotReady

ROOT = Path(__file__).resolve().parent.parent
SOURCES = ROOT / "tools"
MADE = ROOT / ".tools"

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of ``doctor``; ``remedy`` is ``None`` when ``ok``."""

    name: str
    ok: bool
    detail: str
    remedy: str | None = None


def to_stderr(message: str) -> None:
    print(message, file=sys.stderr, flush=True)


def host_architecture() -> str:
    """``x86_64`` or ``arm64``, as the template's Architecture names it."""
    machine = platform.machine().lower()
    names = {"x86_64": "x86_64", "amd64": "x86_64", "aarch64": "arm64", "arm64": "arm64"}
    if platform.system() != "Linux" or machine not in names:
        raise NotReady(
            f"the emulator needs Linux on x86_64 or arm64, this is {platform.system()} on "
            f"{machine}: run it in a Linux machine or container"
        )
    return names[machine]


# ---- programs that the machine has ----


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
    # asked inside a module: a Go that is too old says so, or fetches the right one
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


# ---- programs that the harness makes or unpacks ----


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
    what = "the S3 server versitygw: two to five minutes, this once"
    return _go_tool("s3", "versitygw", package, what, progress)


def toxiproxy_binary(progress: Progress = to_stderr) -> Path:
    """toxiproxy's server, built from the Go module in ``tools/toxiproxy``."""
    package = "github.com/Shopify/toxiproxy/v2/cmd/server"
    return _go_tool("toxiproxy", "toxiproxy", package, "toxiproxy, this once", progress)


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
    """The Lambda Runtime Interface Emulator that aws-sam-cli carries, made executable."""
    architecture = host_architecture()
    spec = importlib.util.find_spec("samcli")
    if spec is None or spec.origin is None:
        raise NotReady("aws-sam-cli is not in this environment: run make setup")
    carried = Path(spec.origin).parent / f"local/rapid/aws-lambda-rie-{architecture}"
    if not carried.exists():
        raise NotReady(f"this aws-sam-cli carries no {carried.name}: run make setup")

    def make(folder: Path) -> None:
        shutil.copy(carried, folder / "aws-lambda-rie")
        (folder / "aws-lambda-rie").chmod(0o755)

    version = importlib.metadata.version("aws-sam-cli")
    return _made("rie", _hash(version, architecture), make) / "aws-lambda-rie"


def java_ric_jars(progress: Progress = to_stderr) -> Path:
    """The folder with the jars of the Java runtime interface client."""
    pom = SOURCES / "java-ric/pom.xml"

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

    return _made("java-ric", _hash(pom), make)


def python_for_runtime(version: str, progress: Progress = to_stderr) -> Path:
    """An interpreter ``version`` ("3.13") with nothing but Lambda's runtime interface client.

    It is apart from ``.venv`` so that a function sees its artefact's libraries only.
    """
    return _python("python-ric", version, f"making the Python {version} runtime", progress)


#: The runtimes of what runs beside the languages, and what is fetched for each.
COMPANIONS = {"floor": "the floor's parts", "duckdb": "DuckDB and its extension for S3"}


def companion_python(runtime: str, progress: Progress = to_stderr) -> Path:
    """An interpreter with Lambda's runtime interface client and the parts of a companion."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    return _python(runtime, version, f"fetching {COMPANIONS[runtime]}", progress)


def ministack_python(progress: Progress = to_stderr) -> Path:
    """An interpreter with ministack, which plays AWS for the tests of the deployment."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    return _python("ministack", version, "fetching ministack, a local CloudFormation", progress)


def _python(name: str, version: str, what: str, progress: Progress) -> Path:
    """An interpreter with what ``tools/<name>/requirements.txt`` locks."""
    lock = SOURCES / name / "requirements.txt"
    base = _base_python(version)

    def make(folder: Path) -> None:
        progress(what)
        run(
            [find_uv(), "venv", "--relocatable", "--allow-existing", "--python", base, folder], "uv"
        )
        python = folder / "bin/python"
        run([find_uv(), "pip", "install", "--require-hashes", "-r", lock, "-p", python], "uv pip")

    return _made(name, _hash(lock, str(base)), make) / "bin/python"


def _base_python(version: str) -> Path:
    if version == f"{sys.version_info.major}.{sys.version_info.minor}":
        return Path(sys._base_executable).resolve()  # type: ignore[attr-defined]
    return find_program(f"python{version}", f"install Python {version}")


# ---- what an implementation needs ----


def check(implementation: Implementation) -> list[Finding]:
    """What the local target needs for this implementation; nothing is built or fetched."""
    runtime = implementation.runtime
    common = [
        _finding("machine", host_architecture),
        _finding("sam", lambda: f"aws-sam-cli {importlib.metadata.version('aws-sam-cli')}"),
        _finding("uv", find_uv),
        _finding("go for the S3 server", find_go),
    ]
    if runtime.startswith("python"):
        version = runtime.removeprefix("python")
        return [*common, _finding(f"Python {version}", lambda: _base_python(version))]
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
        return common  # the build says what its language needs; Go is there already
    remedy = "use provided.al2023, or teach harness/local/runtimes.py and harness/toolchain.py"
    return [*common, Finding(runtime, False, f"the harness can't run {runtime}", remedy)]


def _finding(name: str, look: Callable[[], object]) -> Finding:
    try:
        return Finding(name, True, str(look()))
    except HarnessError as error:
        what, _, remedy = str(error).partition(": ")
        return Finding(name, False, what, remedy or what)


# ---- making ----


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

    Raises ``NotReady`` if it fails, with what ``reason`` makes of its output.
    """
    done = subprocess.run(
        command,
        cwd=cwd,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode != 0:
        raise NotReady(f"{what} failed (exit {done.returncode}):\n{reason(done.stdout)}")
    return done.stdout


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


DOORS: Mapping[str, Callable[[], Path]] = {
    "rie": rie_binary,
    "python": lambda: python_for_runtime("3.13"),
    "floor": lambda: companion_python("floor"),
    "node": find_node,
    "java-ric": java_ric_jars,
    "s3": s3_server_binary,
    "toxiproxy": toxiproxy_binary,
    "ministack": ministack_python,
}


def main(names: Sequence[str]) -> int:
    ready = True
    for name in names or DOORS:
        try:
            print(DOORS[name](), flush=True)
        except NotReady as error:
            ready = False
            to_stderr(f"{name}: {error}")
    return 0 if ready else 3


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
