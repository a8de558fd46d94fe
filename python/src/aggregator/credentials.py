"""Part of step store (SPEC S16): keys from the environment, or else from the container endpoint.

Holds one set of keys.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple


class Keys(NamedTuple):
    """What signs a request; ``token`` goes with keys that expire."""

    key_id: str
    secret: str
    token: str | None


def environment_keys(env: Mapping[str, str]) -> Keys | None:
    """The first source of S16; half a pair is none."""
    key_id, secret = env.get("AWS_ACCESS_KEY_ID"), env.get("AWS_SECRET_ACCESS_KEY")
    if not (key_id and secret):
        return None
    return Keys(key_id, secret, env.get("AWS_SESSION_TOKEN") or None)


def keys_source(env: Mapping[str, str]) -> Callable[[], Keys]:
    """A function that gives the keys of the moment, or raises ``AttemptError``.

    The second source needs botocore, whose import takes longer than all else of the light client.
    """
    keys = environment_keys(env)
    if keys is not None:
        return lambda: keys
    from aggregator.container_credentials import container_keys

    return container_keys(env)
