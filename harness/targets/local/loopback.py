"""Requests to the loopback servers that the harness starts."""

from __future__ import annotations

import requests
from requests.adapters import HTTPAdapter


def open_session() -> requests.Session:
    """A session without retries, which ignores proxies and passwords of the environment."""
    session = requests.Session()
    session.trust_env = False
    for scheme in ("http://", "https://"):
        session.mount(scheme, HTTPAdapter(max_retries=0))
    return session
