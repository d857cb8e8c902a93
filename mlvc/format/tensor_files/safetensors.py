"""safetensors: a header size (u64), a JSON object of tensors, then their bytes. See https://github.com/huggingface/safetensors ."""

from __future__ import annotations

import json
from typing import Any

from mlvc.format.elements import Element
from mlvc.format.tensor_files.layout import NotThisKindError, ReadAt, Tensor, checked

_MAX_HEADER = 100_000_000
"""The format's own limit, in bytes."""

ELEMENTS = {
    **{name: Element(width, is_float=True) for name, width in (("F64", 8), ("F32", 4), ("F16", 2), ("BF16", 2))},
    **{name: Element(1, is_float=True) for name in ("F8_E4M3", "F8_E5M2")},
    **{name: Element(width, is_float=False) for name, width in (("I64", 8), ("I32", 4), ("I16", 2), ("I8", 1))},
    **{name: Element(width, is_float=False) for name, width in (("U64", 8), ("U32", 4), ("U16", 2), ("U8", 1), ("BOOL", 1))},
}


def read(read_at: ReadAt, size: int) -> tuple[Tensor, ...]:
    """Returns the tensors of a safetensors file; NotThisKindError when it is none."""
    start = read_at(0, 9)
    if len(start) < 9 or start[8:9] != b"{":
        raise NotThisKindError("no JSON object after the first 8 bytes")
    header_size = int.from_bytes(start[:8], "little")
    if header_size > min(_MAX_HEADER, size - 8):
        raise NotThisKindError(f"a header of {header_size:,} bytes")
    try:
        header = json.loads(read_at(8, header_size), object_pairs_hook=_without_duplicates)
    except (ValueError, RecursionError) as error:
        raise NotThisKindError("the header is no JSON") from error
    data_start = 8 + header_size
    return checked((_tensor(n, v, data_start) for n, v in header.items() if n != "__metadata__"), size)


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands twice")
    return found


def _tensor(name: str, said: Any, data_start: int) -> Tensor:
    try:
        dtype, shape, (begin, end) = said["dtype"], said["shape"], said["data_offsets"]
        if not (isinstance(dtype, str) and isinstance(shape, list) and 0 <= begin <= end):
            raise ValueError("not as the format says")
        return Tensor(name, dtype, tuple(shape), data_start + begin, end - begin, ELEMENTS.get(dtype))
    except (KeyError, TypeError, ValueError) as error:
        raise NotThisKindError(f"the tensor {name!r} is malformed") from error
