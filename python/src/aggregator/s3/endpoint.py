"""The address of a bucket (SPEC S10) for the client ``light``."""

import re
from functools import cache
from typing import NamedTuple

_ENDPOINT = re.compile(r"(https?)://(\[?([^/]+?)\]?(?::([0-9]+))?)/?")


class Address(NamedTuple):
    """Where a bucket's requests go; ``root`` begins each path, ``authority`` is the Host header."""

    secure: bool
    host: str
    port: int
    authority: str
    root: str


@cache
def address_of(endpoint: str | None, region: str, bucket: str) -> Address:
    """The bucket below an endpoint that is set, or its own host at AWS."""
    if endpoint is None:
        host = f"s3.{region}.amazonaws.com{'.cn' if region.startswith('cn-') else ''}"
        if "." in bucket:  # AWS's certificate covers no further dot
            return Address(True, host, 443, host, f"/{bucket}")
        return Address(True, f"{bucket}.{host}", 443, f"{bucket}.{host}", "")
    match = _ENDPOINT.fullmatch(endpoint)
    assert match, "config lets no other endpoint pass"
    scheme, authority, host, port = match.groups()
    secure = scheme == "https"
    return Address(secure, host, int(port or (443 if secure else 80)), authority, f"/{bucket}")
