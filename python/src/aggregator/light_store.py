"""Part of step store: the client ``light``, S3's requests over AWS's Common Runtime.

Holds nothing but its connections.
"""

import os
from collections.abc import Callable
from urllib.parse import quote, unquote_plus, urlencode
from xml.etree import ElementTree

from aggregator.attempts import Attempt, AttemptError
from aggregator.config import Config
from aggregator.credentials import environment_keys, keys_source
from aggregator.errors import BadSourceError
from aggregator.light_http import Answer, LightHttp
from aggregator.store import Body, Listed, Page, refusal


class LightStore:
    """Safe to share between threads."""

    def __init__(self, config: Config) -> None:
        self._http = LightHttp(config.endpoint, config.region, keys_source(os.environ))
        self._keys_at_hand = environment_keys(os.environ) is not None  # others may be waited for

    def list_page(self, bucket: str, prefix: str, delimiter: str, token: str | None) -> Page:
        query = {"list-type": "2", "encoding-type": "url", "prefix": prefix}
        if delimiter:
            query["delimiter"] = delimiter
        if token is not None:
            query["continuation-token"] = token
        target = f"/?{urlencode(query, quote_via=quote, safe='')}"
        return _page(_accepted(self._http.exchange("GET", bucket, target)))

    def get(self, bucket: str, key: str, limit: int) -> bytes:
        return _source_body(self._http.exchange("GET", bucket, _path(key), limit=limit))

    def begin_get(
        self, bucket: str, key: str, limit: int, done: Callable[[Attempt[bytes]], None]
    ) -> bool:
        def arrived(answer: Answer) -> None:
            done(lambda: _source_body(answer.whole()))

        return self._keys_at_hand and self._http.begin(bucket, _path(key), limit, arrived)

    def put(self, bucket: str, key: str, body: Body, content_type: str) -> None:
        headers = {"content-type": content_type}
        _accepted(self._http.exchange("PUT", bucket, _path(key), headers, body))

    def copy(self, bucket: str, from_key: str, to_key: str) -> None:
        headers = {"x-amz-copy-source": bucket + _path(from_key)}
        text = _accepted(self._http.exchange("PUT", bucket, _path(to_key), headers))
        _result(text, "CopyObjectResult")

    def delete(self, bucket: str, key: str) -> None:
        _accepted(self._http.exchange("DELETE", bucket, _path(key)))


def _path(key: str) -> str:
    return f"/{quote(key)}"


def _source_body(answer: Answer) -> bytes:
    if answer.too_large:
        raise BadSourceError("TOO_LARGE")
    if answer.status == 404 and _error_code(answer) == "NoSuchKey":
        raise BadSourceError("MISSING")
    return _accepted(answer)


def _accepted(answer: Answer) -> bytes:
    if not 200 <= answer.status < 300:
        raise refusal(answer.status, _error_code(answer))
    return answer.body


def _page(text: bytes) -> Page:
    found = _result(text, "ListBucketResult")
    space = found.tag.removesuffix("ListBucketResult")  # a wildcard takes twice the time
    key, size = f"{space}Key", f"{space}Size"
    prefixes = found.iterfind(f"{space}CommonPrefixes/{space}Prefix")
    more = found.findtext(f"{space}IsTruncated") == "true"
    return Page(
        [
            Listed(unquote_plus(each.findtext(key, "")), int(each.findtext(size, "")))
            for each in found.iterfind(f"{space}Contents")
        ],
        [unquote_plus(each.text or "") for each in prefixes],
        found.findtext(f"{space}NextContinuationToken") if more else None,
    )


def _result(text: bytes, name: str) -> ElementTree.Element:
    found = _parsed(text)
    if not found.tag.endswith(name):  # S3 may fail after the status has been sent
        raise AttemptError(f"200 {found.findtext('{*}Code', found.tag)}", again=True)
    return found


def _parsed(text: bytes) -> ElementTree.Element:
    try:
        return ElementTree.fromstring(text)  # noqa: S314  # expat bounds what entities expand to
    except ElementTree.ParseError as error:
        raise AttemptError(f"ParseError: {error}", again=True) from error


def _error_code(answer: Answer) -> str:
    """As S3 tells it in the body; what stands between S3 and us may answer in other forms."""
    try:
        return _parsed(answer.body).findtext("{*}Code", "")
    except AttemptError:
        return ""
