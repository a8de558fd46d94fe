"""The pinned tools: each is built once into ``.tools/`` from its lock in ``tools/``.

The name of a tool's folder contains the hash of its lock, so that a tool is built again only after
a change of its lock. A list in the folder has the size of each file: a damaged tool is built again.
Each function returns a path that exists or raises ``NotReady``.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path

import msgspec

from harness.model import NotReady
from harness.scratch import is_owned, scratch
from harness.terminal import Progress, to_stderr
from harness.toolchain import debian, trino
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
    if f'"version": "{major}.' not in _NODE_LOCK.read_text():
        raise NotReady(f"Node {major} is not on PATH and tools/node does not pin it: install it")
    architecture = host_architecture()

    def make(folder: Path) -> None:
        progress("fetching Node for the function's runtime (some seconds)")
        (_fetch_node(folder, architecture) / "bin/node").rename(folder / "node")
        shutil.rmtree(folder / "node_modules")

    return _made("node", _hash(_NODE_LOCK, architecture), make, "node")


def node_release(architecture: str, progress: Progress = to_stderr) -> Path:
    """The folder of the pinned Node for an architecture: ``bin/node``, ``LICENSE`` and more."""

    def make(folder: Path) -> None:
        progress(f"fetching Node for {architecture} (some seconds)")
        _fetch_node(folder, architecture).rename(folder / "node")
        shutil.rmtree(folder / "node_modules")

    return _made("node-release", _hash(_NODE_LOCK, architecture), make, "node")


_NODE_LOCK = SOURCES / "node/package-lock.json"
_NPM_ARCHITECTURES = {"x86_64": "x64", "arm64": "arm64"}


def _fetch_node(folder: Path, architecture: str) -> Path:
    named = _NPM_ARCHITECTURES[architecture]
    for file in (_NODE_LOCK, _NODE_LOCK.with_name("package.json")):
        shutil.copy(file, folder)
    quiet = ("--ignore-scripts", "--no-audit", "--no-fund")
    run([find_npm(), "ci", "--os=linux", f"--cpu={named}", *quiet], "npm ci", cwd=folder)
    found = folder / f"node_modules/node-linux-{named}"
    if not found.is_dir():
        raise NotReady("npm ci brought no Node for this machine: install Node 24 yourself")
    return found


def debian_packages(layer: str, architecture: str, progress: Progress = to_stderr) -> list[Path]:
    """The files of a layer's packages, which ``tools/debian`` names and pins."""
    packages = debian.locked_packages(layer, architecture)

    def make(folder: Path) -> None:
        progress(f"fetching Debian's packages for the layer {layer} of {architecture}")
        debian.fetch(packages, folder)

    key = _hash(*(f"{each.sha256} {each.file}" for each in packages))
    first, *rest = (each.file for each in packages)
    found = _made("debian", key, make, first)
    return [found, *(found.with_name(each) for each in rest)]


