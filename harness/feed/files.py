"""Files in CloudTrail's layout: an object with the array ``Records``, gzipped, under its key."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

import msgspec


class Place(NamedTuple):
    """The account and the region of a record: CloudTrail's partitions inside a day."""

    account: str
    region: str


class _Named(msgspec.Struct):
    account: str = msgspec.field(name="recipientAccountId")
    region: str = msgspec.field(name="awsRegion")


class _Source(msgspec.Struct):
    records: list[msgspec.Raw] = msgspec.field(name="Records")


_read_names = msgspec.json.Decoder(_Named).decode
_read_source = msgspec.json.Decoder(_Source).decode


def place_of(text: bytes) -> Place:
    """Raises ``msgspec.MsgspecError`` for a text that is no record."""
    named = _read_names(text)
    return Place(named.account, named.region)


def body_of(texts: Sequence[bytes]) -> bytes:
    """The stored bytes; the records keep their text."""
    return gzip.compress(b'{"Records":[' + b",".join(texts) + b"]}", 6, mtime=0)


def texts_of(body: bytes) -> list[bytes]:
    """The records of a stored file."""
    return [bytes(each) for each in _read_source(gzip.decompress(body)).records]


def key_of(place: Place, written: datetime, body: bytes) -> str:
    """As CloudTrail has it: the day is that of the delivery. Equal files get equal names."""
    account, region = place
    unique = hashlib.sha256(body).hexdigest()[:16]
    return (
        f"AWSLogs/{account}/CloudTrail/{region}/{written:%Y/%m/%d}/"
        f"{account}_CloudTrail_{region}_{written:%Y%m%dT%H%MZ}_{unique}.json.gz"
    )
