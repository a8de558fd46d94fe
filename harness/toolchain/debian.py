"""Debian's packages for images: named in ``tools/debian``, pinned by hash, fetched by apt.

A mirror of Debian drops a version some weeks after the next one. snapshot.debian.org keeps all.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from harness.model import NotReady
from harness.toolchain.paths import SOURCES
from harness.toolchain.programs import run

LIST = SOURCES / "debian/packages.toml"
LOCK = SOURCES / "debian/packages.sha256"
#: The template's names of architectures -> Debian's.
ARCHITECTURES = {"x86_64": "amd64", "arm64": "arm64"}
#: The archives of a release -> the variable with another address than that of apt.
ARCHIVES = {"debian": "DEBIAN_MIRROR", "debian-security": "DEBIAN_SECURITY_MIRROR"}
_HELPER = Path("/usr/lib/apt/apt-helper")
_OF_ALL = "all"


@dataclass(frozen=True, slots=True)
class Package:
    """A line of the lock; ``path`` is below the archive, such as ``pool/main/n/netbase/...``."""

    sha256: str
    archive: str
    path: str

    @property
    def file(self) -> str:
        """Such as ``netbase_6.5_all.deb``."""
        return self.path.rpartition("/")[2]

    @property
    def name(self) -> str:
        return self.file.partition("_")[0]


def release() -> str:
    return str(tomllib.loads(LIST.read_text())["release"])


def names(layer: str) -> list[str]:
    """The packages of a layer; none if the list has no such layer."""
    layers: Mapping[str, list[str]] = tomllib.loads(LIST.read_text())["layers"]
    return layers.get(layer, [])


def all_names() -> list[str]:
    return [name for each in tomllib.loads(LIST.read_text())["layers"].values() for name in each]


def locked_packages(layer: str, architecture: str) -> list[Package]:
    """The packages of a layer, in the order of the list, for an architecture of the template."""
    endings = tuple(f"_{each}.deb" for each in (ARCHITECTURES[architecture], _OF_ALL))
    found = {each.name: each for each in _read_lock() if each.file.endswith(endings)}
    return [found[name] for name in names(layer)]


def _read_lock() -> Iterable[Package]:
    for line in LOCK.read_text().splitlines():
        digest, _, place = line.partition("  ")
        archive, _, path = place.partition("/")
        yield Package(digest, archive, path)


def fetch(packages: Iterable[Package], folder: Path) -> None:
    """Fetch packages into ``folder`` and compare their hashes."""
    if not _HELPER.exists() or shutil.which("dpkg-deb") is None:
        raise NotReady(
            "apt and dpkg-deb are missing: use a machine with Debian or Ubuntu, or `--base`"
        )
    places = mirrors()
    words = [
        word
        for each in packages
        for word in (
            f"{places[each.archive]}/{quote(each.path)}",
            str(folder / each.file),
            f"SHA256:{each.sha256}",
        )
    ]
    try:
        run([_HELPER, "-o", "APT::Sandbox::User=root", "download-file", *words], "apt-helper")
    except NotReady as error:
        raise NotReady(
            f"{error}\nA mirror drops old versions: run `make lock-debian`, or set DEBIAN_MIRROR "
            "and DEBIAN_SECURITY_MIRROR to addresses of snapshot.debian.org"
        ) from error


def mirrors() -> dict[str, str]:
    """archive -> its address: that of its variable, or the one of apt on this machine."""
    found = {name: os.environ[each] for name, each in ARCHIVES.items() if each in os.environ}
    if found.keys() != ARCHIVES.keys():
        found = {**_mirrors_of_apt(), **found}
    if missing := [ARCHIVES[name] for name in ARCHIVES if name not in found]:
        raise NotReady(
            f"apt of this machine has no source of Debian: set {' and '.join(missing)} to the "
            "address of a mirror"
        )
    return {name: place.rstrip("/") for name, place in found.items()}


def _mirrors_of_apt() -> dict[str, str]:
    program = shutil.which("apt-get")
    if program is None:
        return {}
    command = [program, "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages"]
    said = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    places = (line.rstrip("/") for line in said.splitlines())
    return {name: place for place in places if (name := place.rpartition("/")[2]) in ARCHIVES}


def unpack(package: Path, folder: Path) -> None:
    """Put a package's files into ``folder``, and its description for scanners of images."""
    run(["dpkg-deb", "--extract", package, folder], "dpkg-deb")
    told = run(["dpkg-deb", "--field", package], "dpkg-deb")
    described = folder / "var/lib/dpkg/status.d"
    described.mkdir(parents=True, exist_ok=True)
    (described / package.name.partition("_")[0]).write_text(told)
