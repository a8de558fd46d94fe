"""The destination bucket: it can be read everywhere, and written below one prefix only."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

from harness.targets.aws.session import code_of, explained


@dataclass(frozen=True, slots=True)
class Stored:
    key: str
    size: int
    etag: str
    changed: datetime


class Store:
    """``s3`` is boto3's client. Nothing outside ``own`` is ever put or deleted."""

    def __init__(self, s3: Any, bucket: str, own: str) -> None:
        self._s3 = s3
        self.bucket = bucket
        self._own = own

    def list(self, prefix: str) -> Sequence[Stored]:
        """All objects below a prefix, in key order."""
        with explained("s3:ListBucket", f"bucket {self.bucket}"):
            pages = self._s3.get_paginator("list_objects_v2")
            return [
                Stored(each["Key"], each["Size"], each["ETag"], each["LastModified"])
                for page in pages.paginate(Bucket=self.bucket, Prefix=prefix)
                for each in page.get("Contents", ())
            ]

    def folders(self, prefix: str) -> Sequence[str]:
        """The names of the folders directly below a prefix."""
        with explained("s3:ListBucket", f"bucket {self.bucket}"):
            pages = self._s3.get_paginator("list_objects_v2")
            return [
                each["Prefix"].removeprefix(prefix).rstrip("/")
                for page in pages.paginate(Bucket=self.bucket, Prefix=prefix, Delimiter="/")
                for each in page.get("CommonPrefixes", ())
            ]

    def get(self, key: str) -> bytes | None:
        with explained("s3:GetObject", f"s3://{self.bucket}/{key}"):
            try:
                body: bytes = self._s3.get_object(Bucket=self.bucket, Key=key)["Body"].read()
            except ClientError as error:
                if code_of(error) == "NoSuchKey":
                    return None
                raise
            return body

    def put(self, key: str, body: bytes) -> None:
        self._require_own(key)
        with explained("s3:PutObject", f"s3://{self.bucket}/{key}"):
            self._s3.put_object(Bucket=self.bucket, Key=key, Body=body, ContentType="text/plain")

    def delete(self, keys: Iterable[str]) -> None:
        for key in keys:
            self._require_own(key)
            with explained("s3:DeleteObject", f"s3://{self.bucket}/{key}"):
                self._s3.delete_object(Bucket=self.bucket, Key=key)

    def _require_own(self, key: str) -> None:
        if not key.startswith(self._own):
            raise AssertionError(f"{key} is not below {self._own}")
