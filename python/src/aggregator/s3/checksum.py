"""The checksum of what is put (SPEC W14), for both clients."""

from base64 import b64encode
from zlib import crc32

from aggregator.store import Body

_PIECE = 1 << 18


def checksum_of(body: Body) -> str:
    """CRC-32 in base64; the body is at its beginning again."""
    body.seek(0)
    checksum = 0
    while piece := body.read(_PIECE):
        checksum = crc32(piece, checksum)
    body.seek(0)
    return b64encode(checksum.to_bytes(4)).decode()
