"""GGUF: keys and values, tensor descriptions, then aligned tensors. See https://github.com/ggml-org/ggml/blob/master/docs/gguf.md ."""

from __future__ import annotations

import struct
from itertools import pairwise
from math import prod

from mlvc.format.elements import Element
from mlvc.format.tensor_files.layout import NotThisKindError, ReadAt, Tensor, checked

_VERSIONS = (2, 3)
_WINDOW = 1 << 20
_MAX_DIMENSIONS = 8
_MAX_DEPTH = 4
_STRING, _ARRAY = 8, 9
_SCALAR_SIZES = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
_ALIGNMENT = "general.alignment"

_PLAIN: dict[int, tuple[str, Element]] = {
    0: ("F32", Element(4, is_float=True)),
    1: ("F16", Element(2, is_float=True)),
    24: ("I8", Element(1, is_float=False)),
    25: ("I16", Element(2, is_float=False)),
    26: ("I32", Element(4, is_float=False)),
    27: ("I64", Element(8, is_float=False)),
    28: ("F64", Element(8, is_float=True)),
    30: ("BF16", Element(2, is_float=True)),
}
_QUANTIZED: dict[int, tuple[str, int, int]] = {  # name, elements and bytes of a block, as in ggml.c
    2: ("Q4_0", 32, 18), 3: ("Q4_1", 32, 20), 6: ("Q5_0", 32, 22), 7: ("Q5_1", 32, 24), 8: ("Q8_0", 32, 34),
    9: ("Q8_1", 32, 36), 10: ("Q2_K", 256, 84), 11: ("Q3_K", 256, 110), 12: ("Q4_K", 256, 144),
    13: ("Q5_K", 256, 176), 14: ("Q6_K", 256, 210), 15: ("Q8_K", 256, 292), 20: ("IQ4_NL", 32, 18),
    23: ("IQ4_XS", 256, 136),
}  # fmt: skip


def read(read_at: ReadAt, size: int) -> tuple[Tensor, ...]:
    """Returns the tensors of a GGUF file; NotThisKindError when it is none."""
    cursor = _Cursor(read_at, size)
    if cursor.take(4) != b"GGUF" or cursor.number("<I") not in _VERSIONS:
        raise NotThisKindError("it does not begin as a GGUF file")
    tensor_count, pair_count = cursor.number("<Q"), cursor.number("<Q")
    if (tensor_count + pair_count) * 12 > size:
        raise NotThisKindError("it claims more than it can hold")
    alignment = 32
    for _ in range(pair_count):
        key, kind = cursor.string(), cursor.number("<I")
        value = cursor.value(kind, 0)
        if key == _ALIGNMENT and isinstance(value, int):
            alignment = value
    if not 0 < alignment <= 1 << 20:
        raise NotThisKindError(f"an alignment of {alignment}")
    said = [_description(cursor) for _ in range(tensor_count)]
    start = -(-cursor.at // alignment) * alignment
    return checked(_tensors(said, start, size), size)


def _description(cursor: _Cursor) -> tuple[str, tuple[int, ...], int, int]:
    name, count = cursor.string(), cursor.number("<I")
    if count > _MAX_DIMENSIONS:
        raise NotThisKindError(f"{count} dimensions")
    shape = tuple(cursor.number("<Q") for _ in range(count))
    return name, shape[::-1], cursor.number("<I"), cursor.number("<Q")


def _tensors(said: list[tuple[str, tuple[int, ...], int, int]], start: int, size: int) -> list[Tensor]:
    found = []
    ends = [*sorted({offset for _, _, _, offset in said}), size - start]
    following = dict(pairwise(ends))
    for name, shape, kind, offset in said:
        count = prod(shape)
        if kind in _PLAIN:
            dtype, element = _PLAIN[kind]
            found.append(Tensor(name, dtype, shape, start + offset, count * element.width, element))
        elif kind in _QUANTIZED:
            dtype, per_block, block_size = _QUANTIZED[kind]
            found.append(Tensor(name, dtype, shape, start + offset, count // per_block * block_size, None))
        else:
            found.append(Tensor(name, f"type {kind}", shape, start + offset, following[offset] - offset, None))
    return found


class _Cursor:
    """Reads the header front to back, a window at a time."""

    def __init__(self, read_at: ReadAt, size: int) -> None:
        self._read_at = read_at
        self._size = size
        self._window = b""
        self._start = 0
        self.at = 0

    def take(self, size: int) -> bytes:
        if size > self._size - self.at:
            raise NotThisKindError("it is cut short")
        inside = self.at - self._start
        if inside + size > len(self._window):
            self._window, self._start, inside = self._read_at(self.at, max(size, _WINDOW)), self.at, 0
        self.at += size
        return self._window[inside : inside + size]

    def number(self, code: str) -> int:
        return int(struct.unpack(code, self.take(struct.calcsize(code)))[0])

    def string(self) -> str:
        return self.take(self.number("<Q")).decode("utf-8", "surrogateescape")

    def value(self, kind: int, depth: int) -> int | None:
        if kind in _SCALAR_SIZES:
            return int.from_bytes(self.take(_SCALAR_SIZES[kind]), "little")
        if kind == _STRING:
            self.take(self.number("<Q"))
        elif kind == _ARRAY and depth < _MAX_DEPTH:
            inner, count = self.number("<I"), self.number("<Q")
            if inner in _SCALAR_SIZES:
                self._skip(count * _SCALAR_SIZES[inner])
            else:
                if count * 8 > self._size - self.at:
                    raise NotThisKindError("an array is larger than the file")
                for _ in range(count):
                    self.value(inner, depth + 1)
        else:
            raise NotThisKindError(f"a value of type {kind}")
        return None

    def _skip(self, size: int) -> None:
        if size > self._size - self.at:
            raise NotThisKindError("it is cut short")
        self.at += size
