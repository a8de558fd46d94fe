"""Counts of a day's sources by its listing: their number, size and storage classes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from harness.operate.trails import TrailFinder
from harness.targets.aws.session import Clients, explained
from harness.targets.aws.stack import Stack

_AT_ONCE = 16
#: S3 gives such an object after a restore only. A listing does not show the archive tiers of
#: Intelligent-Tiering.
_ARCHIVES = frozenset({"GLACIER", "DEEP_ARCHIVE"})


@dataclass(frozen=True, slots=True)
class Sources:
    """``archived`` can't be read now; ``restoring`` of them are being restored.

    ``by_class`` has the number and the bytes of each storage class.
    """

    count: int = 0
    archived: int = 0
    restoring: int = 0
    by_class: Mapping[str, tuple[int, int]] = field(default_factory=dict)

    @property
    def bytes(self) -> int:
        return sum(size for _, size in self.by_class.values())


class SourceCounter:
    """Lists the sources of days. ``folders`` are those of the regions of all trails."""

    def __init__(self, s3: Any, bucket: str, folders: Sequence[str]) -> None:
        self._s3 = s3
        self._bucket = bucket
        self._folders = folders

    @property
    def folders(self) -> int:
        return len(self._folders)

    def of(self, day: date, account: str | None = None) -> Sources:
        """The sources of a day, or of an account's part of it."""
        chosen = [
            f"{folder}{day:%Y/%m/%d}/"
            for folder in self._folders
            if account is None or f"/{account}/CloudTrail/" in folder
        ]
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            return _sum(each for found in pool.map(self._listed, chosen) for each in found)

    def _listed(self, prefix: str) -> list[Mapping[str, Any]]:
        with explained("s3:ListBucket", f"bucket {self._bucket}"):
            pages = self._s3.get_paginator("list_objects_v2").paginate(
                Bucket=self._bucket, Prefix=prefix, OptionalObjectAttributes=["RestoreStatus"]
            )
            return [each for page in pages for each in page.get("Contents", ())]


def source_counter(clients: Clients, stack: Stack) -> SourceCounter:
    bucket = stack.output("SourceBucket")
    finder = TrailFinder(clients.s3, bucket, stack.outputs.get("SourcePrefix", ""))
    return SourceCounter(clients.s3, bucket, finder.region_folders(finder.accounts()))


def _sum(found: Iterable[Mapping[str, Any]]) -> Sources:
    counts, sizes = Counter[str](), Counter[str]()
    archived = restoring = 0
    for each in found:
        if each["Key"].endswith("/"):  # a folder marker (SPEC L5)
            continue
        storage = each.get("StorageClass", "STANDARD")
        counts[storage] += 1
        sizes[storage] += int(each["Size"])
        restore = each.get("RestoreStatus", {})
        if storage in _ARCHIVES and "RestoreExpiryDate" not in restore:
            archived += 1
            restoring += bool(restore.get("IsRestoreInProgress"))
    by_class = {storage: (counts[storage], sizes[storage]) for storage in counts}
    return Sources(counts.total(), archived, restoring, by_class)
