import pytest

from aggregator.config import read_config
from aggregator.errors import AggregationError

LEAST = {"SRC_BUCKET": "from-here", "DST_BUCKET": "to.there", "AWS_REGION": "eu-west-1"}


def test_defaults() -> None:
    config = read_config(LEAST)
    assert (config.src_prefix, config.dst_prefix) == ("", "")
    assert (config.chunk_bytes, config.max_source_bytes) == (67108864, 134217728)
    assert (config.concurrency, config.gzip_level) == (16, 1)
    assert (config.log_level, config.endpoint) == ("INFO", None)
    assert config.trail_root == "AWSLogs/"
    assert config.s3_client == "sdk"
    assert read_config(LEAST | {"S3_CLIENT": "light"}).s3_client == "light"


def test_region_falls_back_only_when_absent() -> None:
    without = {name: value for name, value in LEAST.items() if name != "AWS_REGION"}
    assert read_config(without | {"AWS_DEFAULT_REGION": "us-east-2"}).region == "us-east-2"
    for env in (without, LEAST | {"AWS_REGION": "", "AWS_DEFAULT_REGION": "us-east-2"}):
        with pytest.raises(AggregationError, match=r"^BAD_SETTINGS: AWS_REGION$"):
            read_config(env)


@pytest.mark.parametrize(
    "endpoint",
    [
        "http://127.0.0.1:9000",
        "https://S3.example/",
        "http://[::1]",
        "http://[::99999]",
        "http://[::1]:65535/",
        "http://localhost:00001",
    ],
)
def test_endpoint(endpoint: str) -> None:
    assert read_config(LEAST | {"AWS_ENDPOINT_URL_S3": endpoint}).endpoint == endpoint


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SRC_BUCKET", "ab"),
        ("SRC_BUCKET", "bucket\n"),
        ("DST_BUCKET", "-bucket"),
        ("SRC_PREFIX", "no-slash"),
        ("DST_PREFIX", "slash/\n"),
        ("CHUNK_BYTES", "0"),
        ("CHUNK_BYTES", "1073741825"),
        ("CONCURRENCY", ""),
        ("CONCURRENCY", "1_6"),
        ("CONCURRENCY", "²"),
        ("GZIP_LEVEL", "10"),
        ("MAX_SOURCE_BYTES", "536870913"),
        ("LOG_LEVEL", "info"),
        ("AWS_ENDPOINT_URL_S3", "http://"),
        ("AWS_ENDPOINT_URL_S3", "http://:9000"),
        ("AWS_ENDPOINT_URL_S3", "127.0.0.1:9000"),
        ("AWS_ENDPOINT_URL_S3", "ftp://host"),
        ("AWS_ENDPOINT_URL_S3", "HTTP://host"),
        ("AWS_ENDPOINT_URL_S3", "http://host/path"),
        ("AWS_ENDPOINT_URL_S3", "http://host//"),
        ("AWS_ENDPOINT_URL_S3", "http://host?query"),
        ("AWS_ENDPOINT_URL_S3", "http://user@host"),
        ("AWS_ENDPOINT_URL_S3", "http://under_score"),
        ("AWS_ENDPOINT_URL_S3", "http://host:"),
        ("AWS_ENDPOINT_URL_S3", "http://host:0"),
        ("AWS_ENDPOINT_URL_S3", "http://host:65536/"),
        ("AWS_ENDPOINT_URL_S3", "http://[::1]:000000"),
        ("AWS_ENDPOINT_URL_S3", "http://[::1]:99999"),
        ("AWS_ENDPOINT_URL_S3", "http://[host]"),
        ("AWS_ENDPOINT_URL_S3", "http://host\n"),
        ("AWS_REGION", "EU"),
        ("S3_CLIENT", ""),
        ("S3_CLIENT", "Light"),
    ],
)
def test_bad_setting_is_named(name: str, value: str) -> None:
    with pytest.raises(AggregationError, match=f"^BAD_SETTINGS: {name}$"):
        read_config(LEAST | {name: value})


def test_first_of_the_table_is_named() -> None:
    with pytest.raises(AggregationError, match="CHUNK_BYTES"):
        read_config(LEAST | {"LOG_LEVEL": "x", "S3_CLIENT": "x", "CHUNK_BYTES": "x"})


def test_output_must_not_become_input() -> None:
    same = LEAST | {"DST_BUCKET": LEAST["SRC_BUCKET"], "SRC_PREFIX": "in/"}
    assert read_config(same | {"DST_PREFIX": "AWSLogs/"}).dst_prefix == "AWSLogs/"
    with pytest.raises(AggregationError, match=r"^BAD_SETTINGS: DST_PREFIX$"):
        read_config(same | {"DST_PREFIX": "in/AWSLogs/out/", "CHUNK_BYTES": "x"})
