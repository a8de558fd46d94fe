"""Puts batches into Kinesis, and repeats the records that it refused, alone.

One request is in flight, and no later record is put before the refused ones. So records of one key
can change places within a batch only: PutRecords goes on behind a record that it refuses.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, ConnectionError, HTTPClientError
from botocore.parsers import ResponseParserError

from harness.feed.client.backoff import Backoff
from harness.feed.client.buffer import Entry
from harness.feed.client.journal import Log

#: Puts a batch by one request. For each record ``None``, or the code for which it is put again.
type Put = Callable[[Sequence[Entry]], Sequence[str | None]]

_PASSING = {
    *("ProvisionedThroughputExceededException", "LimitExceededException", "ThrottlingException"),
    *(
        "InternalFailure",
        "InternalFailureException",
        "ServiceUnavailable",
        "KMSThrottlingException",
    ),
    "RequestTimeout",
}


class Putter:
    """``accepted`` gets the records of a batch that Kinesis has taken."""

    def __init__(
        self,
        put: Put,
        backoff: Backoff,
        accepted: Callable[[Sequence[Entry]], Awaitable[None]],
        log: Log,
    ) -> None:
        self._put = put
        self._backoff = backoff
        self._accepted = accepted
        self._log = log
        self.counts: Counter[str] = Counter()

    async def put_all(self, batch: Sequence[Entry]) -> None:
        """Return when Kinesis has taken the whole batch. Raises the error of a lasting fault."""
        while batch:
            codes = await asyncio.to_thread(self._put, batch)
            self.counts["requests"] += 1
            pairs = list(zip(batch, codes, strict=True))
            if taken := [entry for entry, code in pairs if code is None]:
                await self._accepted(taken)
            batch = [entry for entry, code in pairs if code is not None]
            if batch:
                refused = Counter(code for _, code in pairs if code is not None)
                wait_s = self._backoff.next()
                self.counts["repeated"] += len(batch)
                self._log("WARN", "put_again", codes=refused, wait_ms=round(wait_s * 1000))
                await asyncio.sleep(wait_s)
        self._backoff.begin_anew()


def put_into(stream: str, timeout_s: float) -> Put:
    """Repeats are the :class:`Putter`'s work: the SDK would repeat the whole batch."""
    kinesis: Any = boto3.client(
        "kinesis",
        config=Config(
            retries={"total_max_attempts": 1}, connect_timeout=timeout_s, read_timeout=timeout_s
        ),
    )

    def put(batch: Sequence[Entry]) -> Sequence[str | None]:
        records = [{"Data": each.data, "PartitionKey": each.key} for each in batch]
        try:
            answer = kinesis.put_records(StreamName=stream, Records=records)
        except (ClientError, BotoCoreError, ResponseParserError) as error:
            code = _passing_code(error)
            if code is None:
                raise
            return [code] * len(batch)
        # of an answer that is cut off in its headers, the SDK makes an empty success
        results = answer.get("Records", [])
        if len(results) != len(batch):
            return ["NoAnswer"] * len(batch)
        return [each.get("ErrorCode") for each in results]

    return put


def _passing_code(error: Exception) -> str | None:
    """The code of a fault that may pass. After a lost answer Kinesis may have the records."""
    if isinstance(error, ClientError):
        status = error.response["ResponseMetadata"]["HTTPStatusCode"]
        code = error.response["Error"]["Code"]
        return code if code in _PASSING or status >= 500 else None
    if isinstance(error, ConnectionError | HTTPClientError | ResponseParserError):
        return type(error).__name__
    return None
