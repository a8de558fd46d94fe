"""``python -m harness.build [LANGUAGE...]`` builds the named implementations, by default all."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from harness.build.sam_build import build, package_zip
from harness.build.template import load_implementations
from harness.model import Artefact, HarnessError, Implementation
from harness.targets.local.leftovers import clear_abandoned, clear_own
from harness.terminal import end_with, interruptible, to_stderr


def main(languages: Sequence[str]) -> int:
    implementations = load_implementations()
    known: Mapping[str, Implementation] = {each.language: each for each in implementations}
    if unknown := [name for name in languages if name not in known]:
        raise HarnessError(f"not in template.yaml: {', '.join(unknown)}")
    ready = True
    for language, made in build([known[name] for name in languages or known]).items():
        if isinstance(made, Artefact):
            sizes = f"{made.unzipped_bytes:,} bytes, {made.zip_bytes:,} zipped"
            print(f"{language}: {made.folder} ({sizes})")
            print(f"  SHA-256 of the zip: {digest(package_zip(known[language]))}")
        else:
            ready = False
            to_stderr(str(made))
    return 0 if ready else 3


def digest(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


if __name__ == "__main__":
    try:
        with interruptible():
            clear_abandoned()
            end_with(main)
    except KeyboardInterrupt:
        clear_own()
        sys.exit(130)
