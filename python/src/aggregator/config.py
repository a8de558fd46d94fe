"""Step: config (SPEC S1-S15, S17-S19, S22). Environment variables become one immutable ``Config``.

Holds a few strings and numbers, for as long as the sandbox lives.
"""

import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass

from aggregator.errors import AggregationError

_BUCKET = r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]"
_PREFIX = r"(?s:.*/)?"
_LOG_LEVEL = "DEBUG|INFO|WARN|ERROR"
_HOST_AND_PORT = r"([A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?/?"
_REGION = "[a-z0-9-]+"


@dataclass(frozen=True, slots=True)
class Config:
    """Sizes are in bytes; ``endpoint`` is ``None`` for AWS's own.

    ``ca_bundle`` is ``None`` for the authorities that the runtime trusts.
    """

    src_bucket: str
    src_prefix: str
    dst_bucket: str
    dst_prefix: str
    chunk_bytes: int
    concurrency: int
    gzip_level: int
    max_source_bytes: int
    log_level: str
    endpoint: str | None
    region: str
    s3_client: str
    ca_bundle: str | None
    proxy: str | None
    no_proxy: str
    task_timeout_s: int

    @property
    def trail_root(self) -> str:
        """The folder below which CloudTrail delivers."""
        return f"{self.src_prefix}AWSLogs/"


def read_config(env: Mapping[str, str]) -> Config:
    """Raise ``BAD_SETTINGS`` with the first bad name, in the order of SPEC's table."""
    return Config(
        src_bucket=_text(env, "SRC_BUCKET", _BUCKET),
        src_prefix=_text(env, "SRC_PREFIX", _PREFIX, ""),
        dst_bucket=_text(env, "DST_BUCKET", _BUCKET),
        dst_prefix=_destination_prefix(env),
        chunk_bytes=_number(env, "CHUNK_BYTES", 64 << 20, 1, 1 << 30),
        concurrency=_number(env, "CONCURRENCY", 16, 1, 256),
        gzip_level=_number(env, "GZIP_LEVEL", 1, 1, 9),
        max_source_bytes=_number(env, "MAX_SOURCE_BYTES", 128 << 20, 1, 512 << 20),
        log_level=_text(env, "LOG_LEVEL", _LOG_LEVEL, "INFO"),
        endpoint=_endpoint(env, "AWS_ENDPOINT_URL_S3", "https?"),
        region=_text(env, "AWS_REGION", _REGION, env.get("AWS_DEFAULT_REGION")),
        s3_client=_text(env, "S3_CLIENT", "sdk|light", "sdk"),
        ca_bundle=_ca_bundle(env),
        proxy=_endpoint(env, "HTTPS_PROXY", "http"),
        no_proxy=env.get("NO_PROXY", ""),
        task_timeout_s=_number(env, "TASK_TIMEOUT", 3600, 1, 172800),
    )


def _text(env: Mapping[str, str], name: str, allowed: str, default: str | None = None) -> str:
    value = env.get(name, default)
    if value is None or not re.fullmatch(allowed, value):
        raise AggregationError("BAD_SETTINGS", name)
    return value


def _number(env: Mapping[str, str], name: str, default: int, least: int, most: int) -> int:
    value = int(_text(env, name, "[0-9]{1,10}", str(default)))
    if not least <= value <= most:
        raise AggregationError("BAD_SETTINGS", name)
    return value


def _endpoint(env: Mapping[str, str], name: str, scheme: str) -> str | None:
    endpoint = _text(env, name, f"({scheme}://{_HOST_AND_PORT})?", "")
    port = re.search(":([0-9]+)/?$", endpoint.rpartition("]")[2])  # an IPv6 address has colons, too
    if port and not 1 <= int(port[1]) <= 65535:
        raise AggregationError("BAD_SETTINGS", name)
    return endpoint or None


def _ca_bundle(env: Mapping[str, str]) -> str | None:
    name = "AWS_CA_BUNDLE"
    bundle = env.get(name) or None
    if bundle is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        try:
            context.load_verify_locations(bundle)
        except OSError as error:
            raise AggregationError("BAD_SETTINGS", name) from error
        if not context.cert_store_stats()["x509"]:  # the file may hold revocation lists alone
            raise AggregationError("BAD_SETTINGS", name)
    return bundle


def _destination_prefix(env: Mapping[str, str]) -> str:
    """S15; the buckets and ``SRC_PREFIX`` are valid by now."""
    prefix = _text(env, "DST_PREFIX", _PREFIX, "")
    same_bucket = env["SRC_BUCKET"] == env["DST_BUCKET"]
    if same_bucket and prefix.startswith(f"{env.get('SRC_PREFIX', '')}AWSLogs/"):
        raise AggregationError("BAD_SETTINGS", "DST_PREFIX")  # output would become input
    return prefix
