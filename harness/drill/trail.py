"""The source bucket of a drill, as CloudTrail, a lifecycle rule or a person changes it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from harness.fixtures.staging import StagedObject


@dataclass(slots=True)
class Trail:
    """``early`` sources of the day are there when it is published first, ``late`` ones come later.

    Keys of the sources are below ``prefix``.
    """

    s3: Any
    bucket: str
    prefix: str
    early: Sequence[StagedObject] = ()
    late: Sequence[StagedObject] = ()
    _put: set[str] = field(default_factory=set)

    def put(self, sources: Sequence[StagedObject]) -> None:
        for each in sources:
            self.put_body(each, each.body)

    def put_body(self, source: StagedObject, body: bytes) -> None:
        """The source with another body."""
        key = self.prefix + source.key
        self.s3.put_object(Bucket=self.bucket, Key=key, Body=body)
        self._put.add(key)

    def remove(self, sources: Sequence[StagedObject]) -> None:
        for each in sources:
            self.s3.delete_object(Bucket=self.bucket, Key=self.prefix + each.key)
            self._put.discard(self.prefix + each.key)

    def clear(self) -> None:
        for key in self._put:
            self.s3.delete_object(Bucket=self.bucket, Key=key)
        self._put.clear()
