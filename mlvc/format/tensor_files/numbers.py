"""The numbers in a tensor's bytes, and by how much two tensors differ. numpy is loaded when first needed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import Struct

if TYPE_CHECKING:
    import numpy as np

_SAFETENSORS = {
    "F64": "<f8", "F32": "<f4", "F16": "<f2", "I64": "<i8", "I32": "<i4", "I16": "<i2", "I8": "i1",
    "U64": "<u8", "U32": "<u4", "U16": "<u2", "U8": "u1", "BOOL": "u1",
}  # fmt: skip
_BF16 = "BF16"


class Difference(Struct, frozen=True):
    """By how much numbers differ.

    Attributes:
        count: how many were compared.
        changed: how many differ in any bit.
        largest: the greatest absolute difference of finite numbers.
        total: the sum of the absolute differences of finite numbers.
    """

    count: int = 0
    changed: int = 0
    largest: float = 0.0
    total: float = 0.0

    def __add__(self, other: Difference) -> Difference:
        """Returns what both parts of a tensor add up to."""
        largest = max(self.largest, other.largest)
        return Difference(self.count + other.count, self.changed + other.changed, largest, self.total + other.total)

    @property
    def mean(self) -> float:
        """The mean absolute difference over all numbers."""
        return self.total / self.count if self.count else 0.0


def width_of(dtype: str) -> int | None:
    """Returns the bytes of one number of a type, as files name types; None when this version cannot read its numbers."""
    import numpy as np

    if dtype == _BF16:
        return 2
    try:
        return int(np.dtype(_SAFETENSORS.get(dtype, dtype)).itemsize) if dtype else None
    except TypeError:
        return None


def difference(before: bytes, after: bytes, dtype: str) -> Difference:
    """Returns by how much as many numbers differ; `dtype` is one that `width_of` knows."""
    import numpy as np

    old, new = values(before, dtype), values(after, dtype)
    bits = f"u{width_of(dtype)}"
    changed = int(np.count_nonzero(np.frombuffer(before, bits) != np.frombuffer(after, bits)))
    with np.errstate(invalid="ignore", over="ignore"):
        gap = np.abs(new - old)
    gap = gap[np.isfinite(gap)]
    return Difference(len(old), changed, float(gap.max(initial=0.0)), float(gap.sum()))


def values(data: bytes, dtype: str) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Returns the numbers in bytes; `dtype` is one that `width_of` knows."""
    import numpy as np

    if dtype == _BF16:
        return (np.frombuffer(data, "<u2").astype("<u4") << 16).view("<f4").astype(np.float64)
    return np.frombuffer(data, _SAFETENSORS.get(dtype, dtype)).astype(np.float64)
