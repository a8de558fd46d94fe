"""The judge must refuse what the contract refuses: an actor plays a run, then plays it wrong."""

from __future__ import annotations

import contextlib
import gzip
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from harness.model import Invocation
from harness.verify.scripted_s3.scene import Stored
from harness.verify.scripted_s3.server import ScriptedS3
from harness.verify.vectors.cases import DESTINATION_BUCKET, Case, Expectation, load_cases
from harness.verify.vectors.judge import Function, check_answer, judge
from harness.verify.vectors.log_checks import PHASES

CASE = "writing-three-chunks"
DAY = "2024/02/08/"
RUN = "actor"
CLAIM = f"{DAY}_claim.json"
TEXTS = [f'{{"eventID":"{name}"}}\n'.encode() for name in "abc"]


@dataclass
class Script:
    """What the actor does; each test changes one thing."""

    texts: list[bytes] = field(default_factory=lambda: list(TEXTS))
    copies: list[int] = field(default_factory=lambda: [3, 2, 1])
    deletes: list[str] = field(default_factory=list)
    content_type: str = "application/gzip"
    content_encoding: str | None = None
    gzip_time: int = 0
    clean_first: bool = False
    clean: bool = True
    write_manifest: bool = True
    source_deletes: list[str] = field(default_factory=list)
    gets: int = 1
    heads: int = 0
    answer: dict[str, Any] = field(default_factory=dict)
    end: dict[str, Any] = field(default_factory=dict)
    extra_log: list[dict[str, Any]] = field(default_factory=list)
    say_end: bool = True
    claims_first: bool = True
    claim_condition: str | None = "*"
    claim_text: str | None = None
    releases: bool = True
    release_condition: bool = True
    checksum: Literal["when_supported", "when_required"] = "when_supported"


class Actor:
    """A function that needs no aggregation: it knows the play by heart."""

    def __init__(self, script: Script, s3: ScriptedS3) -> None:
        self.script = script
        self.s3 = boto3.client(
            "s3",
            endpoint_url=s3.endpoint,
            region_name="us-east-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
            config=Config(request_checksum_calculation=script.checksum),
        )

    def put(self, key: str, body: bytes, content_type: str) -> None:
        more: Any = {}
        if self.script.content_encoding and not key.endswith("json"):
            more["ContentEncoding"] = self.script.content_encoding
        self.s3.put_object(
            Bucket=DESTINATION_BUCKET, Key=key, Body=body, ContentType=content_type, **more
        )

    def hidden(self, number: int) -> str:
        return f"{DAY}_{RUN}-{number:06d}.ndjson.gz"

    def claim(self) -> str:
        """Claim the day; gives the claim's ETag."""
        end = datetime.now(UTC) + timedelta(seconds=900)
        expires = end.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        condition: Any = {}
        if self.script.claim_condition:
            condition["IfNoneMatch"] = self.script.claim_condition
        text = self.script.claim_text or json.dumps({"run": RUN, "expires": expires})
        return self.s3.put_object(
            Bucket=DESTINATION_BUCKET,
            Key=CLAIM,
            Body=text.encode(),
            ContentType="application/json",
            **condition,
        )["ETag"]

    def release(self, etag: str) -> None:
        condition: Any = {"IfMatch": etag} if self.script.release_condition else {}
        self.s3.delete_object(Bucket=DESTINATION_BUCKET, Key=CLAIM, **condition)

    def clean(self) -> None:
        for number in range(1, len(self.script.texts) + 1):
            self.s3.delete_object(Bucket=DESTINATION_BUCKET, Key=self.hidden(number))

    def invoke(self, event: bytes, /) -> Invocation:
        script = self.script
        assert json.loads(event) == {"year": 2024, "month": 2, "day": 8}
        source = f"AWSLogs/111122223333/CloudTrail/eu-west-1/{DAY}a.json.gz"
        claim = self.claim() if script.claims_first else ""
        for _ in range(script.gets):
            self.s3.get_object(Bucket="source-bucket", Key=source)["Body"].read()
        for _ in range(script.heads):
            with contextlib.suppress(ClientError):
                self.s3.head_object(Bucket="source-bucket", Key=source)
        for number, text in enumerate(script.texts, 1):
            body = gzip.compress(text, mtime=script.gzip_time)
            self.put(self.hidden(number), body, script.content_type)
        for number in script.copies:
            self.s3.copy_object(
                Bucket=DESTINATION_BUCKET,
                Key=f"{DAY}{number:06d}.ndjson.gz",
                CopySource={"Bucket": DESTINATION_BUCKET, "Key": self.hidden(number)},
            )
        for key in script.deletes:
            self.s3.delete_object(Bucket=DESTINATION_BUCKET, Key=key)
        for key in script.source_deletes:
            self.s3.delete_object(Bucket="source-bucket", Key=key)
        if script.clean_first:
            self.clean()
        result = {
            "day": "2024-02-08",
            "sources": 3,
            "bad": 0,
            "records": sum(text.count(b"\n") for text in TEXTS),
            "bytes": sum(map(len, TEXTS)),
            "chunks": len(TEXTS),
            "deleted": 0,
        }
        chunks = [
            {"key": f"{DAY}{number:06d}.ndjson.gz", "records": 1, "bytes": len(text)}
            for number, text in enumerate(TEXTS, 1)
        ]
        if script.write_manifest:
            manifest = json.dumps({"result": result, "chunks": chunks}).encode()
            self.put(f"{DAY}_manifest.json", manifest, "application/json")
        if script.clean and not script.clean_first:
            self.clean()
        claim = claim or self.claim()
        if script.releases:
            self.release(claim)
        answer = result | script.answer
        phases = {name: {"count": 3, "sum_ms": 1.5} for name in PHASES}
        end: dict[str, Any] = {
            "level": "INFO",
            "event": "end",
            "request_id": RUN,
            "error": None,
            "cause": None,
            "result": answer,
            "phases": phases | {"publish": {"count": 1, "sum_ms": 2}},
            "wait_ms": 0.5,
        }
        log = [*script.extra_log, *([end | script.end] if script.say_end else [])]
        return Invocation(answer, None, True, None, None, None, None, tuple(log))


