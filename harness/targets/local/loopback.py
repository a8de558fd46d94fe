"""HTTP to the servers that the harness starts itself, all on loopback."""

from __future__ import annotations

import requests
from requests.adapters import HTTPAdapter


def open_session() -> requests.Session:
    """A session that asks once, and ignores the proxies and passwords of the user's environment."""
    session = requests.Session()
    session.trust_env = False
    session.mount("http://", HTTPAdapter(max_retries=0))
    return session
