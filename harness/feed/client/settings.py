"""The settings of the client, from environment variables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, cast

type Key = Literal["message", "number"]

_MIB = 2**20
_KEYS = ("message", "number")


class BadSettingError(Exception):
    """The message names the variable."""


@dataclass(frozen=True, slots=True)
class Settings:
    """``url`` and ``stream`` have no default.

    ``position`` is where the client goes on after a restart: ``ssm:NAME`` is a parameter of Systems
    Manager, ``file:PATH`` a file. ``key`` chooses the partition key: with ``message`` the third
    party's own, so the records of a key stay in one shard; with ``number`` the number, which
    spreads the load and keeps no order. ``linger_ms`` is how long a record waits for others. The
    limits of a shard are of one second, so no repeat waits longer (``repeat_most_ms``).
    """

    url: str
    stream: str
    position: str
    token: str = ""
    key: Key = "message"
    linger_ms: int = 200
    buffer_bytes: int = 32 * _MIB
    most_message_bytes: int = 4 * _MIB
    ping_ms: int = 20_000
    request_timeout_ms: int = 10_000
    reconnect_first_ms: int = 500
    reconnect_most_ms: int = 30_000
    repeat_first_ms: int = 100
    repeat_most_ms: int = 1_000
    position_every_ms: int = 1_000
    stop_ms: int = 100_000

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> Settings:
        """Raises :class:`BadSettingError` for the first bad variable."""
        key = env.get("PARTITION_KEY") or "message"
        if key not in _KEYS:
            raise BadSettingError(f"PARTITION_KEY is {key!r}: set it to message or number")
        url = _text(env, "FEED_URL")
        if not url.startswith(("wss://", "ws://")):
            raise BadSettingError("FEED_URL does not begin with wss:// or ws://")
        return cls(
            url=url,
            stream=_text(env, "STREAM_NAME"),
            position=_place(env),
            token=env.get("FEED_TOKEN", ""),
            key=cast("Key", key),
            **{
                name: _number(env, name.upper(), default)
                for name, default in _NUMBERS.items()
                if name.upper() in env
            },
        )


_NUMBERS: Mapping[str, int] = {
    name: field.default
    for name, field in Settings.__dataclass_fields__.items()
    if isinstance(field.default, int)
}


def _text(env: Mapping[str, str], name: str) -> str:
    if not env.get(name):
        raise BadSettingError(f"{name} is not set")
    return env[name]


def _place(env: Mapping[str, str]) -> str:
    place = _text(env, "POSITION")
    kind, _, name = place.partition(":")
    if kind not in ("ssm", "file") or not name:
        raise BadSettingError(f"POSITION is {place!r}: write it like ssm:NAME or file:PATH")
    return place


def _number(env: Mapping[str, str], name: str, default: int) -> int:
    text = env[name]
    if not text.isdecimal() or int(text) < 1:
        raise BadSettingError(f"{name} is {text!r}, and no whole number above 0 such as {default}")
    return int(text)
