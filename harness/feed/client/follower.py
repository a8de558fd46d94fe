"""Follows the third party's stream over all connections, and finds gaps in its numbers."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Sequence

from msgspec import MsgspecError
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, WebSocketException
from websockets.frames import CloseCode

from harness.feed.client.backoff import Backoff
from harness.feed.client.buffer import MOST_RECORD_BYTES, Buffer, Entry, partition_key
from harness.feed.client.journal import Log
from harness.feed.client.protocol import Heartbeat, Message, Subscribe, Welcome, decode, encode
from harness.feed.client.sequence import Numbers, Watermark
from harness.feed.client.settings import Settings


class NumberingError(Exception):
    """The third party's numbers are below those that it gave before."""


class Follower:
    """Puts each new message into ``buffer``, and tells each gap.

    ``position`` is that of an earlier task. :attr:`safe` is the number up to which Kinesis has
    every message, or a gap was told.
    """

    def __init__(self, settings: Settings, position: int, buffer: Buffer, log: Log) -> None:
        self._settings = settings
        self._buffer = buffer
        self._log = log
        self._backoff = Backoff(
            settings.reconnect_first_ms / 1000, settings.reconnect_most_ms / 1000
        )
        self._numbers = Numbers(position) if position else None
        self._watermark = Watermark(position)
        self.counts: Counter[str] = Counter()

    @property
    def safe(self) -> int:
        return self._watermark.value

    def accept(self, entries: Sequence[Entry]) -> None:
        """Kinesis has them."""
        for each in entries:
            self._watermark.end(each.number)

    async def follow(self) -> None:
        """Connect again after each end of a connection, for ever."""
        settings = self._settings
        while True:
            try:
                async with connect(
                    settings.url,
                    additional_headers=_headers(settings.token),
                    max_size=settings.most_message_bytes,
                    open_timeout=settings.request_timeout_ms / 1000,
                    close_timeout=1,
                    # a connection that is silent, but open, is found by them alone
                    ping_interval=settings.ping_ms / 1000,
                    ping_timeout=settings.ping_ms / 1000,
                ) as socket:
                    await self._read(socket)
            except (OSError, TimeoutError, WebSocketException) as error:
                reason = f"{type(error).__name__}: {error}"
                self._skip_too_large(error)
            wait_s = self._backoff.next()
            self.counts["reconnects"] += 1
            self._log("WARN", "disconnected", reason=reason, wait_ms=round(wait_s * 1000))
            await asyncio.sleep(wait_s)

    async def _read(self, socket: ClientConnection) -> None:
        last = None if self._numbers is None else self._numbers.last
        await socket.send(encode(Subscribe(last)).decode())
        lasts_at = time.monotonic() + self._settings.reconnect_most_ms / 1000
        while True:
            text = await socket.recv(decode=False)
            if self._buffer.closed:
                continue  # the next task gets it
            try:
                message = decode(text)
            except (MsgspecError, UnicodeDecodeError) as error:
                self._log("ERROR", "unreadable", reason=str(error))
                continue
            if time.monotonic() >= lasts_at:
                self._backoff.begin_anew()
            match message:
                case Welcome(newest):
                    self._begin(newest)
                case Heartbeat(newest) if self._numbers:
                    self._tell(self._numbers.reach(newest), "missing")
                case Message() if self._numbers:
                    await self._take(self._numbers, message)

    def _begin(self, newest: int) -> None:
        if self._numbers is None:
            self._numbers = Numbers(newest)
            self._watermark = Watermark(newest)
        if newest < self._numbers.last:
            raise NumberingError(
                f"the third party's newest number is {newest}, after {self._numbers.last} before: "
                "if it has begun to count anew, set POSITION's value to 0"
            )
        self._log("INFO", "connected", last=self._numbers.last, newest=newest)

    async def _take(self, numbers: Numbers, message: Message) -> None:
        missing = numbers.arrive(message.number)
        if missing is None:
            self.counts["doubles"] += 1
            return
        # a welcome is not enough: a server with too much work may welcome, and drop at once
        self._backoff.begin_anew()
        self._tell(missing, "missing")
        key = message.key if self._settings.key == "message" else str(message.number)
        entry = Entry(message.number, partition_key(key), bytes(message.record))
        if entry.size > MOST_RECORD_BYTES:
            self._tell(range(message.number, message.number + 1), "too large")
            return
        self._watermark.begin(message.number)
        self.counts["messages"] += 1
        await self._buffer.add(entry)

    def _tell(self, missing: range, reason: str) -> None:
        if not missing:
            return
        first, last = missing[0], missing[-1]
        count = len(missing)
        self.counts["missing"] += count
        self._log("ERROR", "gap", first=first, last=last, missing=count, reason=reason)
        self._watermark.begin(last)
        self._watermark.end(last)

    def _skip_too_large(self, error: Exception) -> None:
        """This side closed, because the next message exceeds its limit: it would come for ever."""
        if not isinstance(error, ConnectionClosed) or self._numbers is None:
            return
        if error.sent is not None and error.sent.code == CloseCode.MESSAGE_TOO_BIG:
            self._tell(self._numbers.reach(self._numbers.last + 1), "too large")


def _headers(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"} if token else {}
