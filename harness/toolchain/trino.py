"""Trino's server, fetched once into ``.tools/`` by the checksums of ``tools/trino/lock.toml``.

It is 800 MB to fetch and as much on disk, so ``make setup`` leaves it out. The first use makes it.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tarfile
import tomllib
import zipfile
from pathlib import Path

from harness.model import HarnessError, NotReady
from harness.terminal import Progress
from harness.toolchain.paths import SOURCES
from harness.toolchain.programs import find_maven, run

LOCK = SOURCES / "trino/lock.toml"


def fetch_trino(folder: Path, progress: Progress, lock: Path = LOCK) -> None:
    """Fill ``folder``: ``lib`` has the server's jars, ``plugin`` the connectors.

    Raises ``NotReady`` where the files can't be had, and ``HarnessError`` if one is not the locked
    one.
    """
    content = tomllib.loads(lock.read_text())
    version = content["version"]
    maven = find_maven()
    fetched = folder / "fetched"
    for each in content["artefacts"]:
        progress(f"fetching {each['name']} (once)")
        file = _fetch(maven, content["plugin"], each["name"], fetched)
        _require_sum(file, each["name"], each["sha256"])
        _unpack(file, fetched)
        file.unlink()
    server = fetched / f"trino-server-core-{version}"
    (server / "lib").rename(folder / "lib")  # one machine needs none of the server's plugins
    (folder / "plugin").mkdir()
    for connector in ("hive", "iceberg"):
        (fetched / f"trino-{connector}-{version}").rename(folder / "plugin" / connector)
    shutil.rmtree(fetched)
    _share_equal_files(folder)


def _fetch(maven: Path, plugin: str, name: str, folder: Path) -> Path:
    """Fetch one artefact, with the mirrors and credentials of the user's Maven settings."""
    try:
        run(
            [
                maven,
                *("--batch-mode", "--no-transfer-progress", "--quiet"),
                f"{plugin}:copy",
                f"-Dartifact={name}",
                f"-DoutputDirectory={folder}",
            ],
            "Maven",
            cwd=folder.parent,  # there is no pom.xml
        )
    except NotReady as error:
        raise NotReady(
            f"{name} can't be fetched: let Maven reach Maven Central or a mirror of it\n{error}"
        ) from error
    _, artefact, version, kind = name.split(":")
    return folder / f"{artefact}-{version}.{kind}"


def _require_sum(file: Path, name: str, wanted: str) -> None:
    with file.open("rb") as stream:
        found = hashlib.file_digest(stream, "sha256").hexdigest()
    if found != wanted:
        raise HarnessError(
            f"{name} has the SHA-256 {found}, not {wanted}: remove it from the local Maven "
            "repository, and ask the mirror's owner if it comes again"
        )


def _unpack(file: Path, folder: Path) -> None:
    if file.suffix == ".zip":
        with zipfile.ZipFile(file) as archive:
            archive.extractall(folder)
    else:
        with tarfile.open(file) as archive:
            archive.extractall(folder, filter="data")


def _share_equal_files(folder: Path) -> None:
    """Keep files of equal content once, by hard links: the connectors have many jars in common."""
    kept: dict[bytes, Path] = {}
    for path in sorted(each for each in folder.rglob("*") if each.is_file()):
        with path.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").digest()
        first = kept.setdefault(digest, path)
        if first is not path:
            path.unlink()
            os.link(first, path)
