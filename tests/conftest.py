"""What the tests that run built artefacts share."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from harness.build import build
from harness.contract.scripted_s3 import ScriptedS3
from harness.model import Artefact, NotReady
from harness.template import load_implementations

IMPLEMENTATIONS = {each.language: each for each in load_implementations()}


@cache
def built(language: str) -> Artefact | NotReady:
    return build([IMPLEMENTATIONS[language]])[language]


@pytest.fixture(scope="module", params=IMPLEMENTATIONS, ids=str)
def artefact(request: pytest.FixtureRequest) -> Artefact:
    """What `sam build` makes of each implementation of the template."""
    made = built(request.param)
    if isinstance(made, NotReady):
        pytest.fail(str(made))
    return made


@pytest.fixture
def s3() -> Iterator[ScriptedS3]:
    with ScriptedS3() as server:
        yield server


@pytest.fixture
def real_logs() -> Path:
    """Trails from public repositories, kept beside the checkout; CLOUDTRAIL_OPEN names others."""
    beside = Path(__file__).parents[2] / "shared/cloudtrail-open"
    folder = Path(os.environ.get("CLOUDTRAIL_OPEN", beside))
    if not (folder / "MANIFEST.tsv").exists():
        pytest.skip(f"no real trails: {folder} has no MANIFEST.tsv")
    return folder
