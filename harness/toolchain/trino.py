"""Trino's server, fetched once into ``.tools/`` by the hashes in ``tools/trino/.mvn``.

It is 800 MB to fetch and 400 MB on disk, so ``make setup`` leaves it out. The first use makes it.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path

from harness.model import NotReady
from harness.toolchain.paths import SOURCES
from harness.toolchain.programs import run

POM = SOURCES / "trino/pom.xml"
SUMS = POM.parent / ".mvn/checksums/checksums.sha256"


def fetch_trino(folder: Path, maven: Path) -> None:
    """Fill ``folder``: ``lib`` has the server's jars, ``plugin`` the connectors.

    Raises ``NotReady`` where the files can't be had, or if one is not the locked one.
    """
    fetched = folder / "fetched"
    try:
        run(
            [
                maven,
                *("--batch-mode", "--no-transfer-progress", "--quiet"),
                *("--file", POM),
                *("dependency:unpack", f"-DoutputDirectory={fetched}"),
            ],
            "Maven",
        )
    except NotReady as error:
        raise NotReady(
            f"Trino can't be fetched: let Maven reach Maven Central or a mirror of it\n{error}"
        ) from error
    (server,) = fetched.glob("trino-server-core-*")
    (server / "lib").rename(folder / "lib")  # one machine needs none of the server's plugins
    (folder / "plugin").mkdir()
    for connector in ("hive", "iceberg"):
        (found,) = fetched.glob(f"trino-{connector}-*")
        found.rename(folder / "plugin" / connector)
    shutil.rmtree(fetched)
    _share_equal_files(folder)


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
