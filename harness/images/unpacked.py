"""Unpacks an image's layers, one upon the other, as a container's runtime does."""

from __future__ import annotations

import gzip
import hashlib
import shutil
import tarfile
from pathlib import Path

from harness.images.layers import Layer
from harness.images.layout import Image
from harness.model import HarnessError

_WHITEOUT = ".wh."  # hides a file of a lower layer; none of the images here needs it


def unpack(image: Image, folder: Path) -> None:
    """Make the image's root file system in an empty folder.

    Raises ``HarnessError`` for a whiteout, a device, a path that leads out of the root, and a layer
    whose content is not the one that the configuration names.
    """
    for each in image.layers:
        _unpack_layer(each, folder)


def _unpack_layer(layer: Layer, folder: Path) -> None:
    _check_content(layer)

    def checked(entry: tarfile.TarInfo, place: str) -> tarfile.TarInfo:
        if Path(entry.name).name.startswith(_WHITEOUT):
            raise HarnessError(f"{entry.name} is a whiteout: flatten the image first")
        if entry.isdev():
            raise HarnessError(f"{entry.name} is a device: a layer here has none")
        target = Path(place, entry.name.lstrip("/"))
        if target.parent.resolve().is_relative_to(Path(place).resolve()):
            _make_room(target, entry)
        return tarfile.tar_filter(entry, place).replace(mode=entry.mode, deep=False)

    try:
        with tarfile.open(layer.file, "r|gz") as archive:
            archive.extractall(folder, filter=checked)
    except tarfile.TarError as error:
        raise HarnessError(f"{layer.digest} can't be unpacked: {error}") from error


def _check_content(layer: Layer) -> None:
    with gzip.open(layer.file) as content:
        digest = hashlib.file_digest(content, "sha256")
    if f"sha256:{digest.hexdigest()}" != layer.diff_id:
        raise HarnessError(f"{layer.digest} has another content than {layer.diff_id}")


def _make_room(target: Path, entry: tarfile.TarInfo) -> None:
    """The file of a lower layer in this place goes, so that nothing is written through a link."""
    if target.is_symlink() or target.is_file():
        target.unlink()
    elif target.is_dir() and not entry.isdir():
        shutil.rmtree(target)