def browser_modules(progress: Progress = to_stderr) -> Path:
    """The folder of Playwright and axe, by which tests drive and judge the machine's Chromium."""
    lock = SOURCES / "browser/package-lock.json"
    npm = find_npm()

    def make(folder: Path) -> None:
        progress("fetching Playwright and axe for the tests of the stone (some seconds)")
        for file in (lock, lock.with_name("package.json")):
            shutil.copy(file, folder)
        run([npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"], "npm ci", cwd=folder)

    return _made("browser", _hash(lock), make, "node_modules")


def s3_server_binary(progress: Progress = to_stderr) -> Path:
    """versitygw, built from the Go module in ``tools/s3``."""
    package = "github.com/versity/versitygw/cmd/versitygw"
    what = "the S3 server versitygw (once, two to five minutes)"
    return _go_tool("s3", "versitygw", package, what, progress)


def toxiproxy_binary(progress: Progress = to_stderr) -> Path:
    """toxiproxy's server, built from the Go module in ``tools/toxiproxy``."""
    package = "github.com/Shopify/toxiproxy/v2/cmd/server"
    return _go_tool("toxiproxy", "toxiproxy", package, "toxiproxy (once)", progress)


def crane_binary(progress: Progress = to_stderr) -> Path:
    """crane, a client and a server for registries of images, built from ``tools/crane``."""
    package = "github.com/google/go-containerregistry/cmd/crane"
    return _go_tool(
        "crane", "crane", package, "crane, a client of image registries (once)", progress
    )


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
    return _made(folder_name, key, make, name)


def trino_home(progress: Progress = to_stderr) -> Path:
    """The folder of Trino's server: ``lib`` has its jars, ``plugin`` the connectors."""

    def make(folder: Path) -> None:
        program = maven(progress)
        progress("fetching Trino, 800 MB (once)")
        trino.fetch_trino(folder, program)

    return _made("trino", _hash(trino.POM, trino.SUMS), make, "lib").parent


def rie_binary() -> Path:
    """An executable copy of the Lambda Runtime Interface Emulator in aws-sam-cli."""
    architecture = host_architecture()
    carried = carried_rie()

    def make(folder: Path) -> None:
        shutil.copy(carried, folder / "aws-lambda-rie")
        (folder / "aws-lambda-rie").chmod(0o755)

    version = importlib.metadata.version("aws-sam-cli")
    return _made("rie", _hash(version, architecture), make, "aws-lambda-rie")


def carried_rie() -> Path:
    """The emulator in aws-sam-cli. Raises ``NotReady`` if it is absent or damaged."""
    name = f"samcli/local/rapid/aws-lambda-rie-{host_architecture()}"
    try:
        files = importlib.metadata.files("aws-sam-cli") or []
    except importlib.metadata.PackageNotFoundError as error:
        raise NotReady("aws-sam-cli is not in this environment: run make setup") from error
    for each in files:
        if each.as_posix() == name:
            path = Path(str(each.locate()))
            if path.is_file() and path.stat().st_size == each.size:
                return path
            raise NotReady(f"{path} is absent or damaged: remove .venv and run make setup")
    raise NotReady(f"aws-sam-cli does not contain {name}: remove .venv and run make setup")


def maven(progress: Progress = to_stderr) -> Path:
    """Maven that checks the hashes of all that it fetches: the machine's own, or the pinned one."""
    own = find_maven()
    if checks_hashes(own):
        return own
    lock = SOURCES / "maven/apache-maven.sha512"
    expected, _, name = lock.read_text().strip().partition("  ")
    version = name.removeprefix("apache-maven-").removesuffix("-bin.zip")

    def make(folder: Path) -> None:
        progress(f"fetching Maven {version}: {own} is older than 3.9 and checks no hashes")
        run(
            [
                *(own, "--batch-mode", "--no-transfer-progress", "--quiet", "dependency:copy"),
                f"-Dartifact=org.apache.maven:apache-maven:{version}:zip:bin",
                f"-DoutputDirectory={folder}",
            ],
            "Maven",
            cwd=folder,
        )
        if hashlib.sha512((folder / name).read_bytes()).hexdigest() != expected:
            raise NotReady(f"{name} has not the hash that {lock} expects: do not use it")
        with zipfile.ZipFile(folder / name) as archive:
            archive.extractall(folder)
        (folder / name).unlink()
        (folder / f"apache-maven-{version}/bin/mvn").chmod(0o755)

    return _made("maven", _hash(lock), make, f"apache-maven-{version}/bin/mvn")


@cache
def checks_hashes(program: Path) -> bool:
    """Whether this Maven is 3.9 or newer. Older ones ignore ``.mvn/checksums`` without a word."""
    said = re.search(r"Apache Maven (\d+)\.(\d+)", _output([program, "--version"]))
    return said is not None and (int(said[1]), int(said[2])) >= (3, 9)


#: The native library in the folder of ``java_ric_jars``.
JAVA_RIC_LIBRARY = "libaws-lambda-jni.so"


def java_ric_jars(progress: Progress = to_stderr) -> Path:
    """The folder with the jars of the Java runtime interface client, and its native library."""
    pom = SOURCES / "java-ric/pom.xml"
    hashes = pom.parent / ".mvn/checksums/checksums.sha256"
    architecture = host_architecture()

    def make(folder: Path) -> None:
        progress("fetching the Java runtime interface client")
        run(
            [
                maven(progress),
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

    return _made("java-ric", _hash(pom, hashes, architecture), make, JAVA_RIC_LIBRARY).parent


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


def checkov_python(progress: Progress = to_stderr) -> Path:
    """An interpreter with checkov, which knows rules for templates of CloudFormation."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    return _python("checkov", version, "fetching checkov, rules for the template", progress)


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

    return _made(name, _hash(lock, str(base)), make, "bin/python")


def base_python(version: str) -> Path:
    if version == f"{sys.version_info.major}.{sys.version_info.minor}":
        return Path(sys._base_executable).resolve()  # type: ignore[attr-defined]
    return find_program(f"python{version}", f"install Python {version}")


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold an exclusive lock between processes, on the file ``path``. Tell if it has to wait."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            to_stderr(f"waiting: another run works in {path.parent}")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


# ---- the folders of the tools ----

#: In a tool's folder: path -> size of each file.
_LIST = "files.json"
#: The folders that this process has found whole.
_whole: set[Path] = set()


def _made(name: str, key: str, make: Callable[[Path], None], program: str) -> Path:
    """The path of ``program``, which ``make`` puts into the folder that it gets."""
    folder = MADE / f"{name}-{key}"
    if folder in _whole or _is_whole(folder):
        _whole.add(folder)
        return folder / program
    with locked(MADE / f"{name}.lock"):  # another process may be making it
        if (folder / program).exists() and not (folder / _LIST).exists():
            _write_list(folder)  # an earlier version wrote none
        if not _is_whole(folder):
            _make_folder(folder, name, make)
    _whole.add(folder)
    return folder / program


def _make_folder(folder: Path, name: str, make: Callable[[Path], None]) -> None:
    # folders under .tools, so that a rename is atomic
    with scratch(name, MADE) as unfinished, scratch(f"{name}-damaged", MADE) as damaged:
        try:
            make(unfinished)
        except NotReady as error:
            raise NotReady(f"{error}\nIt belongs into {folder}: then run make setup") from error
        _write_list(unfinished)
        unfinished.chmod(0o755)
        if folder.exists():
            to_stderr(f"{folder} was damaged and is made again")
            folder.rename(damaged / folder.name)
        unfinished.rename(folder)


def damaged_folders() -> list[Path]:
    """The folders of tools that the next use makes again."""
    if not MADE.is_dir():
        return []
    folders = [each for each in sorted(MADE.iterdir()) if each.is_dir()]
    # one without a list, but with files, is of an earlier version
    listed = [each for each in folders if (each / _LIST).exists() or not any(each.iterdir())]
    return [each for each in listed if not is_owned(each.name) and not _is_whole(each)]


def _is_whole(folder: Path) -> bool:
    try:
        sizes = msgspec.json.decode((folder / _LIST).read_bytes(), type=dict[str, int])
    except (OSError, msgspec.MsgspecError):
        return False
    return sizes == {name: _size(folder / name) for name in sizes}


def _write_list(folder: Path) -> None:
    files = (path for path in folder.rglob("*") if path.is_file() and path.suffix != ".pyc")
    sizes = {path.relative_to(folder).as_posix(): _size(path) for path in files}
    unfinished = folder / f".{_LIST}"
    unfinished.write_bytes(msgspec.json.encode(sizes))
    unfinished.replace(folder / _LIST)


def _size(path: Path) -> int | None:
    return path.lstat().st_size if path.exists() else None


def _hash(*parts: Path | str) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part.read_bytes() if isinstance(part, Path) else part.encode())
        digest.update(b"\0")
    return digest.hexdigest()[:12]


def _output(command: Sequence[str | Path]) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout
