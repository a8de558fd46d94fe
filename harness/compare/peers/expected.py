"""What a peer has to write: the records' JSON values, in whatever text, order and objects."""

from __future__ import annotations

from collections.abc import Mapping

from harness.fixtures.chunks import Chunk
from harness.fixtures.staging import ExpectedDay
from harness.model import Verdict, VerdictKind
from harness.verify.outputs import Agreement, verify


def judge_peer(expected: ExpectedDay, objects: Mapping[str, bytes]) -> Verdict:
    """A match for the same bytes, else ``values`` with the first difference if each record's JSON
    value is there exactly as often as it should be.
    """
    written = [Chunk(key, body) for key, body in sorted(objects.items())]
    difference = verify(expected.chunks, written)
    if difference is None:
        return Verdict(VerdictKind.MATCH)
    same = difference.agreement in (Agreement.RECORDS, Agreement.VALUES)
    return Verdict(VerdictKind.VALUES if same else VerdictKind.MISMATCH, str(difference))


def peer_result(expected: ExpectedDay) -> dict[str, object]:
    """All that a peer can tell of its run."""
    return {"day": expected.day.isoformat(), "records": expected.records}
