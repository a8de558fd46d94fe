"""Answers that awscrt can't take (SPEC E5), asked for by http.client. Skip on first reading.

awscrt fails at a header that is not UTF-8, and takes a body that ends with its connection for an
empty one. S3 sends neither, other servers may. This module sends the same signed request.
"""

import asyncio
import os
import ssl
from collections.abc import Iterator
from functools import cache
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from socket import SHUT_RDWR

from awscrt.http import HttpRequest

from aggregator.s3.endpoint import Address
from aggregator.s3.whole_heads import WholeHead
from aggregator.store import AttemptError, Body

_PIECE = 1 << 18

type Received = tuple[int, dict[str, str], list[bytes]]  #: status, headers, body


async def ask(
    address: Address,
    ca_bundle: str | None,
    request: HttpRequest,
    content: Body,
    limit: int,
    times_s: tuple[float, float],
) -> Received:
    """One request over a connection of its own, in a thread.

    A body above ``limit`` bytes is cut behind it. The times are for connecting and for silence.
    """
    connection = _connection(address, ca_bundle, times_s[0])
    connection.response_class = WholeHead
    try:
        return await asyncio.to_thread(_ask, connection, request, content, limit, times_s[1])
    except (OSError, HTTPException, ValueError) as error:
        raise AttemptError(f"{type(error).__name__}: {error}", again=True) from error
    except asyncio.CancelledError:
        if connection.sock:
            connection.sock.shutdown(SHUT_RDWR)  # the thread ends, too
        raise


def _connection(address: Address, ca_bundle: str | None, connect_s: float) -> HTTPConnection:
    if not address.secure:
        return HTTPConnection(address.host, address.port, timeout=connect_s)
    first = address.proxy or address
    context = _tls(ca_bundle)
    connection = HTTPSConnection(first.host, first.port, timeout=connect_s, context=context)
    if address.proxy:
        connection.set_tunnel(address.host, address.port)
    return connection


@cache
def _tls(ca_bundle: str | None) -> ssl.SSLContext:
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR"):  # of OpenSSL; no setting of ours (S21)
        os.environ.pop(name, None)
    return ssl.create_default_context(cafile=ca_bundle)


def _ask(
    connection: HTTPConnection, request: HttpRequest, content: Body, limit: int, silence_s: float
) -> Received:
    try:
        connection.connect()
        connection.sock.settimeout(silence_s)
        connection.putrequest(
            request.method, request.path, skip_host=True, skip_accept_encoding=True
        )
        for name, value in request.headers:
            connection.putheader(name, value)
        content.seek(0)
        connection.endheaders(_pieces(content))
        answer = connection.getresponse()
        fields = {name.lower(): value for name, value in answer.headers.items()}
        parts: list[bytes] = []
        while limit >= 0 and (part := answer.read(_PIECE)):
            parts.append(part)
            limit -= len(part)
        if limit >= 0 and answer.length:
            raise OSError(f"{answer.length} bytes are missing")
    finally:
        connection.close()
    return answer.status, fields, parts


def _pieces(content: Body) -> Iterator[bytes]:
    while piece := content.read(_PIECE):
        yield piece
