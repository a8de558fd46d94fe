"""Credentials in the environment (SPEC S16), the first source of both clients."""

from collections.abc import Mapping
from typing import NamedTuple


class Keys(NamedTuple):
    """The keys that sign a request; ``token`` belongs to keys that expire."""

    key_id: str
    secret: str
    token: str | None


def environment_keys(env: Mapping[str, str]) -> Keys | None:
    """``None`` when either the key id or the secret is absent or empty."""
    key_id, secret = env.get("AWS_ACCESS_KEY_ID"), env.get("AWS_SECRET_ACCESS_KEY")
    if not (key_id and secret):
        return None
    return Keys(key_id, secret, env.get("AWS_SESSION_TOKEN") or None)
