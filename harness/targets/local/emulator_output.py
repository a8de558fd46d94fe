"""Reads the output and the answers of the Runtime Interface Emulator."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from harness.model import EmulatorReport, FailureKind

_INIT = re.compile(r"\(rapid\) INIT REPORT\(durationMs: ([\d.]+)\)")
_DONE = re.compile(r"\(rapid\) INVOKE RTDONE\(.*duration: ([\d.]+)ms\)")
_REPORT = re.compile(
    r"^REPORT RequestId: \S+\s+(?:Init Duration: ([\d.]+) ms\s+)?Duration: ([\d.]+) ms\s+"
    r"Billed Duration: ([\d.]+) ms\s+Memory Size: (\d+) MB\s+Max Memory Used: (\d+) MB"
)
_END = re.compile(r"^REPORT RequestId: |\(rapid\) Invoke DONE failed")
_ENDED = ("Runtime.ExitError",)


def is_end(line: str) -> bool:
    """Whether the line ends an invocation."""
    return _END.search(line) is not None


@dataclass(slots=True)
class Seen:
    """The output during one invocation; ``log`` has the function's own JSON lines.

    ``report`` is the emulator's REPORT line, whose numbers are wrong (``model.EmulatorReport``).
    """

    init_ms: float | None = None
    duration_ms: float | None = None
    log: list[Mapping[str, object]] = field(default_factory=list)
    report: EmulatorReport | None = None


def read_output(lines: Iterable[str]) -> Seen:
    """Find the emulator's platform lines and the function's log lines in the output."""
    seen = Seen()
    for line in lines:
        if match := _INIT.search(line):
            seen.init_ms = float(match[1])
        elif match := _DONE.search(line):
            seen.duration_ms = float(match[1])
        elif match := _REPORT.match(line):
            seen.report = _report(match)
        elif line.startswith("{"):
            try:
                entry = json.loads(line)
            except ValueError:
                continue
            if isinstance(entry, dict) and "event" in entry:
                seen.log.append(entry)
    return seen


def _report(match: re.Match[str]) -> EmulatorReport:
    init, duration, billed, memory, used = match.groups()
    return EmulatorReport(
        None if init is None else float(init),
        float(duration),
        float(billed),
        int(memory),
        int(used),
    )


@dataclass(frozen=True, slots=True)
class Answer:
    """The body of an emulator's answer. Its status is 200 even for an error."""

    result: object | None
    error: str | None
    kind: FailureKind | None = None


def read_answer(answer: bytes) -> Answer:
    text = answer.decode(errors="replace")
    if text.startswith("Task timed out after"):
        return Answer(None, text, FailureKind.TIMED_OUT)
    if not text:
        return Answer(None, "the runtime ended before it was ready", FailureKind.DIED)
    try:
        result = json.loads(text)
    except ValueError:
        return Answer(None, f"the answer is not JSON: {text[:200]}", FailureKind.ERROR)
    if isinstance(result, dict) and "errorMessage" in result:
        ended = result.get("errorType") in _ENDED
        kind = FailureKind.DIED if ended else FailureKind.ERROR
        return Answer(None, str(result["errorMessage"]), kind)
    return Answer(result, None)
