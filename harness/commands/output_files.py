"""Files that a command writes: refused before the work, whole or not at all after it."""

from __future__ import annotations

import os
from pathlib import Path

from harness.model import UsageError


def require_writable(path: Path) -> None:
    """Raises ``UsageError`` where :func:`write` would fail for want of a folder or of rights."""
    place = path if path.exists() else path.parent
    if path.is_dir() or not place.exists() or not os.access(place, os.W_OK):
        raise UsageError(f"{path} can't be written: give a file in a folder that exists")


def write(path: Path, text: str) -> None:
    """Whole or not at all, but for what is no file, such as /dev/stdout."""
    try:
        if path.exists() and not path.is_file():
            path.write_text(text, encoding="utf-8")
            return
        unfinished = path.with_name(f".{path.name}.{os.getpid()}")
        unfinished.write_text(text, encoding="utf-8")
        unfinished.replace(path)
    except OSError as error:
        raise UsageError(f"{path} can't be written: {error}") from error
