"""Checks the log lines of every invocation by clauses O2 to O4 and B4."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from harness.model import Invocation
from harness.verify.outputs import same_json
from harness.verify.vectors.cases import Expectation, Step

LEVELS = ("DEBUG", "INFO", "WARN", "ERROR")
#: O2: the fields that follow level, event and request_id.
FIELDS: Mapping[str, tuple[str, ...]] = {
    "start": ("day", "account", "force"),
    "retry": ("operation", "key", "attempt", "cause"),
    "bad_source": ("key", "code"),
    "chunk": ("key", "records", "bytes"),
    "end": ("error", "cause", "result", "phases", "wait_ms"),
}
PHASES = ("list", "get", "decode", "compress", "put", "publish")


def check_log(step: Step, invocation: Invocation) -> Iterator[str]:
    """The problems of a log. It may be empty if ``LOG_LEVEL`` is above that of all its lines."""
    level = step.settings.get("LOG_LEVEL") or "INFO"
    allowed = LEVELS[LEVELS.index(level) :] if level in LEVELS else LEVELS
    for line in invocation.log:
        yield from _check_line(line, allowed)
    ends = [line for line in invocation.log if line["event"] == "end"]
    end_level = "INFO" if step.expect.error is None else "ERROR"
    if end_level not in allowed:
        return
    if len(ends) != 1 or invocation.log[-1] is not ends[0]:
        yield f"O3: `end` is not the last line, once: {[line['event'] for line in invocation.log]}"
        return
    yield from _check_end(ends[0], end_level, step.expect, invocation)
    if "WARN" not in allowed:
        return
    retries = sum(line["event"] == "retry" for line in invocation.log)
    if step.expect.retries not in (None, retries):
        yield f"O2: {retries} retry events, expected {step.expect.retries}"
    bad = sorted(
        (str(line.get("key")), str(line.get("code")))
        for line in invocation.log
        if line["event"] == "bad_source"
    )
    if step.expect.bad is not None and bad != sorted(step.expect.bad):
        yield f"B4: bad_source events {bad}, expected {sorted(step.expect.bad)}"


def _check_line(line: Mapping[str, object], allowed: tuple[str, ...]) -> Iterator[str]:
    event = str(line["event"])
    if line.get("level") not in allowed:
        yield f"O2: {event} at the level {line.get('level')}, LOG_LEVEL is {allowed[0]}"
    if event not in FIELDS and line.get("level") != "DEBUG":
        yield f"O2: an event {event}"
    if event in FIELDS and tuple(line) != ("level", "event", "request_id", *FIELDS[event]):
        yield f"O2: {event} has the fields {list(line)}"


def _check_end(
    end: Mapping[str, Any], level: str, expect: Expectation, invocation: Invocation
) -> Iterator[str]:
    if end.get("error") != invocation.error:
        yield f"O2: `end` says error {end.get('error')!r}"
    if not same_json(end.get("result"), invocation.result):
        yield f"O2: `end` says result {end.get('result')}"
    if end.get("level") != level:
        yield f"O2: `end` has level {end.get('level')}"
    if not isinstance(end.get("wait_ms"), int | float):
        yield f"O4: wait_ms is {end.get('wait_ms')}"
    yield from _check_phases(end.get("phases"), expect)


def _check_phases(phases: object, expect: Expectation) -> Iterator[str]:
    if not isinstance(phases, dict) or tuple(phases) != PHASES:
        yield f"O3: phases are {phases}"
        return
    for name, phase in phases.items():
        if not (
            isinstance(phase, dict)
            and set(phase) == {"count", "sum_ms"}
            and isinstance(phase["count"], int)
            and isinstance(phase["sum_ms"], int | float)
        ):
            yield f"O3: phase {name} is {phase}"
            return
    if expect.published is not None:
        chunks = expect.published["chunks"]
        counts = {name: phases[name]["count"] for name in ("compress", "put", "publish")}
        if counts != {"compress": chunks, "put": chunks, "publish": 1}:
            yield f"O3: counts {counts} for {chunks} chunks"
        read = expect.published["sources"]
        seen = (phases["get"]["count"], phases["decode"]["count"])
        if expect.published["bad"] == 0 and seen != (read, read):
            yield f"O3: {seen[0]} sources requested, {seen[1]} decoded, {read} were read"
