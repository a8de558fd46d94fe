import random
from io import SEEK_CUR, SEEK_END

import pytest

from aggregator.tuning import chunk_buffer
from aggregator.tuning.chunk_buffer import ChunkBuffer


@pytest.fixture(autouse=True)
def _small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chunk_buffer, "_PIECE", 7)


def test_what_is_appended_is_read_as_often_as_asked() -> None:
    buffer, draw = ChunkBuffer(), random.Random(1)
    for _ in range(3):  # emptied and filled again
        parts = [draw.randbytes(draw.randrange(30)) for _ in range(20)]
        for part in parts:
            buffer.append(part)
        for _ in range(2):
            buffer.seek(0)
            assert buffer.read() == b"".join(parts)
            assert buffer.read(1) == b""
        buffer.clear()
        assert buffer.read() == b""


def test_it_is_sent_in_pieces_of_any_size() -> None:
    buffer = ChunkBuffer()
    buffer.append(bytes(range(20)))
    assert buffer.seek(0, SEEK_END) == 20
    assert buffer.seek(5) == buffer.tell() == 5
    read = [buffer.read(9), buffer.read(9), buffer.read(9)]
    assert read == [bytes([5, 6]), bytes(range(7, 14)), bytes(range(14, 20))]
    assert buffer.seek(-1, SEEK_CUR) == 19
    assert buffer.read(9) == bytes([19])


def test_pieces_serve_again() -> None:
    buffer = ChunkBuffer()
    buffer.append(bytes(20))
    before = list(map(id, buffer._pieces))
    buffer.clear()
    buffer.append(bytes(21))
    assert list(map(id, buffer._pieces)) == before
