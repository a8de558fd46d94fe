"""Signatures of the client ``light``, by AWS's Common Runtime. Skip on first reading.

The plain version makes a configuration for each request, and takes 1.05 times the CPU of a run. The
rounds are described in docs/performance/python.md.
"""

import time
from datetime import UTC, datetime

from awscrt.auth import (
    AwsCredentialsProvider,
    AwsSignedBodyHeaderType,
    AwsSigningConfig,
    aws_sign_request,
)
from awscrt.http import HttpRequest

from aggregator.s3.credentials import Keys


class Signer:
    """Signs the requests to one region."""

    def __init__(self, region: str) -> None:
        self._region = region
        self._made_for: tuple[Keys, int] | None = None

    def sign(self, request: HttpRequest, keys: Keys) -> None:
        """Add the headers of a signature; a signature's time is a whole second."""
        second = int(time.time())
        if self._made_for != (keys, second):
            self._config = self._configure(keys, second)
            self._made_for = keys, second
        aws_sign_request(request, self._config).result()  # there at once

    def _configure(self, keys: Keys, second: int) -> AwsSigningConfig:
        return AwsSigningConfig(
            credentials_provider=AwsCredentialsProvider.new_static(*keys),
            region=self._region,
            service="s3",
            date=datetime.fromtimestamp(second, UTC),
            use_double_uri_encode=False,
            should_normalize_uri_path=False,
            signed_body_header_type=AwsSignedBodyHeaderType.X_AMZ_CONTENT_SHA_256,
        )
