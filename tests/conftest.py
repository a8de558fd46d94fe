"""What the tests that run built artefacts share."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from harness.build.choice import by_client, choose_clients
from harness.build.sam_build import build
from harness.build.template import load_implementations
from harness.model import Artefact, NotReady
from harness.query.lake import Lake
from harness.targets.local.s3server import S3Server
from harness.targets.local.trino_server import SCHEMA, TrinoServer
from harness.toolchain.tools import trino_home
from harness.verify.scripted_s3.server import ScriptedS3

IMPLEMENTATIONS = {each.language: each for each in load_implementations()}
EACH_CLIENT = choose_clients([*IMPLEMENTATIONS.values()], ())
CLIENT_IDS = [each.name.replace(" ", "-") for each in EACH_CLIENT]
#: These take both cores and much memory, so no two of their tests run at the same time.
HEAVY = "test_bounds.py"
#: Its tests share nothing, and several workers had better begin the long ones.
APART = "test_mutants.py"
#: They share one Trino, whose start takes half a minute.
TRINO = ("test_trino.py", "test_compact_trino.py")
_CLIENT = re.compile(rf"\[({'|'.join(CLIENT_IDS)})\b")


class _Together(LoadScopeScheduling):  # type: ignore[misc]  # pytest-xdist has no types
    """Which tests stay together on one worker of pytest-xdist.

    These are the tests of a file, because they share its set-up, and the files with Trino. Where an
    artefact is a parameter, they are the tests of a file with one client, because they share its
    sandboxes.
    """

    def _split_scope(self, nodeid: str) -> str:
        file, _, test = nodeid.rpartition("/")[2].partition("::")
        if file == APART:
            return nodeid
        if file in TRINO:
            return "trino"
        client = None if file == HEAVY else _CLIENT.search(test)
        return f"{file} {client[1]}" if client else file


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadScopeScheduling:
    return _Together(config, log)


@cache
def built(language: str) -> Artefact | NotReady:
    return build([IMPLEMENTATIONS[language]])[language]


def every_artefact() -> list[Artefact]:
    """Each implementation of the template as `sam build` makes it, with each of its clients."""
    made = by_client(EACH_CLIENT, {language: built(language) for language in IMPLEMENTATIONS})
    ready = [each for each in made.values() if isinstance(each, Artefact)]
    assert len(ready) == len(made), made
    return ready


@pytest.fixture(scope="module", params=EACH_CLIENT, ids=CLIENT_IDS)
def artefact(request: pytest.FixtureRequest) -> Artefact:
    """What `sam build` makes of an implementation of the template, set to one of its clients."""
    made = built(request.param.language)
    if isinstance(made, NotReady):
        pytest.fail(str(made))
    return made.with_client(request.param.client)


@pytest.fixture(scope="session")
def engine() -> Iterator[Lake]:
    """A Trino over an S3 server, for all tests that need one."""
    try:
        trino_home()
    except NotReady as error:
        pytest.skip(f"no Trino: {error}")
    with S3Server(access_log=True) as s3, TrinoServer(s3) as trino:
        trino.query(f"CREATE SCHEMA {SCHEMA}")
        yield Lake(s3, trino, s3.endpoint)


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
