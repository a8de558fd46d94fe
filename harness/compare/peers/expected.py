"""The expected output of a peer: the records' JSON values, in any text, order and objects."""

from __future__ import annotations

from collections.abc import Mapping

from harness.fixtures.chunks import Chunk
from harness.fixtures.staging import ExpectedDay
from harness.model import Verdict, VerdictKind
from harness.verify.outputs import Agreement, verify


def judge_peer(expected: ExpectedDay, objects: Mapping[str, bytes]) -> Verdict:
    """The verdict ``match`` for the same bytes, ``values`` for the same JSON values, or mismatch.

    Each JSON value has to be there exactly as often as expected.
    """
    written = [Chunk(key, body) for key, body in sorted(objects.items())]
    difference = verify(expected.chunks, written)
    if difference is None:
        return Verdict(VerdictKind.MATCH)
    same = difference.agreement in (Agreement.RECORDS, Agreement.VALUES)
    return Verdict(VerdictKind.VALUES if same else VerdictKind.MISMATCH, str(difference))


def peer_result(expected: ExpectedDay) -> dict[str, object]:
    """The expected result: a peer reports only these members."""
    return {"day": expected.day.isoformat(), "records": expected.records}
