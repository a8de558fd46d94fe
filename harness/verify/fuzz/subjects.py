"""One invocation of an artefact over a day of the fuzzer's bodies."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol

from harness.model import Artefact, Invocation
from harness.verify.outputs import same_json
from harness.verify.scripted_s3.scene import Stored
from harness.verify.scripted_s3.server import ScriptedS3
from harness.verify.vectors.cases import DESTINATION_BUCKET, SOURCE_BUCKET
from harness.verify.vectors.sandbox_pool import SandboxPool

#: Small, so that bodies around the limit are cheap, and above every common buffer.
MAX_SOURCE_BYTES = 70_000
SETTINGS = {"MAX_SOURCE_BYTES": str(MAX_SOURCE_BYTES)}
PREFIX = "AWSLogs/111122223333/CloudTrail/eu-west-1/2024/02/08/"
READABLE = "readable"
_EVENT = {"year": 2024, "month": 2, "day": 8, "force": True}
_TIMEOUT_S = 120


@dataclass(frozen=True, slots=True)
class Day:
    """The result of one invocation for its bodies.

    ``codes`` maps the places of the bad bodies to their codes, ``text`` has the records of all
    others. ``error`` says why there is no result, or is ``None``.
    """

    text: bytes = b""
    codes: Mapping[int, str] = field(default_factory=dict)
    error: str | None = None

    @property
    def kind(self) -> str:
        """The result for a day of one body, in a word."""
        return "fails" if self.error is not None else self.codes.get(0, READABLE)


class Subject(Protocol):
    """Anything that reads a day of bodies."""

    def __call__(self, bodies: Sequence[bytes], /) -> Day: ...


class ArtefactDays:
    """A built artefact as a subject. After a failed invocation it gets a new sandbox."""

    def __init__(self, s3: ScriptedS3, pool: SandboxPool) -> None:
        self._s3 = s3
        self._pool = pool

    def __call__(self, bodies: Sequence[bytes], /) -> Day:
        sources = {f"{PREFIX}{place:06d}": Stored(body) for place, body in enumerate(bodies)}
        self._s3.begin({SOURCE_BUCKET: sources, DESTINATION_BUCKET: {}})
        buckets = {"SRC_BUCKET": SOURCE_BUCKET, "DST_BUCKET": DESTINATION_BUCKET}
        function = self._pool({**self._s3.env(), **buckets, **SETTINGS}, _TIMEOUT_S)
        invocation = function.invoke(_EVENT)
        day = self._day(len(bodies), invocation)
        if day.error is not None:
            self._pool.stop()
        return day

    def _day(self, sources: int, invocation: Invocation) -> Day:
        if invocation.error is not None:
            return Day(error=invocation.error)
        objects = self._s3.objects(DESTINATION_BUCKET)
        chunks = [each.body for key, each in sorted(objects.items()) if key.endswith(".gz")]
        try:
            text = b"".join(map(gzip.decompress, chunks))
        except (OSError, EOFError, zlib.error) as error:
            return Day(error=f"a chunk is not gzip: {error}")
        codes = {
            int(str(line["key"]).removeprefix(PREFIX)): str(line["code"])
            for line in invocation.log
            if line["event"] == "bad_source"
        }
        want = {
            "day": "2024-02-08",
            "sources": sources,
            "bad": len(codes),
            "records": text.count(b"\n"),
            "bytes": len(text),
            "chunks": len(chunks),
            "deleted": 0,
        }
        if not same_json(invocation.result, want):
            return Day(
                error=f"the result is {invocation.result}, but the output and log say {want}"
            )
        return Day(text, codes)


@contextmanager
def subjects(artefacts: Iterable[Artefact]) -> Iterator[Mapping[str, Subject]]:
    """name -> the artefact in a sandbox that lasts until the context ends."""
    with ScriptedS3() as s3:
        pools = {each.implementation.name: SandboxPool(each) for each in artefacts}
        try:
            yield {name: ArtefactDays(s3, pool) for name, pool in pools.items()}
        finally:
            for pool in pools.values():
                pool.stop()
