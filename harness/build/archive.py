"""Packs a package as one zip. The same files give the same bytes, on every machine."""

from __future__ import annotations

import io
import stat
import zipfile
from pathlib import Path

# of each entry; what SAM writes, too
_UNIX = 3
_FILE, _PROGRAM = 0o644, 0o755


def files_of(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def size_of(folder: Path) -> int:
    return sum(path.stat().st_size for path in files_of(folder))


def zipped(folder: Path) -> io.BytesIO:
    """The folder as a deployment package: without times, with one mode for all programs."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for path in files_of(folder):
            entry = zipfile.ZipInfo(path.relative_to(folder).as_posix())
            is_program = path.stat().st_mode & stat.S_IXUSR
            entry.create_system = _UNIX
            entry.external_attr = (stat.S_IFREG | (_PROGRAM if is_program else _FILE)) << 16
            archive.writestr(entry, path.read_bytes(), zipfile.ZIP_DEFLATED, 9)
    return buffer
