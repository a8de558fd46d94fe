"""The client ``light``: S3's requests and answers over AWS's Common Runtime."""

import asyncio
import os
import re
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from urllib.parse import quote, unquote_plus, urlencode
from xml.etree import ElementTree

from aggregator.config import Config
from aggregator.errors import BadSourceError
from aggregator.s3.checksum import checksum_of
from aggregator.s3.credentials import Keys, environment_keys
from aggregator.s3.light_http import Answer, LightHttp
from aggregator.store import (
    PAGE_LIMIT,
    AttemptError,
    Body,
    Listed,
    Page,
    Tagged,
    is_archived,
    is_missing,
    is_unmet,
    refusal,
    whole_page,
)
from aggregator.tuning.each_second import each_second

_SIZE = re.compile("[0-9]{1,16}")


class LightStore:
    """Requests of one event loop; the connections outlive it."""

    def __init__(self, config: Config) -> None:
        self._http = LightHttp(config, _keys_source(os.environ))

    async def list_page(self, bucket: str, prefix: str, delimiter: str, token: str | None) -> Page:
        query = {"list-type": "2", "encoding-type": "url", "prefix": prefix}
        if delimiter:
            query["delimiter"] = delimiter
        if token is not None:
            query["continuation-token"] = token
        target = f"/?{urlencode(query, quote_via=quote, safe='')}"
        answer = await self._http.send("GET", bucket, target, limit=PAGE_LIMIT)
        if answer.too_large:
            raise AttemptError(f"{answer.status} larger than a page", again=True)
        return _page(_accepted(answer), prefix)

    async def get(self, bucket: str, key: str, limit: int) -> bytes:
        answer = await self._http.send("GET", bucket, _path(key), limit=limit)
        if answer.too_large and answer.status < 300:
            raise BadSourceError("TOO_LARGE")
        code = _error_code(answer)
        if is_missing(answer.status, code):
            raise BadSourceError("MISSING")
        if is_archived(answer.status, code):
            raise BadSourceError("ARCHIVED")
        return _accepted(answer)

    async def get_tagged(self, bucket: str, key: str, limit: int) -> Tagged | None:
        answer = await self._http.send("GET", bucket, _path(key), limit=limit)
        if is_missing(answer.status, _error_code(answer)):
            return None
        body = _accepted(answer)
        return Tagged(b"" if answer.too_large else body, _etag(answer))

    async def put(self, bucket: str, key: str, body: Body, content_type: str) -> None:
        headers = {"content-type": content_type, "x-amz-checksum-crc32": checksum_of(body)}
        _accepted(await self._http.send("PUT", bucket, _path(key), headers, body))

    async def put_if(
        self, bucket: str, key: str, body: Body, content_type: str, etag: str | None
    ) -> str | None:
        condition = {"if-none-match": "*"} if etag is None else {"if-match": etag}
        checksum = {"x-amz-checksum-crc32": checksum_of(body)}
        headers = {"content-type": content_type, **checksum, **condition}
        answer = await self._http.send("PUT", bucket, _path(key), headers, body)
        if is_unmet(answer.status, _error_code(answer)):
            return None
        _accepted(answer)
        return _etag(answer)

    async def copy(self, bucket: str, from_key: str, to_key: str) -> None:
        headers = {"x-amz-copy-source": bucket + _path(from_key)}
        text = _accepted(await self._http.send("PUT", bucket, _path(to_key), headers))
        if not _result(text, "CopyObjectResult").findtext("{*}ETag"):
            raise AttemptError("200 without the copy's ETag", again=True)

    async def delete(self, bucket: str, key: str) -> None:
        _accepted(await self._http.send("DELETE", bucket, _path(key)))

    async def delete_if(self, bucket: str, key: str, etag: str) -> None:
        answer = await self._http.send("DELETE", bucket, _path(key), {"if-match": etag})
        if not is_unmet(answer.status, _error_code(answer)):
            _accepted(answer)


def _keys_source(env: Mapping[str, str]) -> Callable[[], Awaitable[Keys]]:
    """A function that gives the current keys, or raises ``AttemptError`` (S16).

    Only the container endpoint needs botocore, which takes longer to import than all other modules.
    """
    keys = environment_keys(env)
    if keys is None:
        from aggregator.s3.container_credentials import container_keys

        return each_second(partial(asyncio.to_thread, container_keys(env)))

    async def from_environment() -> Keys:
        return keys

    return from_environment


def _path(key: str) -> str:
    return f"/{quote(key)}"


def _accepted(answer: Answer) -> bytes:
    if not 200 <= answer.status < 300:
        raise refusal(answer.status, _error_code(answer))
    return answer.body


def _etag(answer: Answer) -> str:
    if not answer.etag:
        raise AttemptError(f"{answer.status} without an ETag", again=True)
    return answer.etag


def _page(text: bytes, prefix: str) -> Page:
    found = _result(text, "ListBucketResult")
    space = found.tag.removesuffix("ListBucketResult")  # a wildcard takes twice the time
    key, size = f"{space}Key", f"{space}Size"
    decoded = unquote_plus if found.findtext(f"{space}EncodingType") == "url" else str
    prefixes = found.iterfind(f"{space}CommonPrefixes")
    truncated = found.findtext(f"{space}IsTruncated")
    if truncated not in ("true", "false"):
        raise AttemptError("200 without IsTruncated", again=True)
    return whole_page(
        prefix,
        [
            Listed(decoded(each.findtext(key, "")), _size(each.findtext(size, "")))
            for each in found.iterfind(f"{space}Contents")
        ],
        [decoded(each.findtext(f"{space}Prefix", "")) for each in prefixes],
        found.findtext(f"{space}NextContinuationToken"),
        truncated=truncated == "true",
    )


def _size(text: str) -> int:
    return int(text) if _SIZE.fullmatch(text) else -1


def _result(text: bytes, name: str) -> ElementTree.Element:
    found = _parsed(text)
    if found.tag.rpartition("}")[2] != name:  # S3 may fail after it has sent the status
        code = found.findtext("{*}Code", "")
        raise AttemptError(f"200 {code or found.tag}", again=True, code=code)
    return found


def _parsed(text: bytes) -> ElementTree.Element:
    try:
        return ElementTree.fromstring(text)  # noqa: S314  # expat bounds what entities expand to
    except ElementTree.ParseError as error:
        raise AttemptError(f"ParseError: {error}", again=True) from error


def _error_code(answer: Answer) -> str:
    """The code in S3's body; a proxy on the way may answer in another form."""
    if answer.status < 300:
        return ""
    try:
        error = _parsed(answer.body)
    except AttemptError:
        return ""
    return error.findtext("{*}Code", "") if error.tag.rpartition("}")[2] == "Error" else ""
