"""The checks of an invocation's requests: the claim, the order of publishing, and the bounds.

Clauses W1, W4 to W8, W11, W13, W14, E5 and P1, checked in every vector.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from datetime import UTC, datetime

from harness.fixtures.chunks import CHUNK_NAME
from harness.verify.scripted_s3.scene import Request
from harness.verify.vectors.cases import SOURCE_BUCKET, Step

#: W8: a chunk's number and ending; a hidden one has `_*-` before it.


#: W12: five rounds of two puts, of which each may have been tried five times.
_MOST_OF_CLAIM = 50
#: W11: the name of a day's claim.
CLAIM_NAME = "_claim.json"


def check_requests(
    step: Step,
    requests: Sequence[Request],
    most_in_flight: int,
    request_id: str,
    published: Collection[str],
) -> Iterator[str]:
    """The faults of ``requests``; ``published`` are the keys that were there before them."""
    limit = step.settings.get("CONCURRENCY") or "16"
    if limit.isdigit() and most_in_flight > max(int(limit), 1):
        yield f"P1: {most_in_flight} requests in flight, at most {limit} may be"
    attempts = Counter(
        (r.operation, r.bucket, r.key, r.detail if r.operation == "list" else "")
        for r in requests
        if r.code != "SlowDown"  # E8
    )
    for (operation, _, key, _), count in attempts.items():
        if count > (_MOST_OF_CLAIM if key.endswith(CLAIM_NAME) else 5):
            yield f"E5: {count} attempts to {operation} {key!r}"
    strange = {r.operation for r in requests} - {"list", "get", "put", "copy", "delete"}
    if strange:
        yield f"E5: requests that no clause asks for: {', '.join(sorted(strange))}"
    if step.settings.get("DST_BUCKET") != step.settings.get("SRC_BUCKET"):
        for request in requests:
            if request.bucket == SOURCE_BUCKET and request.operation not in ("list", "get"):
                yield f"W8: {request.operation} {request.key!r} in the source bucket"
    writes = [r for r in requests if r.operation in ("put", "copy", "delete")]
    for put in requests:
        if put.operation == "put" and not put.checksum:
            yield f"W14: {put.key!r} put without a checksum"
    yield from _check_claim(requests, writes, request_id)
    yield from _check_publishing([r for r in writes if not _is_claim(r)], published)


def _is_claim(request: Request) -> bool:
    return request.key.rpartition("/")[2] == CLAIM_NAME


def _check_claim(
    requests: Sequence[Request], writes: Sequence[Request], request_id: str
) -> Iterator[str]:
    """W11 and W13: the first request puts the claim, the last write deletes it."""
    work = [number for number, request in enumerate(requests) if not _is_claim(request)]
    claims = [r for r in writes if _is_claim(r) and r.operation == "put"]
    if work and not any(_is_claim(r) and r.operation == "put" for r in requests[: work[0]]):
        yield f"W11: {requests[work[0]].operation} before the day is claimed"
    for claim in claims:
        if not claim.condition:
            yield f"W11: {claim.key!r} put without a condition"
        if claim.content_type != "application/json" or claim.content_encoding:
            yield f"W11: claim put as {claim.content_type} {claim.content_encoding}"
        yield from _check_claim_text(claim.detail, request_id)
    for write in writes:
        unconditional = not write.condition.startswith("If-Match: ")
        if _is_claim(write) and write.operation == "delete" and unconditional:
            yield f"W13: {write.key!r} deleted without a condition"
    if work and claims and not (_is_claim(writes[-1]) and writes[-1].operation == "delete"):
        yield f"W13: the last write is {writes[-1].operation} {writes[-1].key!r}"


def _check_claim_text(text: str, request_id: str) -> Iterator[str]:
    try:
        claim = json.loads(text)
        expires = datetime.strptime(claim["expires"], "%Y-%m-%dT%H:%M:%S.%f%z")
    except (ValueError, TypeError, KeyError):
        yield f"W11: the claim is {text!r}"
        return
    left_s = (expires - datetime.now(UTC)).total_seconds()
    # The longest invocation is 900 s, and a claim outlives it by 60 s.
    if set(claim) != {"run", "expires"} or not re.fullmatch(_EXPIRES, claim["expires"]):
        yield f"W11: the claim is {text!r}"
    elif request_id and claim["run"] != request_id:
        yield f"W11: the claim names the run {claim['run']!r}, not {request_id!r}"
    elif not 0 < left_s < 970:
        yield f"W11: the claim expires in {left_s:.0f} s"


_EXPIRES = r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z"


def _check_publishing(writes: Sequence[Request], published: Collection[str]) -> Iterator[str]:
    """W1 and the order of W4 to W7; a fault may end the sequence early, it can't change it."""
    stage, lowest_replaced, highest_kept = 0, 0, 0
    for write in writes:
        name = write.key.rpartition("/")[2]
        chunk = re.fullmatch(rf"(?:_.*-)?({CHUNK_NAME})", name)
        number = int(chunk[1].partition(".")[0]) if chunk else 0
        hidden = name.startswith("_")
        match write.operation, hidden, chunk is not None:
            case "put", True, True:
                step, clause = 0, "W1"
                if write.content_type != "application/gzip" or write.content_encoding:
                    yield f"W1: {name} put as {write.content_type} {write.content_encoding}"
            case "copy", False, True:
                step, clause = 1, "W4"
                if lowest_replaced and (number > lowest_replaced or write.key not in published):
                    yield f"W4: chunk {number} copied after {lowest_replaced}"
                if write.key in published:
                    lowest_replaced = number
                highest_kept = max(highest_kept, number)
                if not re.fullmatch(r".*/_[^/]*-" + re.escape(name), "/" + write.detail):
                    yield f"W4: {name} copied from {write.detail}"
            case "delete", False, True:
                step, clause = 2, "W5"
                if number <= highest_kept:
                    yield f"W5: chunk {number} deleted, {highest_kept} were published"
            case "put", True, False if name == "_manifest.json":
                step, clause = 3, "W6"
                if write.content_type != "application/json":
                    yield f"W6: manifest put as {write.content_type}"
            case "delete", True, True:
                step, clause = 4, "W7"
            case _:
                yield f"W8: {write.operation} {write.key!r} is nothing that a run does"
                continue
        if step < stage:
            yield f"{clause}: {write.operation} {name} came too late"
        stage = max(stage, step)
