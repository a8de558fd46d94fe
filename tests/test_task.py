"""K: every artefact as a task, in a process of its own, whose exit code tells the outcome."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path

import pytest
from conftest import IMPLEMENTATIONS, built

from harness.model import Artefact
from harness.targets.local.runtimes import task_command
from harness.verify.scripted_s3.scene import Fault, Request, Stored
from harness.verify.scripted_s3.server import ScriptedS3
from harness.verify.vectors.cases import DESTINATION_BUCKET, SOURCE_BUCKET

pytestmark = pytest.mark.slow

EVENT = '{"year":2024,"month":2,"day":8}'
FROM_SQS = json.dumps({"Records": [{"body": EVENT}]})
FOLDER = "AWSLogs/111122223333/CloudTrail/eu-west-1/2024/02/08"
BODY = Stored(b'{"Records":[{"eventID":"1"}]}')
MANIFEST = "2024/02/08/_manifest.json"
CLAIM = "2024/02/08/_claim.json"
BUSY = Stored(b'{"run":"another","expires":"2999-01-01T00:00:00.000Z"}')
PATIENCE_S = 60

type Buckets = dict[str, dict[str, Stored]]


def day(sources: int = 3) -> Buckets:
    return {
        SOURCE_BUCKET: {f"{FOLDER}/{number:03d}.json": BODY for number in range(sources)},
        DESTINATION_BUCKET: {},
    }


def start(
    artefact: Artefact,
    s3: ScriptedS3,
    event: Sequence[str] = (EVENT,),
    stdout: int = subprocess.PIPE,
    **settings: str,
) -> subprocess.Popen[str]:
    made = artefact.implementation
    folder = artefact.folder.resolve()
    *command, _ = task_command(made, folder, made.memory_mb, "")
    env = {
        **s3.env(),
        **made.choice,
        "PATH": "/usr/bin:/bin",
        "SRC_BUCKET": SOURCE_BUCKET,
        "DST_BUCKET": DESTINATION_BUCKET,
        **settings,
    }
    return subprocess.Popen(
        [*command, *event],
        cwd=folder,
        env=env,
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
    )


def outcome(task: subprocess.Popen[str]) -> tuple[int, list[Mapping[str, object]]]:
    """The exit code and the lines of the log, which are all that it prints."""
    said, complaint = task.communicate(timeout=PATIENCE_S)
    assert not complaint
    return task.returncode, [json.loads(line) for line in said.splitlines()]


def published(s3: ScriptedS3) -> dict[str, bytes]:
    return {key: each.body for key, each in s3.objects(DESTINATION_BUCKET).items()}


def test_a_task_does_one_run(artefact: Artefact, s3: ScriptedS3) -> None:
    """K1: the same as the function's, with a request id of its own. K2: the claim outlives it."""
    s3.begin(day())
    began = time.time()
    code, log = outcome(start(artefact, s3, [FROM_SQS], TASK_TIMEOUT="7200"))
    assert code == 0
    assert [line["event"] for line in log] == ["start", "end"]
    result = {"day": "2024-02-08", "sources": 3, "bad": 0, "records": 3, "bytes": 48, "chunks": 1}
    assert log[-1]["result"] == {**result, "deleted": 0}
    assert published(s3).keys() == {"2024/02/08/000001.ndjson.gz", MANIFEST}
    requests, _ = s3.take_requests()
    (text,) = (each.detail for each in requests if each.key == CLAIM and each.operation == "put")
    claim = json.loads(text)
    assert claim["run"] == log[0]["request_id"]
    assert re.fullmatch(r"[A-Za-z0-9-]{20,}", claim["run"])
    left_s = datetime.fromisoformat(claim["expires"]).timestamp() - began
    assert 7260 < left_s < 7260 + PATIENCE_S


@pytest.fixture(scope="module", params=IMPLEMENTATIONS)
def light(request: pytest.FixtureRequest) -> Artefact:
    """One client of each: the exit code is not the client's work."""
    made = built(request.param)
    assert isinstance(made, Artefact), made
    return made.with_client("light")


