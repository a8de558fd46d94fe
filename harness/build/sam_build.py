"""Runs ``sam build`` for each implementation, each in its own folder under ``.build/``.

Each function has its own build, so that a failure concerns one language only. The folder is not
``.aws-sam/``, which belongs to the user's own builds and deployments.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from harness.build.archive import size_of, zipped
from harness.build.package_check import problems
from harness.build.package_split import own_share
from harness.build.template import TEMPLATE
from harness.build.third_party.licences import RULES
from harness.model import Artefact, Implementation, NotReady, Own
from harness.scratch import is_abandoned, remove_folder, remove_folders, scratch
from harness.targets.local.runtimes import runtime_command, runtime_version
from harness.terminal import Progress, to_stderr
from harness.toolchain import programs, tools
from harness.toolchain.check import check
from harness.toolchain.paths import ROOT

BUILDS = ROOT / ".build/sam"
_ZIP = "package.zip"

# folders in a code folder that are not sources
_LEFTOVERS = frozenset({"node_modules", "target", "__pycache__"})

_COLOUR = re.compile(r"\x1b\[[\d;]*m")
_NOISE = ("[INFO]", "Experimental features are", "Visit the docs page", "Build Failed")
_SAM_DEBUG = re.compile(r"\d{4}-\d\d-\d\d [\d:,]+ \| ")

_BUILD_ENVIRONMENT = {
    "SAM_CLI_TELEMETRY": "0",
    "AWS_DEFAULT_REGION": "us-east-1",
}


def build(
    implementations: Sequence[Implementation],
    progress: Progress = to_stderr,
    template: Path = TEMPLATE,
    architecture: str | None = None,
) -> dict[str, Artefact | NotReady]:
    """language -> its artefact, or the reason why there is none.

    ``template`` defines the functions. An unchanged function is not built again. The packages are
    for this machine, or for ``architecture``. Raises ``NotReady`` only if this machine can build
    none of them.
    """
    origin = _Origin(template, architecture or programs.host_architecture())
    built: dict[str, Artefact | NotReady] = {}
    for implementation in implementations:
        try:
            built[implementation.language] = _build_one(implementation, origin, progress)
        except NotReady as error:
            built[implementation.language] = error
    return built


@dataclass(frozen=True, slots=True)
class _Origin:
    template: Path
    architecture: str

    @property
    def builds(self) -> Path:
        """The folder of its builds. Those for another machine are not beside the own ones."""
        own = builds_of(self.template)
        if self.architecture == programs.host_architecture():
            return own
        return own.with_name(f"{own.name}-{self.architecture}")


def builds_of(template: Path) -> Path:
    """The folder of a template's builds. Templates may use the same names of languages."""
    if template == TEMPLATE:
        return BUILDS
    name = hashlib.sha256(str(template).encode()).hexdigest()[:8]
    return BUILDS.with_name(f"{BUILDS.name}-{name}")


def package_zip(implementation: Implementation, template: Path = TEMPLATE) -> Path:
    """The package of the last build, as one file."""
    return builds_of(template) / implementation.language / _ZIP


def _build_one(implementation: Implementation, origin: _Origin, progress: Progress) -> Artefact:
    language = implementation.language
    for finding in check(implementation):
        if not finding.ok:
            raise NotReady(f"{language}: {finding.detail}: {finding.remedy}")
    if not implementation.code.is_dir():
        raise NotReady(f"{language}: the code folder {implementation.code} does not exist")
    work = origin.builds / language
    with tools.locked(work / "lock"):
        remove_folders(is_abandoned, work)
        record = work / "record.json"
        key = _content_hash(implementation, origin)
        made = _read_record(record, key)
        if made is None:
            progress(f"building {language} with sam build")
            if not record.exists():  # the last build failed or was killed: SAM trusts its cache
                remove_folder(work / "cache")
            record.unlink(missing_ok=True)
            folder = _sam_build(implementation, origin, work)
            progress(f"checking and measuring the package of {language}")
            if wrong := problems(implementation, folder, origin.architecture):
                raise NotReady(f"{language}: {folder} is no good package:\n{'\n'.join(wrong)}")
            archive = zipped(folder)
            package = work / _ZIP
            package.write_bytes(archive.getbuffer())
            own = own_share(implementation, folder, archive)
            folder = _keep(folder, work, key)
            size = archive.getbuffer().nbytes
            made = _Record(key, str(folder), str(package), size, size_of(folder), own)
            record.write_bytes(msgspec.json.encode(made))
        _hold(Path(made.folder))
    # installs the runtime's tools now, so that their failure fails this language only
    folder = Path(made.folder)
    runtime_command(implementation, folder, implementation.memory_mb, progress)
    version = runtime_version(implementation, folder)
    return Artefact(implementation, folder, made.zip_bytes, made.unzipped_bytes, made.own, version)


