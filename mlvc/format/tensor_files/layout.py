"""What the readers of tensor files have in common: where in a file which tensor lies."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from math import prod

from msgspec import Struct

from mlvc.format.elements import Element

ReadAt = Callable[[int, int], bytes]
"""Returns up to `size` bytes of a file from `offset`, fewer at its end: read(offset, size)."""


class NotThisKindError(Exception):
    """A file is not of a kind, or is malformed. Never leaves this package: such a file is just bytes."""


class Tensor(Struct, frozen=True):
    """One tensor of a file.

    Attributes:
        name: as the file has it.
        dtype: in the file's own words, such as BF16 or <f4; "" when the file does not say.
        shape: elements along each axis; () for a scalar, or where the file does not say.
        offset: of its first byte in the file.
        size: in bytes.
        element: what its bytes are an array of, or None when that must be guessed.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    offset: int
    size: int
    element: Element | None


def checked(tensors: Iterable[Tensor], file_size: int) -> tuple[Tensor, ...]:
    """Returns tensors by offset; NotThisKindError when they overlap, reach outside the file, or share a name."""
    found = list(tensors)
    if any(type(n) is not int for tensor in found for n in (*tensor.shape, tensor.offset, tensor.size)):
        raise NotThisKindError("a shape or place is no whole number")
    found.sort(key=lambda t: (t.offset, t.size))
    end = 0
    for tensor in found:
        if tensor.offset < end or tensor.size < 0 or tensor.offset + tensor.size > file_size:
            raise NotThisKindError(f"{tensor.name!r} overlaps another tensor, or reaches outside the file")
        if any(n < 0 for n in tensor.shape):
            raise NotThisKindError(f"{tensor.name!r} has a negative shape")
        if tensor.element is not None and tensor.dtype and tensor.size != prod(tensor.shape) * tensor.element.width:
            raise NotThisKindError(f"{tensor.name!r} does not have the size that its shape asks for")
        end = tensor.offset + tensor.size
    if len({tensor.name for tensor in found}) != len(found):
        raise NotThisKindError("two tensors have one name")
    return tuple(found)