def test_the_exit_code_tells_the_error(light: Artefact, s3: ScriptedS3) -> None:
    """K1 to K3."""
    s3.begin(day() | {"nothing": {}})
    assert run(light, s3, TASK_TIMEOUT="172801") == (10, "BAD_SETTINGS: TASK_TIMEOUT")
    for event in ([], [EVENT[:-1] + ',"no JSON":NaN}'], ["[" * 100_000]):
        assert run(light, s3, event) == (11, "INVALID_EVENT: event: expected a JSON object")
    no_day = EVENT.replace("8", "30")
    assert run(light, s3, [no_day]) == (12, "INVALID_DATE: the calendar has no such day")
    assert run(light, s3, SRC_BUCKET="nothing") == (13, "NO_TRAIL: AWSLogs/")
    s3.change(DESTINATION_BUCKET, {CLAIM: BUSY})
    assert run(light, s3) == (19, f"BUSY: {CLAIM}")
    s3.change(DESTINATION_BUCKET, {MANIFEST: Stored(b"{")}, [CLAIM])
    assert run(light, s3) == (14, f"BAD_MANIFEST: {MANIFEST}")
    s3.change(DESTINATION_BUCKET, {MANIFEST: Stored(b'{"result":{"sources":99,"bad":0}}')})
    assert run(light, s3) == (15, "FEWER_SOURCES: published 99, readable 3")
    s3.change(DESTINATION_BUCKET, {}, [MANIFEST])
    s3.change(SOURCE_BUCKET, {f"{FOLDER}/9": Stored(b"{")})
    assert run(light, s3) == (16, f"BAD_SOURCES: 1 of 4: {FOLDER}/9 (BAD_JSON)")
    s3.begin(day(40))  # and as many chunks: 40 times 250 ms to publish them (E6)
    assert run(light, s3, TASK_TIMEOUT="8", CHUNK_BYTES="16")[0] == 18
    s3.begin(day(), [Fault("get", f"{FOLDER}/001.json", 403, "AccessDenied")])
    assert run(light, s3) == (17, f"S3_ERROR: get {FOLDER}/001.json (AccessDenied)")


def run(
    light: Artefact, s3: ScriptedS3, event: Sequence[str] = (EVENT,), **settings: str
) -> tuple[int, str]:
    code, log = outcome(start(light, s3, event, subprocess.PIPE, **settings))
    return code, str(log[-1]["error"])


def test_the_exit_codes_are_the_contract_s() -> None:
    """K3 is E1 from 10 on, which the implementations count."""
    spec = (Path(__file__).parent.parent / "SPEC.md").read_text()
    codes = dict(re.findall(r"\| (\d\d) \| `([A-Z0-9_]+)` ", spec))
    (named,) = re.findall(r"\*\*E1\*\* The codes of runs are (.*?)\. The codes", spec, re.DOTALL)
    assert [codes[number] for number in sorted(codes)] == re.findall(r"`(\w+)`", named)
    assert sorted(codes) == [str(number) for number in range(10, 21)]


def test_sigterm_ends_a_run_that_reads(artefact: Artefact, s3: ScriptedS3) -> None:
    """K4: nothing is published, the claim is given back, a repeat does it all.

    S3 does not answer to one of its requests.
    """
    s3.begin(day(20))
    held = Hold(s3, "get", f"{FOLDER}/010.json")
    task = start(artefact, s3, CONCURRENCY="2", CHUNK_BYTES="32")
    wait_for_hidden_chunk(s3)
    assert held.begun.wait(PATIENCE_S)
    task.send_signal(signal.SIGTERM)
    began = time.monotonic()
    code, log = outcome(task)
    took_s = time.monotonic() - began
    held.go_on.set()
    assert took_s < 8  # an attempt fails after 10 s (E5)
    assert code == 18
    assert re.fullmatch(r"OUT_OF_TIME: \d+ sources read", str(log[-1]["error"]))
    assert all("/_" in key and key != CLAIM for key in published(s3))
    assert outcome(start(artefact, s3))[0] == 0
    assert published(s3).keys() == {"2024/02/08/000001.ndjson.gz", MANIFEST}


