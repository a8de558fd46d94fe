"""Plays the third party: a WebSocket server that follows a plan.

It is real in what it sends, cuts, doubles and forgets. It has no TLS, no compression and no login.
"""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import Future
from contextlib import suppress
from typing import Any, Self

import msgspec
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from harness.feed.client.protocol import Heartbeat, Subscribe, Welcome, encode
from harness.feed.clock import Clock
from harness.feed.plan import FIRST_NUMBER, Plan, Planned
from harness.targets.local.ports import free_ports

_HEARTBEAT_S = 1.0  # of the stream
_START_TIMEOUT_S = 30
#: The last words for a client that can hear them. The real ones go on.
END = '{"type":"end"}'


class ThirdParty:
    """A context manager around a server on 127.0.0.1, in a thread of its own.

    It keeps the last ``replay`` messages. A client that asks for older ones begins with the oldest.
    :attr:`sent_at` has the second at which a message could be sent first. :attr:`outrun` counts the
    messages that became too old while a client was connected, but took them too slowly.
    :attr:`forgotten` are the numbers that a client did not get because they had become too old.
    """

    def __init__(self, plan: Plan, clock: Clock, replay: int) -> None:
        self._plan = plan
        self._clock = clock
        self._replay = replay
        (self.port,) = free_ports(1)
        self._frames: dict[int, str] = {}
        self._oldest = FIRST_NUMBER
        self._newest = FIRST_NUMBER - 1
        self._ended = False
        self._grown = asyncio.Condition()
        self._sockets: set[ServerConnection] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._listening = threading.Event()
        self._stop = asyncio.Event()
        self.sent_at: dict[int, float] = {}
        self.connections = 0
        self.outrun = 0
        self.forgotten: set[int] = set()

    def __enter__(self) -> Self:
        self._thread.start()
        if not self._listening.wait(_START_TIMEOUT_S):
            raise AssertionError("the third party does not listen")
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    @property
    def followers(self) -> int:
        """The clients that are connected and have subscribed."""
        return len(self._sockets)

    def play(self) -> Future[None]:
        """Begin the plan at the clock's present second. The result comes after its last message."""
        return asyncio.run_coroutine_threadsafe(self._play(self._clock.now()), self._loop)

    def cut(self) -> None:
        """Drop all connections without a word."""
        self._loop.call_soon_threadsafe(self._cut)

    def end(self) -> None:
        """Say to each client, now and from now on, that nothing follows."""
        self._loop.call_soon_threadsafe(lambda: self._loop.create_task(self._end()))

    # ---- in the server's thread ----

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._serve())
        self._loop.close()

    async def _serve(self) -> None:
        async with serve(self._follow, "127.0.0.1", self.port, compression=None, close_timeout=1):
            self._listening.set()
            await self._stop.wait()
            self._cut()
        unfinished = asyncio.all_tasks() - {asyncio.current_task()}  # a plan that was broken off
        for each in unfinished:
            each.cancel()
        await asyncio.gather(*unfinished, return_exceptions=True)

    async def _play(self, began: float) -> None:
        cuts = list(self._plan.cuts)
        for each in self._plan.messages:
            while cuts and cuts[0] <= each.second:
                cuts.pop(0)
                self._cut()
            wait_s = self._clock.real(began + each.second - self._clock.now())
            if wait_s > 0:
                await asyncio.sleep(wait_s)
            await self._publish(each)

    async def _publish(self, message: Planned) -> None:
        async with self._grown:
            self._newest = message.number
            self.sent_at[message.number] = self._clock.now()
            if message.number not in self._plan.dropped:
                self._frames[message.number] = _frame(message)
            while self._oldest <= self._newest - self._replay:
                self._frames.pop(self._oldest, None)
                self._oldest += 1
            self._grown.notify_all()

    async def _follow(self, socket: ServerConnection) -> None:
        with suppress(ConnectionClosed, msgspec.MsgspecError):
            asked = msgspec.json.decode(await socket.recv(), type=Subscribe)
            self.connections += 1
            await _say(socket, Welcome(self._newest))
            last = self._newest if asked.after is None else asked.after
            self._sockets.add(socket)
            try:
                await self._send_all(socket, last)
            finally:
                self._sockets.discard(socket)

    async def _send_all(self, socket: ServerConnection, last: int) -> None:
        beat_s = self._clock.real(_HEARTBEAT_S)
        self.forgotten.update(range(last + 1, self._oldest))
        last = max(last, self._oldest - 1)
        while True:
            while last < self._newest:
                self.forgotten.update(range(last + 1, self._oldest))
                self.outrun += max(self._oldest - 1 - last, 0)
                last = max(last + 1, self._oldest)
                await self._send(socket, last)
            if self._ended:
                await socket.send(END)
            await _say(socket, Heartbeat(last))
            with suppress(TimeoutError):
                async with asyncio.timeout(beat_s):
                    await self._grow_beyond(last)

    async def _grow_beyond(self, number: int) -> None:
        async with self._grown:
            await self._grown.wait_for(lambda: number < self._newest)

    async def _send(self, socket: ServerConnection, number: int) -> None:
        for each in (number, self._plan.doubles.get(number)):
            if each is not None and each in self._frames:
                await socket.send(self._frames[each])

    async def _end(self) -> None:
        async with self._grown:
            self._ended = True
            self._grown.notify_all()

    def _cut(self) -> None:
        for each in self._sockets:
            each.transport.abort()


async def _say(socket: ServerConnection, message: Any) -> None:
    await socket.send(encode(message).decode())


def _frame(message: Planned) -> str:
    """The record's text as it stands: a JSON library could print it in another form."""
    head = f'{{"type":"message","number":{message.number},"key":"{message.key}","record":'
    return f"{head}{message.text.decode()}}}"
