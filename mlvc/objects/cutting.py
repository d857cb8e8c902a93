"""Cutting files into chunks: small ones whole, tensor files at their tensors' borders, all others content-defined.

A tensor is cut into pieces of fixed size, so that the pieces of the same tensor in two versions lie side by side, whatever
moved before it in the file. What lies between tensors, and any large stretch of unknown bytes, is content-defined:

FastCDC (Xia et al., "The Design of Fast Content-Defined Chunking for Data Deduplication Based Storage Systems", IEEE
TPDS 2020) as pyfastcdc implements it. The parameters are part of the format: docs/format/chunks.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final

from msgspec import Struct

from mlvc.format.elements import Element
from mlvc.format.tensor_files import Tensor

WHOLE_BELOW = 1 << 20
"""Files up to this size, in bytes, are one chunk."""

MIN_SIZE = 16 << 10
AVERAGE_SIZE = 64 << 10
LARGEST = 256 << 10
_SEED = 0
_NORMALISATION: Final = 1

WINDOW = 4 << 20
"""How much of a file is read and cut at a time, in bytes."""

PIECE = 1 << 20
"""Pieces of tensors, in bytes: fits a core's cache while it is rearranged, and is whole elements of every type."""

_SMALL_TENSOR = 64 << 10
"""Neighbours smaller than this, in bytes, share chunks: a model has hundreds of norms and biases."""


class Stretch(Struct, frozen=True):
    """A part of a tensor file that is cut by one rule.

    Attributes:
        offset, size: in bytes.
        name: of the tensor, or of the first and last of several small ones; "" for what lies between tensors.
        element: what it is an array of, or None when that must be guessed.
    """

    offset: int
    size: int
    name: str
    element: Element | None

    @property
    def piece_sizes(self) -> list[int]:
        """The sizes of a tensor's pieces, in order."""
        return [min(PIECE, self.size - at) for at in range(0, self.size, PIECE)]


def stretches(tensors: Sequence[Tensor], file_size: int) -> list[Stretch]:
    """Returns the parts of a tensor file, in order and without gaps. The same tensors always give the same parts."""
    found: list[Stretch] = []
    small: list[Tensor] = []
    end = 0

    def close_group() -> None:
        if small:
            first, last = small[0], small[-1]
            name = first.name if len(small) == 1 else f"{first.name}\n{last.name}"
            element = first.element if len({tensor.element for tensor in small}) == 1 else None
            if element is not None and any((tensor.offset - first.offset) % element.width for tensor in small):
                element = None
            found.append(Stretch(first.offset, last.offset + last.size - first.offset, name, element))
            small.clear()

    for tensor in tensors:
        if not tensor.size:
            continue
        joins = bool(small) and tensor.offset - end < _SMALL_TENSOR and tensor.offset + tensor.size - small[0].offset <= PIECE
        if tensor.size >= _SMALL_TENSOR or not joins:
            close_group()
            if tensor.offset > end:
                found.append(Stretch(end, tensor.offset - end, "", None))
        if tensor.size >= _SMALL_TENSOR:
            found.append(Stretch(tensor.offset, tensor.size, tensor.name, tensor.element))
        else:
            small.append(tensor)
        end = tensor.offset + tensor.size
    close_group()
    if file_size > end:
        found.append(Stretch(end, file_size - end, "", None))
    return found


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
        data = read_exactly(read, WINDOW)
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


def read_exactly(read: Callable[[int], bytes], size: int) -> bytes:
    """Returns `size` bytes, or fewer only at the end: streams may return short reads."""
    data = read(size)
    if len(data) == size or not data:
        return data
    pieces, have = [data], len(data)
    while have < size and (data := read(size - have)):
        pieces.append(data)
        have += len(data)
    return b"".join(pieces)
