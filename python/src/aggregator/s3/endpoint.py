"""The address of a bucket (SPEC S10) and the proxy on the way to it (S18-S20)."""

import re
from typing import NamedTuple

from aggregator.config import Config

#: Of the partitions that have another one than AWS's first, by the beginning of their regions.
_SUFFIXES = {"cn": "amazonaws.com.cn", "eusc": "amazonaws.eu"}
_URL = re.compile(r"(https?)://(\[?([^/]+?)\]?(?::([0-9]+))?)/?")


class Address(NamedTuple):
    """Where a bucket's requests go; ``root`` begins each path, ``authority`` is the Host header."""

    secure: bool
    host: str
    port: int
    authority: str
    root: str
    proxy: "Address | None" = None


def address_of(config: Config, bucket: str) -> Address:
    """The bucket below an endpoint that is set, or its own host at AWS."""
    address = _direct_address(config.endpoint, config.region, bucket)
    if config.proxy is None or not address.secure or _needs_no_proxy(address.host, config.no_proxy):
        return address
    return address._replace(proxy=_parsed(config.proxy, ""))


def _direct_address(endpoint: str | None, region: str, bucket: str) -> Address:
    if endpoint is not None:
        return _parsed(endpoint, f"/{bucket}")
    suffix = _SUFFIXES.get(region.partition("-")[0], "amazonaws.com")
    host = f"s3.{region}.{suffix}"
    if "." in bucket:  # AWS's certificate covers no further dot
        return Address(True, host, 443, host, f"/{bucket}")
    return Address(True, f"{bucket}.{host}", 443, f"{bucket}.{host}", "")


def _parsed(url: str, root: str) -> Address:
    match = _URL.fullmatch(url)
    assert match, "config lets no other URL pass"
    scheme, authority, host, port = match.groups()
    secure = scheme == "https"
    return Address(secure, host, int(port or (443 if secure else 80)), authority, root)


def _needs_no_proxy(host: str, no_proxy: str) -> bool:
    names = no_proxy.replace(" ", "").lower().split(",")
    suffixes = [name.removeprefix("*.").removeprefix(".") for name in names]
    return "*" in names or any(
        f".{host.lower()}".endswith(f".{suffix}") for suffix in suffixes if suffix
    )
