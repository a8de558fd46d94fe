"""An image in a folder: an OCI image layout."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from harness.images.layout import read_blob
from harness.model import UsageError
from harness.preflight.model import Image


def read_layout(folder: Path) -> list[Image]:
    """The images of a layout by the digests that a registry may give them; the whole one first.

    A layout with images of several architectures is pushed as an index, or each by itself. Raises
    ``UsageError`` if the folder is no layout.
    """
    try:
        content = (folder / "index.json").read_bytes()
        index = json.loads(content)
        whole = f"sha256:{hashlib.sha256(content).hexdigest()}"
        each = [
            Image(str(named["digest"]), frozenset(_platforms(folder, read_blob(folder, named))))
            for named in index["manifests"]
        ]
        if len(each) == 1:
            return each
        return [Image(whole, frozenset(_platforms(folder, index))), *each]
    except OSError as error:
        raise UsageError(f"{folder} is no OCI layout: {error.strerror}") from error
    except (KeyError, ValueError, TypeError) as error:
        raise UsageError(f"{folder} is no OCI layout: {error!r}") from error


def _platforms(folder: Path, node: Mapping[str, Any]) -> Iterator[str]:
    """Those of an index, of the indexes in it, or of a manifest by its configuration."""
    if "config" in node:
        yield platform(read_blob(folder, node["config"]))
    for each in node.get("manifests", ()):
        yield from _platforms(folder, read_blob(folder, each))


def platform(config: Mapping[str, Any]) -> str:
    """Such as ``linux/arm64``."""
    return f"{config['os']}/{config['architecture']}"
