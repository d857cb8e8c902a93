"""Cutting files into chunks: small ones whole, larger ones content-defined.

FastCDC (Xia et al., "The Design of Fast Content-Defined Chunking for Data Deduplication Based Storage Systems", IEEE
TPDS 2020) as pyfastcdc implements it. The parameters are part of the format: docs/format/chunks.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

WHOLE_BELOW = 1 << 20
"""Files up to this size, in bytes, are one chunk."""

MIN_SIZE = 16 << 10
AVERAGE_SIZE = 64 << 10
LARGEST = 256 << 10
_SEED = 0
_NORMALISATION: Final = 1

WINDOW = 4 << 20
"""How much of a file is read and cut at a time, in bytes."""


def cut(read: Callable[[int], bytes]) -> Iterator[list[memoryview]]:
    """Yields lists of consecutive chunks, one list a window.

    Where the cuts fall depends on the content alone, never on the windows: a cut is taken only when the chunker saw
    as much as it may look at.

    Args:
        read: returns the next bytes of the file, at most as many as asked, b"" at the end.
    """
    from pyfastcdc import FastCDC

    chunker = FastCDC(
        AVERAGE_SIZE, min_size=MIN_SIZE, max_size=LARGEST, normalized_chunking=_NORMALISATION, seed=_SEED
    )
    rest = b""
    at_end = False
    while not at_end:
        data = _fill(read, WINDOW)
        at_end = len(data) < WINDOW
        buffer = memoryview(rest + data if rest else data)
        chunks: list[memoryview] = []
        taken = 0
        for chunk in chunker.cut_buf(buffer):
            if not at_end and chunk.offset + LARGEST > len(buffer):
                break
            chunks.append(buffer[chunk.offset : chunk.offset + chunk.length])
            taken = chunk.offset + chunk.length
        rest = bytes(buffer[taken:])
        if chunks:
            yield chunks


def _fill(read: Callable[[int], bytes], size: int) -> bytes:
    """Returns `size` bytes, or fewer only at the end: streams may return short reads."""
    data = read(size)
    if len(data) == size or not data:
        return data
    pieces, have = [data], len(data)
    while have < size and (data := read(size - have)):
        pieces.append(data)
        have += len(data)
    return b"".join(pieces)
