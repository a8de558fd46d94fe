"""An image in a folder: an OCI image layout."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from harness.model import HarnessError
from harness.preflight.model import Image


def read_layout(folder: Path) -> Image:
    """The digest and the platforms of an OCI layout. Raises ``HarnessError`` if it is none."""
    try:
        index = json.loads((folder / "index.json").read_text())
        named = index["manifests"]
        digest = str(named[0]["digest"]) if len(named) == 1 else ""
        return Image(digest, frozenset(_platforms(folder, index)))
    except OSError as error:
        raise HarnessError(f"{folder} is no OCI layout: {error.strerror}") from error
    except (KeyError, ValueError, TypeError) as error:
        raise HarnessError(f"{folder} is no OCI layout: {error!r}") from error


def _platforms(folder: Path, node: Mapping[str, Any]) -> Iterator[str]:
    """Those of an index, of the indexes in it, or of a manifest by its configuration."""
    if "config" in node:
        yield platform(_blob(folder, node["config"]["digest"]))
    for each in node.get("manifests", ()):
        yield from _platforms(folder, _blob(folder, each["digest"]))


def platform(config: Mapping[str, Any]) -> str:
    return f"{config['os']}/{config['architecture']}"


def _blob(folder: Path, digest: str) -> Mapping[str, Any]:
    kind, _, value = digest.partition(":")
    found: Mapping[str, Any] = json.loads((folder / "blobs" / kind / value).read_text())
    return found