@pytest.fixture(scope="module")
def s3() -> Iterator[ScriptedS3]:
    with ScriptedS3() as server:
        yield server


@pytest.fixture(scope="module")
def case() -> Case:
    (found,) = load_cases(glob=CASE)
    return found


def problems(script: Script, case: Case, s3: ScriptedS3) -> str:
    def functions(_env: Mapping[str, str], _timeout_s: int | None) -> Function:
        return Actor(script, s3)

    return "\n".join(judge(case, s3, functions))


def test_a_run_by_the_book_passes(case: Case, s3: ScriptedS3) -> None:
    assert problems(Script(), case, s3) == ""


WRONG: dict[str, tuple[Callable[[], Script], str]] = {
    "dropped record": (
        lambda: Script(texts=[*TEXTS[:2], b""]),
        "000003.ndjson.gz differs: line 1, column 1",
    ),
    "changed byte": (
        lambda: Script(texts=[TEXTS[0], TEXTS[1].replace(b"b", b"B"), TEXTS[2]]),
        "000002.ndjson.gz differs: line 1, column 13",
    ),
    "swapped chunks": (lambda: Script(texts=[TEXTS[1], TEXTS[0], TEXTS[2]]), "differs"),
    "doubled line": (lambda: Script(texts=[TEXTS[0] * 2, *TEXTS[1:]]), "differs: line 2"),
    "missing copy": (lambda: Script(copies=[3, 1]), "000002.ndjson.gz is missing"),
    "delete of a fresh chunk": (
        lambda: Script(deletes=[f"{DAY}000003.ndjson.gz"]),
        "W5: chunk 3 deleted",
    ),
    "delete of something else": (lambda: Script(deletes=[f"{DAY}notes"]), "W8: delete"),
    "delete in the source": (
        lambda: Script(source_deletes=["AWSLogs/x"]),
        "W8: delete 'AWSLogs/x' in the source bucket",
    ),
    "hidden chunks cleaned too early": (lambda: Script(clean_first=True), "W6: put _manifest"),
    "hidden chunks left": (lambda: Script(clean=False), "W7: hidden chunks left"),
    "no manifest": (lambda: Script(write_manifest=False), "W6: "),
    "content type": (lambda: Script(content_type="text/plain"), "W1: _actor-000001"),
    "content encoding": (lambda: Script(content_encoding="gzip"), "W1: _actor-000001"),
    "time in the gzip header": (lambda: Script(gzip_time=1), "has a time or a name"),
    "no claim before the work": (
        lambda: Script(claims_first=False),
        "W11: get before the day is claimed",
    ),
    "claim without a condition": (lambda: Script(claim_condition=None), "put without a condition"),
    "claim of another run": (
        lambda: Script(claim_text='{"run": "b", "expires": "2999-01-01T00:00:00.000Z"}'),
        "W11: the claim names the run 'b', not 'actor'",
    ),
    "claim without an end": (lambda: Script(claim_text='{"run": "actor"}'), "W11: the claim is"),
    "claim for years": (
        lambda: Script(claim_text='{"run": "actor", "expires": "2999-01-01T00:00:00.000Z"}'),
        "W11: the claim expires in ",
    ),
    "claim that has expired": (
        lambda: Script(claim_text='{"run": "actor", "expires": "2024-01-01T00:00:00.000Z"}'),
        "W11: the claim expires in -",
    ),
    "claim kept": (lambda: Script(releases=False), "W13: the last write is delete"),
    "claim kept in the bucket": (lambda: Script(releases=False), "_claim.json should not be there"),
    "release without a condition": (
        lambda: Script(release_condition=False),
        "W13: '2024/02/08/_claim.json' deleted without a condition",
    ),
    "no checksum": (
        lambda: Script(checksum="when_required"),
        "W14: '2024/02/08/_manifest.json' put without a checksum",
    ),
    "another request": (lambda: Script(heads=1), "E5: requests that no clause asks for: HEAD"),
    "six attempts": (lambda: Script(gets=6), "E5: 6 attempts to get"),
    "boolean for a number": (lambda: Script(answer={"bad": False}), 'result is {"day"'),
    "result off by one": (lambda: Script(answer={"records": 4}), 'result is {"day"'),
    "no end": (lambda: Script(say_end=False), "O3: `end` is not the last line, once: []"),
    "two ends": (
        lambda: Script(extra_log=[{"event": "end", "level": "INFO"}]),
        "O3: `end` is not the",
    ),
    "end at the wrong level": (lambda: Script(end={"level": "WARN"}), "O2: `end` has level WARN"),
    "a phase is missing": (lambda: Script(end={"phases": {}}), "O3: phases are {}"),
    "no wait": (lambda: Script(end={"wait_ms": None}), "O4: wait_ms is None"),
    "too chatty": (
        lambda: Script(extra_log=[{"event": "chunk", "level": "DEBUG"}]),
        "O2: chunk at the level DEBUG, LOG_LEVEL is INFO",
    ),
    "an event of its own": (
        lambda: Script(extra_log=[{"event": "progress", "level": "INFO"}]),
        "O2: an event progress",
    ),
    "a field too many": (
        lambda: Script(end={"colour": "red"}),
        "O2: end has the fields ['level', 'event', 'request_id', 'error', 'cause', 'result', "
        "'phases', 'wait_ms', 'colour']",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_fault_is_named(name: str, case: Case, s3: ScriptedS3) -> None:
    make, expected = WRONG[name]
    assert expected in problems(make(), case, s3)


@pytest.mark.parametrize(
    ("told", "problem"),
    [
        ("A", ""),
        ("B", ""),
        ("C", "error is 'C', expected 'A'"),
        (None, "error is None, expected 'A'"),
    ],
)
def test_one_of_two_errors_is_expected(told: str | None, problem: str) -> None:
    expected = Expectation(None, "A", None, None, None, None, or_error="B")
    ended = Invocation(None, told, True, None, None, None, None, ())
    assert "".join(check_answer(expected, ended, RUN)) == problem


@pytest.mark.parametrize(
    ("published", "copies", "problem"),
    [
        ("", [1, 2, 3], ""),
        ("1", [2, 3, 1], ""),
        ("123", [3, 2, 1], ""),
        ("123", [1, 2, 3], "W4: chunk 2 copied after 1"),
        ("12", [2, 3, 1], "W4: chunk 3 copied after 2"),
    ],
)
def test_new_chunks_come_first_then_replaced_ones_downwards(
    published: str, copies: list[int], problem: str, case: Case, s3: ScriptedS3
) -> None:
    there = {f"{DAY}{int(n):06d}.ndjson.gz": Stored(gzip.compress(b"", mtime=0)) for n in published}
    found = problems(Script(copies=copies), replace(case, destination=there), s3)
    assert found.partition("\n")[0] == (problem and f"step 1: {problem}")
