"""Sandboxes that start from a snapshot, and with an AOT cache."""

from __future__ import annotations

import os
import shutil
import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from conftest import CLIENT_IDS, EACH_CLIENT, built
from tcp import Listener

from harness.compare.starts import has_start, train
from harness.model import Artefact, HarnessError, Implementation, Invocation, NotReady, Start
from harness.targets.local.sandbox import LocalSandbox
from harness.targets.local.starts import aot_cache, primed
from harness.targets.local.starts.aot_cache import AotSandbox
from harness.targets.local.starts.primed import PrimedSandbox
from harness.verify.scripted_s3.scene import Stored
from harness.verify.scripted_s3.server import ScriptedS3
from harness.verify.vectors.cases import DESTINATION_BUCKET, SOURCE_BUCKET

pytestmark = pytest.mark.slow

HOOKED = """
import json, os, socket, time

from snapshot_restore_py import register_after_restore, register_before_snapshot

done = ["init"]
wire = socket.create_connection(("127.0.0.1", int(os.environ["WIRE"])))
register_before_snapshot(lambda: done.append("before"))
register_before_snapshot(lambda: time.sleep(1.5))
register_after_restore(lambda: (time.sleep(0.1), done.append("after")))


def handle(event, context):
    try:
        wire.send(b"x")
        met = None
    except OSError as error:
        met = type(error).__name__
    return {"done": done, "met": met, "keys": sorted(k for k in os.environ if "_KEY" in k)}
"""
EVENT = {"year": 2024, "month": 2, "day": 8}
FOLDER = "AWSLogs/111122223333/CloudTrail/eu-west-1/2024/02/08"
SOURCES = 12
BODY = Stored(b'{"Records":[{"eventID":"1"}]}')


def function(folder: Path, text: str) -> Artefact:
    (folder / "hello.py").write_text(text)
    implementation = Implementation(
        "python", "HelloFunction", "python3.13", "hello.handle", folder, 256, 30, {}
    )
    return Artefact(implementation, folder, 0, 0)


@pytest.fixture
def wire() -> Iterator[Listener]:
    def hear(near: socket.socket) -> None:
        with near, suppress(OSError):
            near.recv(1)

    heard = Listener(hear)
    yield heard
    heard.stop()


def test_the_hooks_run_around_a_snapshot_that_no_connection_outlives(
    tmp_path: Path, wire: Listener
) -> None:
    port = wire.url.rpartition(":")[2]
    with PrimedSandbox(function(tmp_path, HOOKED), {"WIRE": port}) as sandbox:
        first, second = sandbox.invoke({}), sandbox.invoke({})
        assert sandbox.cut == 1
    assert first.error is None, first.error
    assert first.result == {
        "done": ["init", "before", "after"],
        "met": "ConnectionResetError",
        "keys": [],
    }
    assert first.cold
    assert first.init_ms is not None
    assert first.init_ms >= 1500  # the hooks before the snapshot belong to it
    assert first.after_restore_ms is not None
    assert 100 <= first.after_restore_ms < first.init_ms
    assert (second.cold, second.init_ms, second.after_restore_ms) == (False, None, None)


def test_only_a_primed_start_has_the_variables_of_snap_start(tmp_path: Path) -> None:
    text = "import os\ndef handle(event, context):\n    return os.environ.get('OPTIONS')\n"
    plain = function(tmp_path, text)
    made = replace(plain.implementation, with_snap_start={"OPTIONS": "-fast"})
    artefact = replace(plain, implementation=made)
    with PrimedSandbox(artefact, {}) as primed, LocalSandbox(artefact, {}) as other:
        assert (primed.invoke({}).result, other.invoke({}).result) == ("-fast", None)


def test_a_plain_start_runs_no_hooks(tmp_path: Path, wire: Listener) -> None:
    port = wire.url.rpartition(":")[2]
    with LocalSandbox(function(tmp_path, HOOKED), {"WIRE": port}) as sandbox:
        found = sandbox.invoke({})
    keys = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"]
    assert found.result == {"done": ["init"], "met": None, "keys": keys}


def test_a_snapshot_whose_hook_fails_is_an_error(tmp_path: Path) -> None:
    text = """
from snapshot_restore_py import register_before_snapshot
register_before_snapshot(lambda: 1 / 0)
def handle(event, context):
    return {}
"""
    with PrimedSandbox(function(tmp_path, text), {}) as sandbox:
        invocation = sandbox.invoke({})
    assert invocation.error is not None
    assert "division by zero" in invocation.error


def test_a_snapshot_that_fails_is_told_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object) -> int:
        raise NotReady("the kernel refuses to cut")

    monkeypatch.setattr(primed, "cut_connections", refused)
    text = "def handle(event, context):\n    return {}\n"
    begun = time.monotonic()
    artefact = function(tmp_path, text)
    slow = replace(artefact, implementation=replace(artefact.implementation, timeout_s=120))
    with PrimedSandbox(slow, {}) as sandbox:
        with pytest.raises(NotReady, match="the kernel refuses to cut"):
            sandbox.invoke({})
        monkeypatch.undo()
        assert sandbox.invoke({}).result == {}  # the fault was that of the first
    assert time.monotonic() - begun < 60  # the time-out is 120 s


