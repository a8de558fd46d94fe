import gzip
import struct
import zlib

import pytest
from memory_store import in_time, late_after

from aggregator.attempts import OutOfTimeError
from aggregator.errors import BadSourceError
from aggregator.inflater import inflate

TEXT = b'{"Records":[{"eventID":"1"}]}' * 50
LIMIT = 1 << 20


def member(flags: int = 0, optional: bytes = b"", wrong: int = 0) -> bytes:
    """A gzip member with an optional header part; ``wrong`` spoils its header CRC."""
    deflate = zlib.compressobj(wbits=-15)
    header = b"\x1f\x8b\x08" + bytes([flags]) + bytes(5) + b"\xff" + optional
    if flags & 2:
        header += struct.pack("<H", (zlib.crc32(header) ^ wrong) & 0xFFFF)
    trailer = struct.pack("<II", zlib.crc32(TEXT), len(TEXT))
    return header + deflate.compress(TEXT) + deflate.flush() + trailer


def code_of(body: bytes, limit: int = LIMIT) -> str:
    with pytest.raises(BadSourceError) as caught:
        inflate(body, limit, in_time)
    return caught.value.code


@pytest.mark.parametrize(
    "body",
    [
        TEXT,
        gzip.compress(TEXT),
        gzip.compress(b"") + gzip.compress(TEXT[:9], 0) + gzip.compress(TEXT[9:]),
        member(0x08, b"name\0"),
        member(0x1C, b"\x02\0xxname\0comment\0"),
        member(0x0A, b"n" * 100_000 + b"\0"),  # longer than a slice, with a header CRC
        b"".join(gzip.compress(TEXT[at : at + 1]) for at in range(len(TEXT))),
    ],
)
def test_inflates(body: bytes) -> None:
    assert inflate(body, LIMIT, in_time) == TEXT


def test_every_cut_is_found() -> None:
    for whole in (member(0x08, b"name\0"), gzip.compress(b"") + gzip.compress(TEXT)):
        for end in range(2, len(whole)):
            if end != len(gzip.compress(b"")):
                assert code_of(whole[:end]) == "BAD_GZIP"


@pytest.mark.parametrize(
    "body",
    [
        member(0x20),
        member() + member(0x80),
        member(0x02, wrong=1),
        member()[:2] + b"\x07" + member()[3:],
        member()[:-8] + bytes(4) + member()[-4:],
        member()[:-4] + bytes(4),
        member() + b"\0",
        member() + b"\x1f",
        member() + b"\x1f\x8b",
        member() + TEXT,
    ],
)
def test_damage_is_found(body: bytes) -> None:
    assert code_of(body) == "BAD_GZIP"


def test_limit() -> None:
    for body in (TEXT, gzip.compress(TEXT), gzip.compress(TEXT[:9]) + gzip.compress(TEXT[9:])):
        assert inflate(body, len(TEXT), in_time) == TEXT
        assert code_of(body, len(TEXT) - 1) == "TOO_LARGE"


def test_a_large_body_ends_with_the_time() -> None:
    body = gzip.compress(bytes(range(256)) * 4096, compresslevel=0)  # E6
    with pytest.raises(OutOfTimeError):
        inflate(body, LIMIT, late_after(2))
