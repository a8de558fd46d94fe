"""``python -m harness.feed.client``: from a WebSocket stream into Kinesis, until SIGTERM.

Exit codes: 0 after SIGTERM, 1 after a fault that does not pass, 2 for a bad setting.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from botocore.exceptions import BotoCoreError, ClientError

from harness.feed.client.backoff import Backoff
from harness.feed.client.buffer import Buffer, Entry
from harness.feed.client.follower import Follower, NumberingError
from harness.feed.client.journal import log
from harness.feed.client.position import Position, position_at
from harness.feed.client.putter import Put, Putter, put_into
from harness.feed.client.settings import BadSettingError, Settings


async def run(settings: Settings, put: Put, position: Position) -> None:
    """Follow the stream until SIGTERM or a lasting fault, which is raised.

    After SIGTERM the records that are here are put, and their position is written.
    """
    stopped = asyncio.Event()
    for sign in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(sign, stopped.set)
    buffer = Buffer(settings.buffer_bytes, settings.linger_ms / 1000)
    follower = Follower(settings, await asyncio.to_thread(position.read), buffer, log)

    async def accepted(entries: Sequence[Entry]) -> None:
        follower.accept(entries)
        await buffer.release(entries)

    backoff = Backoff(settings.repeat_first_ms / 1000, settings.repeat_most_ms / 1000)
    putter = Putter(put, backoff, accepted, log)
    writer = _Writer(position, follower)
    reading = asyncio.create_task(follower.follow())
    putting = asyncio.create_task(_put(buffer, putter))
    writing = asyncio.create_task(writer.write_each(settings.position_every_ms / 1000))
    stopping = asyncio.create_task(stopped.wait())
    tasks = {reading, putting, writing}
    try:
        done, _ = await asyncio.wait({*tasks, stopping}, return_when=asyncio.FIRST_COMPLETED)
        for each in done & tasks:
            each.result()  # only a fault ends one of them
        await buffer.close()
        with suppress(TimeoutError):
            async with asyncio.timeout(settings.stop_ms / 1000):
                await putting
    finally:
        for each in (*tasks, stopping):
            each.cancel()
        await asyncio.gather(*tasks, stopping, return_exceptions=True)
        await writer.write()
        counts = {**follower.counts, **putter.counts}
        log("INFO", "stopped", left=len(buffer), position=follower.safe, **counts)


async def _put(buffer: Buffer, putter: Putter) -> None:
    """Put batch after batch, until the buffer is closed and empty."""
    while batch := await buffer.take():
        await putter.put_all(batch)


class _Writer:
    """Writes the position when it has changed.

    A write that is cancelled goes on in its thread. There is one thread, so a later write waits for
    it, and never comes before it.
    """

    def __init__(self, position: Position, follower: Follower) -> None:
        self._position = position
        self._follower = follower
        self._written = 0
        self._thread = ThreadPoolExecutor(1)

    async def write_each(self, interval_s: float) -> None:
        while True:
            await self.write()
            await asyncio.sleep(interval_s)

    async def write(self) -> None:
        safe = self._follower.safe
        if safe <= self._written:
            return
        loop = asyncio.get_running_loop()
        try:
            await loop.run_in_executor(self._thread, self._position.write, safe)
        except (BotoCoreError, ClientError) as error:
            # An old position costs doubles after a restart, and no message. Without any the next
            # task can't know what it has missed: an alarm tells.
            log("ERROR", "position_not_written", reason=str(error))
        else:
            self._written = safe


def main() -> int:
    try:
        settings = Settings.from_env(os.environ)
    except BadSettingError as error:
        log("ERROR", "failed", reason=str(error))
        return 2
    try:
        put = put_into(settings.stream, settings.request_timeout_ms / 1000)
        asyncio.run(run(settings, put, position_at(settings.position)))
    except (BotoCoreError, ClientError, NumberingError, OSError, ValueError) as error:
        log("ERROR", "failed", reason=f"{type(error).__name__}: {error}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
