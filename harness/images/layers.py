"""A layer of an image is a tar archive of a folder. The same files give the same bytes.

Times and owners of the files don't count: in the archive all are of 1970 and of root. Of the modes
only one bit counts: that of a program, and that of a folder like /tmp.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import stat
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

import msgspec

from harness.scratch import remove_folder, scratch
from harness.toolchain.paths import ROOT
from harness.toolchain.tools import locked

MEDIA_TYPE = "application/vnd.oci.image.layer.v1.tar+gzip"
LAYERS = ROOT / ".build/layers"

_GZIP_LEVEL = 6  # 9 takes twice the time, and saves one byte in two hundred

_FILE, _PROGRAM, _LINK = 0o644, 0o755, 0o777
_FOLDER, _SHARED_FOLDER = 0o755, 0o1777


class Layer(msgspec.Struct, frozen=True):
    """A packed layer. Its ``digest`` is of the compressed file, ``diff_id`` of the archive."""

    name: str
    made_of: str
    file: str
    digest: str
    diff_id: str
    packed_bytes: int
    unpacked_bytes: int


def layer(name: str, key: str, made_of: str, fill: Callable[[Path], None]) -> Layer:
    """The layer of the files that ``fill`` puts into a folder; packed once for each ``key``."""
    place = LAYERS / f"{name}-{hashlib.sha256(key.encode()).hexdigest()[:16]}"
    with locked(LAYERS / f"{name}.lock"):
        if (found := _read(place)) is not None:
            return found
        remove_folder(place)
        with scratch("layer", LAYERS) as unfinished:
            (unfinished / "files").mkdir()
            (unfinished / "made").mkdir()
            fill(unfinished / "files")
            digests = pack(unfinished / "files", unfinished / "made/layer.tar.gz")
            made = Layer(name, made_of, str(place / "layer.tar.gz"), *digests)
            (unfinished / "made/layer.json").write_bytes(msgspec.json.encode(made))
            (unfinished / "made").rename(place)
    return made


def _read(place: Path) -> Layer | None:
    try:
        found = msgspec.json.decode((place / "layer.json").read_bytes(), type=Layer)
    except (OSError, msgspec.DecodeError):
        return None
    # the checkout may have moved since then
    return msgspec.structs.replace(found, file=str(place / "layer.tar.gz"))


def pack(folder: Path, file: Path) -> tuple[str, str, int, int]:
    """Write the folder's content as a layer: its digest and diff id, its packed and real size."""
    with file.open("wb") as opened:
        packed = _Hashed(opened)
        # without a name and a time in the header
        with gzip.GzipFile("", "wb", _GZIP_LEVEL, packed, mtime=0) as zipped:
            archive = _Hashed(zipped)
            with tarfile.open(fileobj=archive, mode="w|", format=tarfile.PAX_FORMAT) as tar:
                for path in _below(folder):
                    _add(tar, path, path.relative_to(folder).as_posix())
    return packed.digest, archive.digest, packed.size, archive.size


def _below(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        yield path
        if path.is_dir() and not path.is_symlink():
            yield from _below(path)


def _add(tar: tarfile.TarFile, path: Path, name: str) -> None:
    mode = path.lstat().st_mode
    entry = tarfile.TarInfo(name)
    if path.is_symlink():
        entry.type, entry.linkname, entry.mode = tarfile.SYMTYPE, str(path.readlink()), _LINK
        tar.addfile(entry)
    elif path.is_dir():
        entry.type = tarfile.DIRTYPE
        entry.mode = _SHARED_FOLDER if mode & stat.S_ISVTX else _FOLDER
        tar.addfile(entry)
    else:
        entry.mode = _PROGRAM if mode & stat.S_IXUSR else _FILE
        entry.size = path.lstat().st_size
        with path.open("rb") as content:
            tar.addfile(entry, content)


class _Hashed(io.RawIOBase):
    """Writes to a stream, and knows the hash and the number of the bytes."""

    def __init__(self, stream: IO[bytes] | gzip.GzipFile) -> None:
        self._stream = stream
        self._hash = hashlib.sha256()
        self.size = 0

    def writable(self) -> bool:
        return True

    def write(self, data: bytes) -> int:  # type: ignore[override]
        self._hash.update(data)
        self.size += len(data)
        return self._stream.write(data)

    @property
    def digest(self) -> str:
        return f"sha256:{self._hash.hexdigest()}"
