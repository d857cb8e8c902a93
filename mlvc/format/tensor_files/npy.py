"""npy: one array of numpy. See https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html ."""

from __future__ import annotations

import ast
import re
from math import prod

from mlvc.format.elements import Element
from mlvc.format.tensor_files.layout import NotThisKindError, ReadAt, Tensor, checked

_MAGIC = b"\x93NUMPY"
_MAX_HEADER = 64 << 10
_DESCRIPTION = re.compile(r"([<>|=])([fiubc])([0-9]{1,2})\Z")


def read(read_at: ReadAt, size: int) -> tuple[Tensor, ...]:
    """Returns the one tensor of an npy file; NotThisKindError when it is none."""
    return checked([array(read_at, 0, size, "array")], size)


def array(read_at: ReadAt, start: int, size: int, name: str) -> Tensor:
    """Returns the array whose npy file begins at `start` of another file and has `size` bytes."""
    begin = read_at(start, 12)
    if len(begin) < 12 or begin[:6] != _MAGIC or begin[6] not in (1, 2, 3):
        raise NotThisKindError("it does not begin as an npy file")
    width = 2 if begin[6] == 1 else 4
    header_size = int.from_bytes(begin[8 : 8 + width], "little")
    data_start = 8 + width + header_size
    if header_size > _MAX_HEADER or data_start > size:
        raise NotThisKindError(f"a header of {header_size:,} bytes")
    try:
        said = ast.literal_eval(read_at(start + 8 + width, header_size).decode("latin-1").strip())
        description, shape = said["descr"], said["shape"]
        order, kind, digits = _DESCRIPTION.match(description).groups()  # type: ignore[union-attr]
        length = prod(shape) * int(digits)
        if not isinstance(shape, tuple) or length != size - data_start:
            raise ValueError("the data has another size than the shape asks for")
    except (ValueError, TypeError, KeyError, AttributeError, SyntaxError, RecursionError, MemoryError) as error:
        raise NotThisKindError("the header is malformed") from error
    return Tensor(name, description, shape, start + data_start, length, _element(order, kind, int(digits)))


def _element(order: str, kind: str, width: int) -> Element | None:
    if width not in (1, 2, 4, 8):
        return None
    return Element(width, is_float=kind == "f" and order != ">")