def _sam_build(implementation: Implementation, origin: _Origin, work: Path) -> Path:
    environment = {
        **os.environ,
        **_BUILD_ENVIRONMENT,
        "PATH": os.pathsep.join([*_program_folders(implementation), os.environ.get("PATH", "")]),
    }
    try:
        programs.run(
            [
                sys.executable,
                *("-m", "samcli", "build", implementation.function),
                *("--template-file", origin.template),
                *("--parameter-overrides", f"Architecture={origin.architecture}"),
                *("--build-dir", work / "build"),
                *("--cached", "--cache-dir", work / "cache"),
                "--debug",  # without it SAM hides the error messages of Maven and Go
            ],
            "sam build",
            cwd=work,  # SAM makes an .aws-sam there
            env=environment,
            reason=_reason,
        )
    except NotReady as error:
        raise NotReady(f"{implementation.language}: {error}") from error
    # a cached build is a symbolic link
    return (work / "build" / implementation.function).resolve()


def _program_folders(implementation: Implementation) -> Iterator[str]:
    """The folders of the programs that the build takes from PATH, and that PATH may not have."""
    if implementation.runtime.startswith("java"):
        yield str(tools.maven().parent)


def _reason(output: str) -> str:
    """The messages of the language's own tool in SAM's debugging output."""
    kept = []
    in_traceback = False
    for line in _COLOUR.sub("", output).splitlines():
        if _SAM_DEBUG.match(line):
            in_traceback = False
        elif line.startswith("Traceback"):
            in_traceback = True
        elif line.strip() and not in_traceback and not line.startswith(_NOISE):
            kept.append(line)
    return programs.tail("\n".join(kept))


# ---- packages that other runs use ----

#: folder -> the descriptor that this process holds it by until its end
_held: dict[Path, int] = {}


def _keep(built: Path, work: Path, key: str) -> Path:
    """A copy of the build that no later build changes; the copies that no run holds go."""
    for each in work.glob("kept-*"):
        descriptor = os.open(each, os.O_RDONLY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            remove_folder(each)
        except BlockingIOError:
            continue
        finally:
            os.close(descriptor)
    kept = work / f"kept-{key[:16]}"
    if not kept.exists():
        with scratch("package", work) as unfinished:
            shutil.copytree(built, unfinished / "package", symlinks=True)
            (unfinished / "package").rename(kept)
    return kept


def _hold(folder: Path) -> None:
    """Keep other runs from removing the folder until this process ends."""
    if folder not in _held:
        _held[folder] = os.open(folder, os.O_RDONLY)
        fcntl.flock(_held[folder], fcntl.LOCK_SH)


# ---- the record of the last build ----


class _Record(msgspec.Struct, frozen=True):
    """The results of a build, and the hash of its inputs."""

    key: str
    folder: str
    package: str
    zip_bytes: int
    unzipped_bytes: int
    own: Own | None


def _read_record(file: Path, key: str) -> _Record | None:
    try:
        record = msgspec.json.decode(file.read_bytes(), type=_Record)
    except (OSError, msgspec.DecodeError):
        return None
    is_there = Path(record.folder).is_dir() and Path(record.package).is_file()
    return record if record.key == key and is_there else None


def _content_hash(implementation: Implementation, origin: _Origin) -> str:
    digest = hashlib.sha256(origin.architecture.encode())
    for path in (
        origin.template,
        ROOT / "requirements.txt",
        RULES,  # a package is good by the rules of its day
        *_sources(implementation.code),
        *_sources(origin.template.parent / "tools/architecture"),
    ):
        digest.update(f"\0{path}\0".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _sources(folder: Path) -> Iterator[Path]:
    for root, folders, files in folder.walk():
        folders[:] = sorted(
            name
            for name in folders
            if name == ".mvn" or not (name in _LEFTOVERS or name.startswith("."))
        )
        yield from (root / name for name in sorted(files))
