"""The judge of vectors: runs a case on a sandbox and says what is not as SPEC.md wants it.

It sees an implementation only from outside: answers, log lines, the objects it left and the
requests it made. It knows no aggregation: expectations come from the vector.
"""

from __future__ import annotations

import gzip
import json
import re
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from harness.fixtures.chunks import CHUNK_NAME, HIDDEN_CHUNK_NAME
from harness.model import Invocation
from harness.verify.outputs import first_difference, same_json
from harness.verify.scripted_s3.scene import Stored
from harness.verify.scripted_s3.server import ScriptedS3
from harness.verify.vectors.cases import DESTINATION_BUCKET, SOURCE_BUCKET, Case, Expectation, Step
from harness.verify.vectors.log_checks import check_log
from harness.verify.vectors.request_checks import CLAIM_NAME, check_requests


class Function(Protocol):
    """A running sandbox."""

    def invoke(self, event: bytes, /) -> Invocation: ...


#: Gives the sandbox for these environment variables and this time-out in seconds (None: default).
Functions = Callable[[Mapping[str, str], int | None], Function]


@dataclass(slots=True)
class _Day:
    """The objects that the destination must hold after a step that published."""

    prefix: str
    result: Mapping[str, Any]


def judge(case: Case, s3: ScriptedS3, functions: Functions) -> list[str]:
    """Run every step of ``case``; the problems found, empty when the implementation conforms."""
    s3.begin(
        {SOURCE_BUCKET: case.sources, DESTINATION_BUCKET: case.destination},
        case.faults,
    )
    problems: list[str] = []
    published: dict[str, _Day] = {}
    for number, step in enumerate(case.steps, 1):
        found = list(_run_step(case, step, s3, functions, published))
        problems += [f"step {number}: {problem}" for problem in found]
    problems += _check_destination(case, s3.objects(_bucket(case)), published)
    return problems


def _bucket(case: Case) -> str:
    return case.steps[-1].settings.get("DST_BUCKET") or DESTINATION_BUCKET


def _run_step(
    case: Case, step: Step, s3: ScriptedS3, functions: Functions, published: dict[str, _Day]
) -> Iterator[str]:
    s3.change(SOURCE_BUCKET, step.add, step.remove)
    env = s3.env() | {name: value for name, value in step.settings.items() if value is not None}
    for name, value in step.settings.items():
        if value is None:
            env.pop(name, None)
    before = s3.objects(_bucket(case))
    invocation = functions(env, step.timeout_s).invoke(step.payload)
    requests, most_in_flight = s3.take_requests()
    request_id = next((str(line.get("request_id")) for line in invocation.log), "")
    yield from check_answer(step.expect, invocation, request_id)
    yield from check_log(step, invocation)
    if step.expect.published is not None:
        prefix = _day_prefix(step)
        published[prefix] = _Day(prefix, step.expect.published)
        hidden = [
            key
            for key in s3.objects(_bucket(case))
            if re.fullmatch(re.escape(prefix) + HIDDEN_CHUNK_NAME, key)
        ]
        if hidden:
            yield f"W7: hidden chunks left: {hidden}"
    yield from check_requests(step, requests, most_in_flight, request_id, before.keys())


def _day_prefix(step: Step) -> str:
    assert step.expect.published is not None
    if step.expect.day_prefix is not None:
        return step.expect.day_prefix
    day = str(step.expect.published["day"]).replace("-", "/")
    return f"{step.settings.get('DST_PREFIX') or ''}{day}/"


def check_answer(expect: Expectation, invocation: Invocation, request_id: str) -> Iterator[str]:
    """What is wrong with the answer to the caller."""
    error = expect.error and expect.error.replace("{request_id}", request_id)
    if invocation.error not in (error, expect.or_error or error):
        yield f"error is {invocation.error!r}, expected {error!r}"
    if error is None and not same_json(invocation.result, expect.result):
        yield f"result is {json.dumps(invocation.result)}, expected {json.dumps(expect.result)}"


def _equal_json(actual: bytes, expected: bytes) -> bool:
    try:
        return same_json(json.loads(actual), json.loads(expected))
    except ValueError:
        return False


def _check_destination(
    case: Case, objects: Mapping[str, Stored], published: Mapping[str, _Day]
) -> list[str]:
    problems = []
    expected = dict(case.expected)
    same_bucket = _bucket(case) == SOURCE_BUCKET
    for day in published.values():
        key = f"{day.prefix}_manifest.json"
        if key not in expected:
            problems += _check_manifest(key, day, objects, expected)
    manifests = {f"{prefix}_manifest.json" for prefix in published}
    for key, text in expected.items():
        if key not in objects:
            problems.append(f"{key} is missing")
            continue
        try:
            body = objects[key].body
            actual = gzip.decompress(body) if key.endswith(".gz") else body
        except (OSError, EOFError, zlib.error) as error:
            problems.append(f"{key} is not gzip: {error}")
            continue
        if actual != text and not (key.endswith("_manifest.json") and _equal_json(actual, text)):
            problems.append(f"{key} differs: {_place_of_difference(text, actual)}")
        if key.endswith(".gz") and key not in case.destination:
            problems += _check_gzip_header(key, body)
    for key in objects:
        if key.endswith(f"/{CLAIM_NAME}") and any(f.matches("delete", key) for f in case.faults):
            continue  # W13: it could not be deleted and expires by itself
        hidden = re.fullmatch(r"(.*/)?" + HIDDEN_CHUNK_NAME, key)
        if key not in expected and key not in manifests and not hidden and not same_bucket:
            problems.append(f"{key} should not be there")
    return problems


def _check_gzip_header(key: str, body: bytes) -> list[str]:
    return [f"W1: {key} has a time or a name in its header"] if body[3:8] != bytes(5) else []


def _check_manifest(
    key: str, day: _Day, objects: Mapping[str, Stored], expected: Mapping[str, bytes]
) -> list[str]:
    chunks = [
        {"key": name, "records": text.count(b"\n"), "bytes": len(text)}
        for name, text in sorted(expected.items())
        if re.fullmatch(re.escape(day.prefix) + CHUNK_NAME, name)
    ]
    want = {"result": day.result, "chunks": chunks}
    if key not in objects:
        return [f"W6: {key} is missing"]
    try:
        actual = json.loads(objects[key].body)
    except ValueError as error:
        return [f"W6: {key} is not JSON: {error}"]
    return [] if same_json(actual, want) else [f"W6: {key} is {actual}, expected {want}"]


def _place_of_difference(expected: bytes, actual: bytes) -> str:
    """Where two texts part: line, column in bytes, both texts from there."""
    at = first_difference(expected, actual)
    line = expected.count(b"\n", 0, at) + 1
    column = at - (expected.rfind(b"\n", 0, at) + 1) + 1
    texts = f"{actual[at : at + 60]!r}, expected {expected[at : at + 60]!r}"
    return f"line {line}, column {column}: {texts}"