def test_sigterm_lets_a_run_publish(light: Artefact, s3: ScriptedS3) -> None:
    """K4: the same content as without it."""
    s3.begin(day(8))
    held = Hold(s3, "copy")
    task = start(light, s3, CHUNK_BYTES="16")
    assert held.begun.wait(PATIENCE_S)
    task.send_signal(signal.SIGTERM)
    time.sleep(0.3)
    held.go_on.set()
    code, log = outcome(task)
    assert (code, log[-1]["error"]) == (0, None)
    chunks = {f"2024/02/08/{number:06d}.ndjson.gz" for number in range(1, 9)}
    assert published(s3).keys() == chunks | {MANIFEST}


def test_a_task_ends_with_its_time(light: Artefact, s3: ScriptedS3) -> None:
    """K2: whatever it does. No request lasts so long (E5, E6), but a log that nobody reads does.

    JavaScript's one thread can't end then. Its process stands still until its time is over.
    """
    s3.begin(day())
    held = Hold(s3, "copy")
    if light.implementation.language == "javascript":
        task = start(light, s3, stdout=subprocess.DEVNULL, TASK_TIMEOUT="6")
        assert held.begun.wait(PATIENCE_S)
        task.send_signal(signal.SIGSTOP)
        time.sleep(7)
        task.send_signal(signal.SIGCONT)
    else:
        with full_pipe() as log:
            task = start(light, s3, stdout=log, TASK_TIMEOUT="2")
            task.wait(PATIENCE_S)
    _, complaint = task.communicate(timeout=PATIENCE_S)
    held.go_on.set()
    assert (task.returncode, complaint) == (21, "")
    s3.take_requests()  # the last copy is done
    assert MANIFEST not in published(s3)
    if light.implementation.language == "javascript":  # it gives nothing back
        assert run(light, s3) == (19, f"BUSY: {CLAIM}")


def test_a_task_that_publishes_ends_before_its_time(light: Artefact, s3: ScriptedS3) -> None:
    """E5: with its log and without its claim, although S3 does not answer; a repeat does it all."""
    s3.begin(day())
    held = Hold(s3, "copy")
    code, log = outcome(start(light, s3, TASK_TIMEOUT="8"))
    held.go_on.set()
    assert (code, log[-1]["error"]) == (17, "S3_ERROR: copy 2024/02/08/000001.ndjson.gz")
    s3.take_requests()  # the last copy is done
    assert CLAIM not in published(s3)
    assert run(light, s3)[0] == 0
    assert published(s3).keys() == {"2024/02/08/000001.ndjson.gz", MANIFEST}


@contextmanager
def full_pipe() -> Iterator[int]:
    """A pipe in which there is no room."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    with suppress(BlockingIOError):
        while True:
            os.write(writing, b" " * 4096)
    os.set_blocking(writing, True)
    try:
        yield writing
    finally:
        os.close(reading)
        os.close(writing)


class Hold:
    """Requests that S3 does not answer, until it may ``go_on``."""

    def __init__(self, s3: ScriptedS3, operation: str, key: str | None = None) -> None:
        self.begun, self.go_on = threading.Event(), threading.Event()

        @contextmanager
        def hold(_key: str, request: Request) -> Iterator[None]:
            if request.operation == operation and key in (None, request.key):
                self.begun.set()
                self.go_on.wait(PATIENCE_S)
            yield

        s3.hold = hold


def wait_for_hidden_chunk(s3: ScriptedS3) -> None:
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        if any("/_" in key and key != CLAIM for key in published(s3)):
            return
        time.sleep(0.01)
    pytest.fail("no chunk was put")
