"""What the tests that run built artefacts share."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from functools import cache
from itertools import zip_longest
from pathlib import Path

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from harness.build.choice import by_client, choose_clients
from harness.build.sam_build import build
from harness.build.template import load_implementations
from harness.model import Artefact, NotReady
from harness.query.engine import Engine
from harness.targets.local.s3server import S3Server
from harness.targets.local.trino_server import SCHEMA, TrinoServer
from harness.toolchain.tools import trino_home
from harness.verify.scripted_s3.server import ScriptedS3

IMPLEMENTATIONS = {each.language: each for each in load_implementations()}
EACH_CLIENT = choose_clients([*IMPLEMENTATIONS.values()], ())
CLIENT_IDS = [each.name.replace(" ", "-") for each in EACH_CLIENT]
#: These take both cores and much memory, so no two of them run at the same time.
HEAVY = re.compile(r"test_bounds\.py::test_(twenty|rests_of|one_large|after_memory)")
#: Long tests that share nothing.
APART = re.compile(
    r"test_(fuzz_datasets|compare_local|reproducible)\.py"
    r"|test_mutants\.py::test_(a_mutant_drawn|killed_survived)"
)
#: They share one Trino, whose start takes half a minute.
TRINO = ("test_trino.py", "test_compact_trino.py")
#: Files that take a minute or more of a core; the others of the long ones wait most of their time.
WORK = ("heavy", "trino", "test_fuzz", "test_mutants.py", "test_compare_local.py", "test_deploy.py")
WAIT = ("test_contract.py", "test_credentials.py", "test_freeze.py")
_CLIENT = re.compile(rf"\[({'|'.join(CLIENT_IDS)})\b")


def unit_of(nodeid: str) -> str:
    """Which tests stay together on one worker of pytest-xdist.

    These are the tests of a file, because they share its set-up, and the files with Trino. Where an
    artefact is a parameter, they are the tests of a file with one client, because they share its
    sandboxes.
    """
    name = nodeid.rpartition("/")[2]
    if APART.match(name):
        return name
    if HEAVY.match(name):
        return "heavy"
    file, _, test = name.partition("::")
    if file in TRINO:
        return "trino"
    client = _CLIENT.search(test)
    return f"{file} {client[1]}" if client else file


class _Together(LoadScopeScheduling):  # type: ignore[misc]  # pytest-xdist has no types
    def _split_scope(self, nodeid: str) -> str:
        return unit_of(nodeid)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadScopeScheduling:
    return _Together(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long units come first, so that none ends alone; one that works, one that waits, by turns."""
    units: dict[str, list[pytest.Item]] = {}
    for item in items:
        units.setdefault(unit_of(item.nodeid), []).append(item)
    work, wait = ([name for name in units if name.startswith(files)] for files in (WORK, WAIT))
    work.sort(key=lambda name: next(n for n, each in enumerate(WORK) if name.startswith(each)))
    long = (name for pair in zip_longest(work, wait) for name in pair if name is not None)
    items[:] = [item for name in dict.fromkeys([*long, *units]) for item in units[name]]


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
def engine() -> Iterator[Engine]:
    """A Trino over an S3 server, for all tests that need one."""
    try:
        trino_home()
    except NotReady as error:
        pytest.skip(f"no Trino: {error}")
    with S3Server(access_log=True) as s3, TrinoServer(s3) as trino:
        trino.query(f"CREATE SCHEMA {SCHEMA}")
        yield Engine(s3, trino, s3.endpoint)


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
