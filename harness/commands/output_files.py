"""Files that a command writes: checked before the work, and never left half-written."""

from __future__ import annotations

import os
from pathlib import Path

from harness.model import UsageError


def require_writable(path: Path) -> None:
    """Raise ``UsageError`` where :func:`write` would lack a folder or a permission."""
    place = path if path.exists() else path.parent
    if path.is_dir() or not place.exists() or not os.access(place, os.W_OK):
        raise UsageError(f"{path} can't be written: name a file in a writable folder")


def write(path: Path, text: str) -> None:
    """Write the whole file or nothing. A device such as /dev/stdout is written to directly."""
    try:
        if path.exists() and not path.is_file():
            path.write_text(text, encoding="utf-8")
            return
        unfinished = path.with_name(f".{path.name}.{os.getpid()}")
        unfinished.write_text(text, encoding="utf-8")
        unfinished.replace(path)
    except OSError as error:
        raise UsageError(f"{path} can't be written: {error}") from error
