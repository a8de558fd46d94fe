"""Step: claim (SPEC W11-W13). One run at a time may write below a day prefix.

The claim is an object that S3 writes and deletes on conditions only. Holds two short texts.
"""

import json
import re
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from io import BytesIO

from aggregator.attempts import Attempts
from aggregator.config import Config
from aggregator.errors import AggregationError
from aggregator.store import Store
from aggregator.trigger import STRICT_JSON, Day

_ROUNDS = 5
_CLOCKS_DIFFER_S = 60
_LIMIT = 64 << 10  # of bytes; a larger object is no claim
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z")


class Claim:
    """One run's claim of a day. The run ends in ``remaining_s``, before its claim expires."""

    def __init__(
        self, store: Store, config: Config, day: Day, run: str, remaining_s: float
    ) -> None:
        self._store = store
        self._bucket = config.dst_bucket
        self._key = f"{day.prefix(config.dst_prefix)}_claim.json"
        expires = datetime.now(UTC) + timedelta(seconds=remaining_s + _CLOCKS_DIFFER_S)
        until = expires.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        self._body = json.dumps({"run": run, "expires": until}, separators=(",", ":")).encode()
        self._etag: str | None = None  # known while the claim is held

    async def take(self, attempts: Attempts) -> None:
        """Claim the day, or raise ``BUSY`` when another run has it."""
        for _ in range(_ROUNDS):
            self._etag = await self._put(attempts, replaced=None)
            if self._etag is None:
                self._etag = await self._take_over(attempts)
            if self._etag is not None:
                return
        raise AggregationError("BUSY", self._key)

    async def release(self, attempts: Attempts, within_s: float) -> None:
        """Give the day back. A failure leaves the claim, which expires by itself (W13)."""
        if self._etag is None:
            return
        attempts.fail_after(within_s)
        attempt = partial(self._store.delete_if, self._bucket, self._key, self._etag)
        with suppress(AggregationError):
            await attempts.run("delete", self._key, attempt)

    async def _take_over(self, attempts: Attempts) -> str | None:
        """The ETag of this run's claim; ``None`` when the claim that was there has changed."""
        get = partial(self._store.get_tagged, self._bucket, self._key, _LIMIT)
        found = await attempts.run("get", self._key, get)
        if found is None:
            return None
        if found.body == self._body:  # it was put, but the answer was lost
            return found.etag
        if _is_in_force(found.body):
            raise AggregationError("BUSY", self._key)
        return await self._put(attempts, replaced=found.etag)

    async def _put(self, attempts: Attempts, replaced: str | None) -> str | None:
        """Put the claim, and give its ETag; ``None`` when S3 refuses the condition."""
        put, body = self._store.put_if, BytesIO(self._body)
        attempt = partial(put, self._bucket, self._key, body, "application/json", replaced)
        return await attempts.run("put", self._key, attempt)


def _is_in_force(body: bytes) -> bool:
    """Whether this is a claim (W11) that has not expired."""
    try:
        claim = STRICT_JSON.decode(body.decode())
        run, until = claim["run"], claim["expires"]
        if not (isinstance(run, str) and _TIME.fullmatch(until)):
            return False
        return datetime.fromisoformat(until) > datetime.now(UTC)
    except (ValueError, TypeError, KeyError, RecursionError):
        return False
