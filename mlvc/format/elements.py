"""Arrays of numbers as bytes that compress: exact, reversible rearrangements of a chunk's elements.

Two steps, each undone exactly, whatever the bits mean (NaNs, denormals, any bytes at all):

- *planes*: byte k of every element, together. A float is rotated left by one bit before, so that its sign joins the
  mantissa and the exponent has the top plane (bf16, f32) to itself: exponents of weights have some 2.6 bits of entropy,
  mantissas all of theirs.
- *difference*: element by element against a base, modulo 2^width. Floats are mapped to integers of the same order first
  (as IEEE 754-2019 totalOrder sorts them), so that a small change of the number is a small integer, then zigzag
  (0, -1, 1, -2, ...) makes small ones small in either direction.

numpy is loaded when first needed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from msgspec import Struct

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, np.dtype[Any]]

Bytes = bytes | memoryview


class Element(Struct, frozen=True):
    """What a chunk is an array of.

    Attributes:
        width: bytes of an element: 1, 2, 4 or 8, little-endian.
        is_float: whether sign, exponent and mantissa follow each other from the top bit down.
    """

    width: int
    is_float: bool

    @property
    def code(self) -> int:
        """The byte that stands for it: bits 0-1 are log2 of the width, bit 2 tells a float."""
        return (1, 2, 4, 8).index(self.width) | (4 if self.is_float else 0)

    @staticmethod
    def of(code: int) -> Element:
        """Returns the element behind a code; ValueError when there is none."""
        if not 0 <= code < 8:
            raise ValueError(f"{code} stands for no element")
        return Element(1 << (code & 3), bool(code & 4))


def planes(data: Bytes, element: Element) -> list[memoryview]:
    """Returns the planes of whole elements, the least significant byte's first, each of as many bytes as elements."""
    return _split(_rotated(_array(data, element), element), element)


def from_planes(parts: Sequence[Bytes], element: Element) -> memoryview:
    """Undoes `planes`."""
    joined = _join(parts, element)
    if element.is_float:
        _rotate_right(joined, element)
    return _bytes(joined)


def difference_planes(data: Bytes, base: Bytes, element: Element) -> list[memoryview]:
    """Returns the planes of the difference of whole elements to as many of a base."""
    import numpy as np

    changed = _ordered(_array(data, element), element)
    changed -= _ordered(_array(base, element), element)
    sign = changed.view(_signed(element)) >> (8 * element.width - 1)
    changed <<= np.array(1, changed.dtype)
    changed ^= sign.view(changed.dtype)
    return _split(changed, element)


def from_difference_planes(parts: Sequence[Bytes], base: Bytes, element: Element) -> memoryview:
    """Undoes `difference_planes`."""
    import numpy as np

    changed = _join(parts, element)
    one = np.array(1, changed.dtype)
    sign = changed & one
    np.negative(sign, out=sign)
    changed >>= one
    changed ^= sign
    changed += _ordered(_array(base, element), element)
    return _bytes(_unordered(changed, element))


def _bytes(values: Array) -> memoryview:
    """Returns an array's bytes, not copied."""
    import numpy as np

    return values.view(np.uint8).data


def _array(data: Bytes, element: Element) -> Array:
    import numpy as np

    return np.frombuffer(data, f"<u{element.width}")


def _signed(element: Element) -> str:
    return f"<i{element.width}"


def _rotated(values: Array, element: Element) -> Array:
    if not element.is_float:
        return values
    turned: Array = values << values.dtype.type(1)
    turned |= values >> values.dtype.type(8 * element.width - 1)
    return turned


def _rotate_right(values: Array, element: Element) -> None:
    low = values << values.dtype.type(8 * element.width - 1)
    values >>= values.dtype.type(1)
    values |= low


def _ordered(values: Array, element: Element) -> Array:
    """Returns integers in the order of the numbers: negative floats with all bits turned, others with the top bit set."""
    if not element.is_float:
        return values.copy()
    mask = (values.view(_signed(element)) >> (8 * element.width - 1)).view(values.dtype)
    mask |= values.dtype.type(1 << (8 * element.width - 1))
    mask ^= values
    return mask


def _unordered(values: Array, element: Element) -> Array:
    if not element.is_float:
        return values
    mask = (values.view(_signed(element)) >> (8 * element.width - 1)).view(values.dtype)
    mask ^= values.dtype.type((1 << (8 * element.width)) - 1)  # ones where the top bit was clear: a negative number
    mask |= values.dtype.type(1 << (8 * element.width - 1))
    mask ^= values
    return mask


def _split(values: Array, element: Element) -> list[memoryview]:
    import numpy as np

    if element.width == 1:
        return [values.view(np.uint8).data]
    return [(values >> values.dtype.type(8 * k)).astype(np.uint8).data for k in range(element.width)]


def _join(parts: Sequence[Bytes], element: Element) -> Array:
    import numpy as np

    kind = np.dtype(f"<u{element.width}")
    joined: Array = np.frombuffer(parts[-1], np.uint8).astype(kind)
    for part in reversed(parts[:-1]):
        joined <<= kind.type(8)
        joined |= np.frombuffer(part, np.uint8)
    return joined
