"""Reads from the manifests (SPEC W6) which days are published, and their counts.

The claims (W11) tell the days on which a run works, and a listing tells archived sources (R9).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from harness.operate.sources import SourceCounter
from harness.targets.aws.session import Clients, code_of, explained

_COUNTS = ("sources", "bad", "records", "bytes", "chunks")
_AT_ONCE = 16
#: key -> the object's body, or ``None`` where there is none.
Read = Callable[[str], bytes | None]


@dataclass(frozen=True, slots=True)
class DayStatus:
    """One day, or an account's part of it, with the counts of its manifest.

    ``counts`` is ``None`` if there is no readable manifest. ``broken`` describes the fault of an
    unreadable one. ``busy_until`` is the end of a claim that has not expired. ``archived`` and
    ``restoring`` count sources that can't be read; they are ``None`` if nobody has looked.
    """

    day: date
    account: str | None
    counts: Mapping[str, int] | None
    broken: str | None = None
    busy_until: str | None = None
    archived: int | None = None
    restoring: int | None = None

    @property
    def published(self) -> bool:
        return self.counts is not None

    def to_json(self) -> dict[str, object]:
        return {**asdict(self), "day": str(self.day)}


def read_status(
    read: Read, prefix: str, days: Sequence[date], accounts: Iterable[str | None]
) -> list[DayStatus]:
    """The status of each day, in order; ``accounts`` has ``None`` for whole days."""
    wanted = [(day, account) for day in days for account in accounts]
    now = datetime.now(UTC)
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return list(pool.map(lambda each: _status(read, prefix, each[0], each[1], now), wanted))


def with_archived(found: Sequence[DayStatus], counter: SourceCounter) -> list[DayStatus]:
    """Look for archived sources of the days that are missing or have bad sources."""

    def looked(each: DayStatus) -> DayStatus:
        if each.counts and not each.counts["bad"]:
            return each
        sources = counter.of(each.day, each.account)
        return replace(each, archived=sources.archived, restoring=sources.restoring)

    return [looked(each) for each in found]


def from_bucket(clients: Clients, bucket: str) -> Read:
    def read(key: str) -> bytes | None:
        with explained("s3:GetObject", f"bucket {bucket}"):
            try:
                body: bytes = clients.s3.get_object(Bucket=bucket, Key=key)["Body"].read()
            except ClientError as error:
                if code_of(error) == "NoSuchKey":
                    return None
                raise
            return body

    return read


def from_folder(folder: Path) -> Read:
    """A copy of a destination bucket, or of a part of it."""

    def read(key: str) -> bytes | None:
        file = folder / key
        return file.read_bytes() if file.is_file() else None

    return read


def describe(found: Sequence[DayStatus]) -> Iterator[str]:
    """The report: sums, days with bad sources, and ranges of missing days."""
    published = [each for each in found if each.counts is not None]
    yield f"{len(published):,} of {len(found):,} published"
    sums = {name: sum((each.counts or {}).get(name, 0) for each in published) for name in _COUNTS}
    yield ", ".join(f"{sums[name]:,} {name}" for name in _COUNTS)
    for each in published:
        if each.counts and each.counts.get("bad"):
            yield f"bad    {_named(each)}: {each.counts['bad']:,} of {each.counts['sources']:,}"
    for each in found:
        if each.broken is not None:
            yield f"broken {_named(each)}: {each.broken}"
    for each in found:
        if each.busy_until is not None:
            yield f"busy   {_named(each)}: a run has claimed it until {each.busy_until}"
    for each in found:
        if each.archived:
            restored = f", {each.restoring:,} being restored" if each.restoring else ""
            yield f"archived {_named(each)}: {each.archived:,} sources{restored}"
    for first, last in _missing(found):
        yield f"missing {_named(first)}" + ("" if first == last else f" to {last.day}")


def _status(read: Read, prefix: str, day: date, account: str | None, now: datetime) -> DayStatus:
    folder = f"{prefix if account is None else f'{prefix}{account}/'}{day:%Y/%m/%d}/"
    body = read(f"{folder}_manifest.json")
    busy_until = _busy_until(read(f"{folder}_claim.json"), now)
    if body is None:
        return DayStatus(day, account, None, None, busy_until)
    try:
        result: Any = json.loads(body)["result"]
        counts = {name: int(result[name]) for name in _COUNTS}
    except (ValueError, KeyError, TypeError) as error:
        return DayStatus(day, account, None, f"{type(error).__name__}: {error}", busy_until)
    return DayStatus(day, account, counts, None, busy_until)


def _busy_until(claim: bytes | None, now: datetime) -> str | None:
    """The end of a claim; ``None`` if the next run may take it over (W12)."""
    if claim is None:
        return None
    try:
        expires = str(json.loads(claim)["expires"])
        return expires if datetime.fromisoformat(expires) > now else None
    except (ValueError, KeyError, TypeError):
        return None


def _named(each: DayStatus) -> str:
    return f"{each.day}" if each.account is None else f"{each.day} {each.account}"


def _missing(found: Sequence[DayStatus]) -> Iterator[tuple[DayStatus, DayStatus]]:
    """First and last of the days in a row without a manifest and a claim, account by account."""
    for account in dict.fromkeys(each.account for each in found):
        run: list[DayStatus] = []
        for each in (each for each in found if each.account == account):
            if each.published or each.broken or each.busy_until:
                if run:
                    yield run[0], run[-1]
                run = []
            else:
                run.append(each)
        if run:
            yield run[0], run[-1]
