"""Which hosts are asked through the proxy (S18-S20)."""

import pytest
from memory_store import make_config

from aggregator.s3.endpoint import address_of

PROXY = "http://proxy.example:3128/"


@pytest.mark.parametrize(
    ("no_proxy", "is_used"),
    [
        ("", True),
        (" , ,*., .", True),
        ("localhost", False),
        ("ocalhost, calhost", True),
        ("a.localhost", True),
        ("example.com , .LOCAL HOST", False),
        ("*.localhost", False),
        ("*localhost", True),
        ("example.com,*", False),
    ],
)
def test_names_that_need_no_proxy(no_proxy: str, is_used: bool) -> None:
    endpoint = "https://LocalHost:9000"
    config = make_config(AWS_ENDPOINT_URL_S3=endpoint, HTTPS_PROXY=PROXY, NO_PROXY=no_proxy)
    proxy = address_of(config, "bucket").proxy
    assert (proxy is not None) == is_used
    if proxy:
        assert (proxy.host, proxy.port) == ("proxy.example", 3128)


def test_each_bucket_has_its_own_host_at_aws() -> None:
    name = "first.s3.us-east-1.amazonaws.com"
    config = make_config(HTTPS_PROXY="http://[::1]", NO_PROXY=name)
    assert address_of(config, "first").proxy is None
    proxy = address_of(config, "second").proxy
    assert proxy is not None
    assert (proxy.host, proxy.port, proxy.authority) == ("::1", 80, "[::1]")


def test_a_plain_endpoint_has_no_proxy() -> None:
    config = make_config(AWS_ENDPOINT_URL_S3="http://localhost", HTTPS_PROXY=PROXY)
    assert address_of(config, "bucket").proxy is None