def test_a_runtime_without_hooks_has_no_primed_start(tmp_path: Path) -> None:
    """Its client begins at once, so nothing would be measured but a plain start."""
    (tmp_path / "hello.mjs").write_text("export const handle = async () => ({});")
    implementation = Implementation(
        "javascript", "HelloFunction", "nodejs24.x", "hello.handle", tmp_path, 256, 30, {}
    )
    with (
        PrimedSandbox(Artefact(implementation, tmp_path, 0, 0), {}) as sandbox,
        pytest.raises(HarnessError, match="did not ask for a restore"),
    ):
        sandbox.invoke({})


def snapped(client: Implementation) -> Artefact:
    made = built(client.language)
    assert isinstance(made, Artefact), made
    return made.with_client(client.client)


PRIMED = [
    pytest.param(each, id=name)
    for each, name in zip(EACH_CLIENT, CLIENT_IDS, strict=True)
    if has_start(each, Start.PRIMED)
]


def day() -> dict[str, dict[str, Stored]]:
    sources = {f"{FOLDER}/{number:02d}.json": BODY for number in range(SOURCES)}
    return {SOURCE_BUCKET: sources, DESTINATION_BUCKET: {}}


def environment(artefact: Artefact, s3: ScriptedS3) -> dict[str, str]:
    places = {"SRC_BUCKET": SOURCE_BUCKET, "DST_BUCKET": DESTINATION_BUCKET}
    return s3.env() | artefact.implementation.choice | places


def aggregated(invocation: Invocation) -> None:
    assert invocation.error is None, invocation.error
    assert isinstance(invocation.result, dict)
    assert invocation.result["records"] == SOURCES
    # a request over a connection of before would fail, and be made again
    assert not [line for line in invocation.log if line.get("event") == "retry"]


@pytest.mark.parametrize("client", PRIMED)
def test_an_artefact_uses_nothing_of_before_its_snapshot(
    client: Implementation, s3: ScriptedS3
) -> None:
    artefact = snapped(client)
    env = environment(artefact, s3) | {"AWS_SESSION_TOKEN": "token"}
    with PrimedSandbox(artefact, env) as sandbox:

        def accepts(_key: str, token: str) -> bool:
            keys = sandbox.keys
            assert keys is not None
            return token.startswith("token-after" if keys.is_restored else "token-before")

        s3.accepts = accepts
        s3.begin(day())
        first, keys = sandbox.invoke(EVENT), sandbox.keys
        assert keys is not None
        aggregated(first)
        s3.begin(day())
        aggregated(sandbox.invoke(EVENT))
    assert keys.after
    # only Java has a hook before the snapshot, and it asks S3
    assert bool(keys.before) == (client.language == "java")
    assert first.init_ms is not None
    assert first.after_restore_ms is not None


@pytest.fixture(scope="module")
def java() -> Artefact:
    (client,) = (each for each in EACH_CLIENT if each.name == "java light")
    return snapped(client)


def test_an_aot_cache_is_made_once_and_used(
    java: Artefact, s3: ScriptedS3, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    used: list[int] = []
    monkeypatch.setattr(aot_cache, "CACHES", tmp_path)
    monkeypatch.setattr(aot_cache, "_used", used)
    told: list[str] = []
    trained, again = train(java, told.append), train(java, told.append)
    assert isinstance(trained, Artefact), trained
    assert trained == again
    assert [each.split(" ")[0] for each in told] == ["training", "making"]
    assert trained.zip_bytes is not None
    assert java.zip_bytes is not None
    cache = (trained.aot or tmp_path) / "cache.aot"
    assert trained.unzipped_bytes == (java.unzipped_bytes or 0) + cache.stat().st_size
    assert java.zip_bytes < trained.zip_bytes < java.zip_bytes + cache.stat().st_size

    s3.begin(day())
    with AotSandbox(trained, environment(java, s3)) as sandbox:
        aggregated(sandbox.invoke(EVENT))

    cache.write_bytes(cache.read_bytes()[:1000])
    with AotSandbox(trained, environment(java, s3)) as sandbox:
        refused = sandbox.invoke(EVENT)  # the JVM must not go on without its cache
    assert refused.error is not None
    assert "AOT cache" in refused.error

    for lock in used:  # as at the end of this process
        os.close(lock)
    changed = tmp_path / "changed"
    shutil.copytree(java.folder, changed)
    (changed / "more.properties").write_text("a=b")
    made: list[Artefact] = []

    def stop(artefact: Artefact) -> None:
        made.append(artefact)
        raise NotReady("enough")

    with pytest.raises(NotReady, match="enough"):
        aot_cache.with_cache(replace(java, folder=changed), stop, "none")
    assert made[0].aot != trained.aot
    assert not cache.exists()  # of a build that is gone
