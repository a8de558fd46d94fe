"""The third-party components of a package, by its locks and by the tools that built it."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from harness.toolchain import programs


@dataclass(frozen=True, slots=True, order=True)
class Component:
    """``name`` is a purl without a version; ``hashes`` are pairs of algorithm and hex digits."""

    name: str
    version: str
    hashes: tuple[tuple[str, str], ...] = ()


def components_of(code: Path, folder: Path) -> list[Component]:
    """The components of the package in ``folder``, whose sources and locks are in ``code``.

    The list is empty if ``code`` has no lock. Raises ``NotReady`` if the tool of a language fails.
    """
    for lock, read in _LOCKS.items():
        if (code / lock).is_file():
            return sorted(read(code, folder))
    return []


def name_of(kind: str, name: str) -> str:
    """A purl without a version."""
    return f"pkg:{kind}/{name.replace('@', '%40')}"


def _python(code: Path, _folder: Path) -> Iterator[Component]:
    """The Makefile installs the lock and nothing else."""
    lock = (code / "requirements.txt").read_text()
    for match in re.finditer(r"^(\S+)==(\S+) \\\n((?:    --hash=.*\n)+)", lock, re.MULTILINE):
        hashes = re.findall(r"sha256:([0-9a-f]{64})", match[3])
        name = name_of("pypi", match[1])  # uv writes the normalised name
        yield Component(name, match[2], tuple(("SHA-256", each) for each in hashes))


def _javascript(code: Path, _folder: Path) -> Iterator[Component]:
    """All that ``npm ci --omit=dev`` would install. The bundle holds these or fewer."""
    packages = json.loads((code / "package-lock.json").read_text())["packages"]
    for path, package in packages.items():
        if path and not package.get("dev"):
            name = name_of("npm", path.rpartition("node_modules/")[2])
            algorithm, _, digest = package["integrity"].partition("-")
            named = algorithm.upper().replace("SHA", "SHA-")
            yield Component(name, package["version"], ((named, _hex(digest)),))


def _java(code: Path, folder: Path) -> Iterator[Component]:
    """Maven's own list of the libraries, which its build puts beside them."""
    hashes = java_hashes(code)
    for line in (folder / "lib/libraries.txt").read_text().splitlines():
        if match := re.match(r" +([\w.-]+):([\w.-]+):jar:([\w.-]+):", line):
            group, artifact, version = match.groups()
            digest = hashes.get(f"{group}:{artifact}:{version}")
            known = (("SHA-256", digest),) if digest else ()
            yield Component(name_of("maven", f"{group}/{artifact}"), version, known)


def java_hashes(code: Path) -> Mapping[str, str]:
    """``group:artifact:version`` -> the SHA-256 of its jar, by Maven's list of trusted hashes."""
    trusted = code / ".mvn/checksums/checksums.sha256"
    found: dict[str, str] = {}
    for line in trusted.read_text().splitlines() if trusted.exists() else ():
        digest, _, path = line.partition("  ")
        *group, artifact, version, file = path.split("/")
        if file == f"{artifact}-{version}.jar":
            found[f"{'.'.join(group)}:{artifact}:{version}"] = digest
    return found


def _go(_code: Path, folder: Path) -> Iterator[Component]:
    """The list that the linker puts into each binary, with the hashes of go.sum."""
    said = programs.run(
        [programs.find_go(), "version", "-m", folder / "bootstrap"], "go version -m"
    )
    if go := re.search(r": go(\S+)$", said.partition("\n")[0]):
        yield Component(name_of("golang", "std"), go[1])
    for path, version, digest in re.findall(r"^\tdep\t(\S+)\t(\S+)\th1:(\S+)$", said, re.MULTILINE):
        yield Component(name_of("golang", path), version, (("SHA-256", _hex(digest)),))


def _hex(digest: str) -> str:
    return base64.b64decode(digest).hex()


_LOCKS: Mapping[str, Callable[[Path, Path], Iterator[Component]]] = {
    "requirements.txt": _python,
    "package-lock.json": _javascript,
    "pom.xml": _java,
    "go.mod": _go,
}
