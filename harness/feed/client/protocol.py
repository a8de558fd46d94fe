"""The messages of the third party, and the request that begins a stream.

The third party numbers its messages without a break. On one connection it sends them in the order
of their numbers, but may send one again. A heartbeat says which number was the newest, so a client
learns of a gap that no later message shows.
"""

from __future__ import annotations

import msgspec


class Subscribe(msgspec.Struct, frozen=True, tag_field="type", tag="subscribe"):
    """Asks for all messages after a number. Without one the stream begins with the next message."""

    after: int | None = None


class Welcome(msgspec.Struct, frozen=True, tag_field="type", tag="welcome"):
    """The first message of a connection."""

    newest: int


class Message(msgspec.Struct, frozen=True, tag_field="type", tag="message"):
    """``key`` names a group of records whose order matters; ``record`` is text, never parsed."""

    number: int
    key: str
    record: msgspec.Raw


class Heartbeat(msgspec.Struct, frozen=True, tag_field="type", tag="heartbeat"):
    newest: int


#: Raises ``msgspec.MsgspecError`` for a text that is none of the three.
decode = msgspec.json.Decoder(Welcome | Message | Heartbeat).decode
encode = msgspec.json.encode
