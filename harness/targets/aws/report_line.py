"""Lambda's REPORT line, the only source of an invocation's time and memory.

The fields are those of
https://docs.aws.amazon.com/lambda/latest/dg/python-logging.html (and its siblings) and, for
SnapStart, of https://docs.aws.amazon.com/lambda/latest/dg/snapstart-monitoring.html.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_FIELD = re.compile(r"([A-Z][A-Za-z ]+): ([0-9.]+) (ms|MB)")
_REPORT = re.compile(r"^REPORT RequestId: .*$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class ReportLine:
    """Times in ms, memory in MB; ``None`` for a field that the line lacks.

    A cold start has ``init_ms``, one from a snapshot ``restore_ms``.
    """

    duration_ms: float | None = None
    billed_ms: float | None = None
    memory_mb: int | None = None
    max_memory_mb: int | None = None
    init_ms: float | None = None
    restore_ms: float | None = None
    billed_restore_ms: float | None = None

    @property
    def cold(self) -> bool:
        return self.init_ms is not None or self.restore_ms is not None


def read_report(log_tail: str) -> ReportLine:
    """The last REPORT line of a log, or an empty one (a tail has at most 4 kB)."""
    lines = _REPORT.findall(log_tail)
    if not lines:
        return ReportLine()
    fields = {name.strip(): float(value) for name, value, _ in _FIELD.findall(lines[-1])}

    def whole(name: str) -> int | None:
        return int(fields[name]) if name in fields else None

    return ReportLine(
        fields.get("Duration"),
        fields.get("Billed Duration"),
        whole("Memory Size"),
        whole("Max Memory Used"),
        fields.get("Init Duration"),
        fields.get("Restore Duration"),
        fields.get("Billed Restore Duration"),
    )
