"""Credentials of the container endpoint (SPEC S16), fetched by botocore, which both clients use.

Nothing is requested before the first request to S3 needs keys: a failure is a failed attempt (E5).
"""

import logging
from collections.abc import Callable, Mapping

from botocore.credentials import CredentialResolver, Credentials, DeferredRefreshableCredentials
from botocore.exceptions import BotoCoreError, CredentialRetrievalError, NoCredentialsError
from botocore.utils import ContainerMetadataFetcher

from aggregator.s3.credentials import Keys, environment_keys
from aggregator.store import AttemptError

_ENDPOINT = "AWS_CONTAINER_CREDENTIALS_FULL_URI"
_PATH = "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"
_AUTHORIZATION = "AWS_CONTAINER_AUTHORIZATION_TOKEN"
_METHOD = "container-role"

# It logs each failure with a traceback, between the JSON lines; the attempt has the cause.
logging.getLogger("botocore.credentials").disabled = True


class LambdaCredentials(CredentialResolver):
    """The two sources of S16 and no other: no profile, no file, no instance metadata."""

    def __init__(self, env: Mapping[str, str]) -> None:
        super().__init__([])
        self._env = env
        self._endpoint = ContainerMetadataFetcher()
        self._endpoint.RETRY_ATTEMPTS = 1  # the step attempts repeats
        self._endpoint.SLEEP_TIME = 0

    def load_credentials(self) -> Credentials:
        if keys := environment_keys(self._env):
            return Credentials(*keys)
        return DeferredRefreshableCredentials(self._fetch, _METHOD)

    def _fetch(self) -> Mapping[str, str]:
        """Raise a ``BotoCoreError`` that says why there are no keys."""
        path = self._env.get(_PATH)
        endpoint = self._endpoint.full_url(path) if path else self._env.get(_ENDPOINT)
        if not endpoint:
            raise NoCredentialsError
        token = self._env.get(_AUTHORIZATION)
        try:
            answer = self._endpoint.retrieve_full_uri(
                endpoint, {"Authorization": token} if token else None
            )
            return {
                "access_key": answer["AccessKeyId"],
                "secret_key": answer["SecretAccessKey"],
                "token": answer["Token"],
                "expiry_time": answer["Expiration"],
            }
        except (ValueError, KeyError, TypeError) as error:  # a host not allowed; no such answer
            message = f"{type(error).__name__}: {error}"
            raise CredentialRetrievalError(provider=_METHOD, error_msg=message) from error


def container_keys(env: Mapping[str, str]) -> Callable[[], Keys]:
    """A function for a client that is not botocore's: the current keys, or ``AttemptError``."""
    credentials = LambdaCredentials(env).load_credentials()

    def current() -> Keys:
        try:
            frozen = credentials.get_frozen_credentials()
            return Keys(str(frozen.access_key), str(frozen.secret_key), frozen.token)
        except BotoCoreError as error:
            raise AttemptError(f"{type(error).__name__}: {error}", again=True) from error

    return current
