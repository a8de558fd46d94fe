"""Compresses the records of a generated day by two libraries, at several levels.

A lesson shows this output: ``python -m harness.exercise.gzip_levels``.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from time import process_time

from isal import isal_zlib

from harness.fixtures.recipe import Recipe, make_day

_ROUNDS = 3
_GZIP = 31  # a window of 32 KiB, and gzip's header


def records() -> bytes:
    """The records of 2,000 sources, a line for each."""
    return b"".join(record + b"\n" for each in make_day(Recipe()) for record in each.records or ())


def isal(text: bytes, level: int) -> bytes:
    compressor = isal_zlib.compressobj(level, wbits=_GZIP)
    return bytes(compressor.compress(text) + compressor.flush())


def plain_zlib(text: bytes, level: int) -> bytes:
    compressor = zlib.compressobj(level, wbits=_GZIP)
    return compressor.compress(text) + compressor.flush()


def measure(text: bytes, compress: Callable[[bytes, int], bytes], level: int) -> tuple[int, float]:
    """The size of the output, and the least CPU time in ms."""
    times = []
    for _ in range(_ROUNDS):
        began = process_time()
        output = compress(text, level)
        times.append((process_time() - began) * 1000)
    if zlib.decompress(output, wbits=_GZIP) != text:
        raise AssertionError("the output is another text")
    return len(output), min(times)


if __name__ == "__main__":
    day = records()
    print(f"records: {len(day) / 1e6:.1f} MB\n")
    print("library  level  output MB  CPU ms")
    for name, way, levels in (("isal", isal, (0, 1, 2, 3)), ("zlib", plain_zlib, (1, 3, 6, 9))):
        for chosen in levels:
            size, spent = measure(day, way, chosen)
            print(f"{name:7}  {chosen:5}  {size / 1e6:9.2f}  {spent:6.0f}")
