"""What the tests that run built artefacts share."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from harness.build.sam_build import build
from harness.build.template import load_implementations
from harness.compare.orchestrate import by_client, choose_clients
from harness.model import Artefact, NotReady
from harness.verify.scripted_s3.server import ScriptedS3

IMPLEMENTATIONS = {each.language: each for each in load_implementations()}
EACH_CLIENT = choose_clients([*IMPLEMENTATIONS.values()], ())


@cache
def built(language: str) -> Artefact | NotReady:
    return build([IMPLEMENTATIONS[language]])[language]


def every_artefact() -> list[Artefact]:
    """Each implementation of the template as `sam build` makes it, with each of its clients."""
    made = by_client(EACH_CLIENT, {language: built(language) for language in IMPLEMENTATIONS})
    ready = [each for each in made.values() if isinstance(each, Artefact)]
    assert len(ready) == len(made), made
    return ready


@pytest.fixture(scope="module", params=EACH_CLIENT, ids=lambda each: each.name.replace(" ", "-"))
def artefact(request: pytest.FixtureRequest) -> Artefact:
    """What `sam build` makes of an implementation of the template, set to one of its clients."""
    made = built(request.param.language)
    if isinstance(made, NotReady):
        pytest.fail(str(made))
    return made.with_client(request.param.client)


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
