"""The OCI image layout: a folder of blobs, each named by its hash, and an index of the images.

https://github.com/opencontainers/image-spec has the form. Reading checks every hash.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.images.layers import MEDIA_TYPE, Layer
from harness.model import HarnessError

_INDEX = "application/vnd.oci.image.index.v1+json"
_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_CONFIG = "application/vnd.oci.image.config.v1+json"
#: Docker's names of the same forms; `crane pull --format=oci` keeps them.
_INDEXES = (_INDEX, "application/vnd.docker.distribution.manifest.list.v2+json")
_GZIPPED = (MEDIA_TYPE, "application/vnd.docker.image.rootfs.diff.tar.gzip")
#: The template's names of architectures -> those of Go, which images have.
PLATFORMS = {"x86_64": "amd64", "arm64": "arm64"}

type Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Image:
    """One image: what its configuration says, and its layers from the ground up."""

    architecture: str
    config: Json
    layers: Sequence[Layer]


@dataclass(frozen=True, slots=True)
class Written:
    """An image in a layout, with the digest of its manifest."""

    image: Image
    digest: str


def write_layout(folder: Path, images: Sequence[Image], tag: str) -> list[Written]:
    """Write the images of one program, one for each architecture, into an empty folder."""
    blobs = _Blobs(folder)
    described = []
    written = []
    for image in images:
        manifest = {
            "schemaVersion": 2,
            "mediaType": _MANIFEST,
            "config": blobs.put_json(_CONFIG, image.config),
            "layers": [blobs.put_layer(each) for each in image.layers],
            "annotations": image.config["config"]["Labels"],
        }
        one = blobs.put_json(_MANIFEST, manifest)
        platform = {"architecture": PLATFORMS[image.architecture], "os": "linux"}
        name = {"org.opencontainers.image.ref.name": tag}
        described.append({**one, "platform": platform, "annotations": name})
        written.append(Written(image, one["digest"]))
    index = {"schemaVersion": 2, "mediaType": _INDEX, "manifests": described}
    (folder / "index.json").write_bytes(_encoded(index))
    (folder / "oci-layout").write_bytes(_encoded({"imageLayoutVersion": "1.0.0"}))
    return written


def is_layout(folder: Path) -> bool:
    return (folder / "oci-layout").is_file()


class _Blobs:
    def __init__(self, folder: Path) -> None:
        self._folder = folder / "blobs/sha256"
        self._folder.mkdir(parents=True)

    def put_json(self, media_type: str, value: Json) -> dict[str, Any]:
        content = _encoded(value)
        digest = hashlib.sha256(content).hexdigest()
        (self._folder / digest).write_bytes(content)
        return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": len(content)}

    def put_layer(self, layer: Layer) -> dict[str, Any]:
        place = self._folder / layer.digest.removeprefix("sha256:")
        if not place.exists():
            shutil.copyfile(layer.file, place)
        return {"mediaType": MEDIA_TYPE, "digest": layer.digest, "size": layer.packed_bytes}


def _encoded(value: Json) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def read_image(folder: Path, architecture: str) -> Image:
    """The image of a layout for an architecture of the template.

    Raises ``HarnessError`` where there is none, where a blob has not its hash, and where a layer
    has another form than gzip.
    """
    if not is_layout(folder):
        raise HarnessError(
            f"{folder} is no OCI image layout: it has no file oci-layout: make one by "
            "`python -m harness image`"
        )
    index = _read_json(folder / "index.json")
    known = [*_manifests(folder, index)]
    fitting = [each for each in known if each[0] == PLATFORMS[architecture]]
    if not fitting:
        found = " and ".join(sorted({each for each, _, _ in known})) or "nothing"
        raise HarnessError(
            f"{folder} has an image for {found}, and none for {PLATFORMS[architecture]}: make it "
            f"with --architecture {architecture}"
        )
    _, manifest, config = fitting[0]
    diff_ids = config["rootfs"]["diff_ids"]
    pairs = zip(manifest["layers"], diff_ids, strict=True)
    layers = [_read_layer(folder, described, diff_id) for described, diff_id in pairs]
    return Image(architecture, config, layers)


def _manifests(folder: Path, index: Json) -> Iterator[tuple[str, Json, Json]]:
    """(architecture, manifest, configuration) of each image; an index may hold another one."""
    for each in index["manifests"]:
        content = read_blob(folder, each)
        if each["mediaType"] in _INDEXES:
            yield from _manifests(folder, content)
        else:
            config = read_blob(folder, content["config"])
            if config.get("os") == "linux":  # the other ones attest something
                yield config["architecture"], content, config


def _read_layer(folder: Path, described: Json, diff_id: str) -> Layer:
    if described["mediaType"] not in _GZIPPED:
        raise HarnessError(
            f"{folder}: a layer is {described['mediaType']}: only gzip can be read here"
        )
    file = _blob(folder, described)
    return Layer("given", "", str(file), described["digest"], diff_id, described["size"], 0)


def read_blob(folder: Path, described: Json) -> Json:
    """The JSON of a blob that an index or a manifest describes, after a check of its hash."""
    return _read_json(_blob(folder, described))


def _blob(folder: Path, described: Json) -> Path:
    """The file of a blob, after a check of its hash."""
    algorithm, _, digest = described["digest"].partition(":")
    file: Path = folder / "blobs" / algorithm / digest
    if algorithm != "sha256" or not file.is_file():
        raise HarnessError(f"{folder} has no blob {described['digest']}: make or pull it again")
    with file.open("rb") as opened:
        if hashlib.file_digest(opened, "sha256").hexdigest() != digest:
            raise HarnessError(f"{file} has another hash than its name: make or pull it again")
    return file


def _read_json(file: Path) -> Json:
    try:
        read: Json = json.loads(file.read_bytes())
    except (OSError, ValueError) as error:
        raise HarnessError(f"{file} can't be read: {error}") from error
    return read
