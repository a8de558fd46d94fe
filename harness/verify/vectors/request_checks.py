"""What the requests of an invocation tell: the order of publishing, and the bounds.

Clauses W1, W4 to W8, E5 and P1, checked in every vector.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence

from harness.fixtures.chunks import CHUNK_NAME
from harness.verify.scripted_s3.scene import Request
from harness.verify.vectors.cases import SOURCE_BUCKET, Step

#: W8: a chunk's number and ending; a hidden one has `_*-` before it.


def check_requests(step: Step, requests: Sequence[Request], most_in_flight: int) -> Iterator[str]:
    limit = step.settings.get("CONCURRENCY") or "16"
    if limit.isdigit() and most_in_flight > max(int(limit), 1):
        yield f"P1: {most_in_flight} requests in flight, at most {limit} may be"
    attempts = Counter(
        (r.operation, r.bucket, r.key, r.detail if r.operation == "list" else "") for r in requests
    )
    for (operation, _, key, _), count in attempts.items():
        if count > 5:
            yield f"E5: {count} attempts to {operation} {key!r}"
    strange = {r.operation for r in requests} - {"list", "get", "put", "copy", "delete"}
    if strange:
        yield f"E5: requests that no clause asks for: {', '.join(sorted(strange))}"
    if step.settings.get("DST_BUCKET") != step.settings.get("SRC_BUCKET"):
        for request in requests:
            if request.bucket == SOURCE_BUCKET and request.operation not in ("list", "get"):
                yield f"W8: {request.operation} {request.key!r} in the source bucket"
    yield from _check_publishing([r for r in requests if r.operation in ("put", "copy", "delete")])


def _check_publishing(writes: Sequence[Request]) -> Iterator[str]:
    """W1 and the order of W4 to W7; a fault may end the sequence early, it can't change it."""
    stage, lowest_copied, highest_kept = 0, None, 0
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
                if lowest_copied is not None and number > lowest_copied:
                    yield f"W4: chunk {number} copied after {lowest_copied}"
                lowest_copied = number
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
