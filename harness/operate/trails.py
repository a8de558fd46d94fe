"""The trails in a source bucket: the accounts of both layouts, and their regions (SPEC L1, L2)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from harness.model import HarnessError
from harness.targets.aws.session import explained

_ACCOUNT = re.compile("[0-9]{12}")
_AT_ONCE = 8


class TrailFinder:
    """Lists folders of ``{prefix}AWSLogs/`` by ``s3``, a client of boto3."""

    def __init__(self, s3: Any, bucket: str, prefix: str) -> None:
        self._s3 = s3
        self._bucket = bucket
        self._root = f"{prefix}AWSLogs/"

    def accounts(self) -> list[str]:
        """The account of each trail; below an organisation, ``{o-id}/{account}``.

        An account without ``CloudTrail/`` has other logs only: its days would be ``NO_TRAIL`` (L7).
        Raises ``HarnessError`` if there is no trail.
        """
        top = self._below([self._root])
        members = self._below([each for each in top if _name(each).startswith("o-")])
        accounts = [each for each in (*top, *members) if _ACCOUNT.fullmatch(_name(each))]
        trails = [each for each in self._below(accounts) if _name(each) == "CloudTrail"]
        if not trails:
            raise HarnessError(
                f"s3://{self._bucket}/{self._root} has no account with a trail: check SourcePrefix"
            )
        return sorted(each[len(self._root) : -len("/CloudTrail/")] for each in trails)

    def regions(self, accounts: Sequence[str]) -> list[str]:
        """The regions in which these accounts have a trail."""
        return sorted({_name(each) for each in self.region_folders(accounts)})

    def region_folders(self, accounts: Sequence[str]) -> list[str]:
        """The folder of each region of these accounts: its days lie below."""
        return self._below([f"{self._root}{each}/CloudTrail/" for each in accounts])

    def _below(self, folders: Sequence[str]) -> list[str]:
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            return [each for names in pool.map(self._subfolders, folders) for each in names]

    def _subfolders(self, folder: str) -> list[str]:
        names: list[str] = []
        with explained("s3:ListBucket", f"bucket {self._bucket}"):
            pages = self._s3.get_paginator("list_objects_v2")
            found: Any
            for found in pages.paginate(Bucket=self._bucket, Prefix=folder, Delimiter="/"):
                names += [each["Prefix"] for each in found.get("CommonPrefixes", ())]
        return names


def _name(folder: str) -> str:
    return folder.split("/")[-2]
