"""Locators: where the pieces of many packs lie, sorted by id, so that a few small ranged reads find any of them.

    "MLVC" "L" version:u8  packs:u32  rows:u32             head
    pack name:17 ...                                       as entries list packs
    first 8 bytes of the id of every 64th row ...          fences
    id:32 code:u8 pack:u32 offset:u64 stored:u32 size:u32 base:32
                                                           rows, sorted by id; a base of zeros is none

Integers are little-endian. What a locator says is a hint: whoever reads a piece proves it by its id.
"""

from __future__ import annotations

import struct
from bisect import bisect_right
from collections.abc import Iterable, Sequence

from msgspec import Struct

from mlvc.errors import DamageError
from mlvc.format.chunk import MAX_RECORD_SIZE
from mlvc.format.ids import ID_SIZE, NONCE_SIZE
from mlvc.format.pack import PackName, Slot
from mlvc.format.record import MAGIC, Kind

VERSION = 1
HEAD = struct.Struct("<4scBII")
_ROW = struct.Struct(f"<{ID_SIZE}sBIQII{ID_SIZE}s")
_NAME_SIZE = 1 + NONCE_SIZE
_FENCE = 8
_STEP = 64
MAX_ROWS = 500_000
_NO_BASE = bytes(ID_SIZE)

Places = Iterable[tuple[PackName, Slot]]


def encode(places: Places) -> bytes | None:
    """Returns the locator of some pieces, each in one pack; None when there are more than `MAX_ROWS`."""
    rows = sorted({(slot.id, slot.code): (name, slot) for name, slot in places}.items())
    if len(rows) > MAX_ROWS:
        return None
    names = sorted({name.to_wire() for _, (name, _) in rows})
    number = {name: place for place, name in enumerate(names)}
    body = b"".join(
        _ROW.pack(i, code, number[name.to_wire()], slot.offset, slot.stored_size, slot.size, slot.base or _NO_BASE)
        for (i, code), (name, slot) in rows
    )
    fences = b"".join(identifier[:_FENCE] for (identifier, _), _ in rows[::_STEP])
    return HEAD.pack(MAGIC, Kind.LOCATOR.value, VERSION, len(names), len(rows)) + b"".join(names) + fences + body


class Span(Struct, frozen=True):
    """A part of a locator: bytes `offset` to `offset + size`."""

    offset: int
    size: int


class Guide:
    """The first part of a locator: which packs it speaks of, and where which ids stand."""

    def __init__(self, names: Sequence[PackName], fences: Sequence[bytes], rows: int) -> None:
        self.names = names
        self._fences = fences
        self._rows = rows
        self._begin = guide_size(len(names), rows)

    def span(self, identifier: bytes) -> Span | None:
        """Returns which part holds an id, if any does; None when none can."""
        place = bisect_right(self._fences, identifier[:_FENCE]) - 1
        # Two ids with the same fence would stand on both sides of it: the block before is read too.
        first = max(0, place - (place > 0 and self._fences[place] == identifier[:_FENCE]))
        if place < 0:
            return None
        start, end = first * _STEP, min(self._rows, (place + 1) * _STEP)
        return Span(self._begin + start * _ROW.size, (end - start) * _ROW.size)

    def everything(self) -> Span:
        """Returns the part that holds all rows."""
        return Span(self._begin, self._rows * _ROW.size)

    def read(self, data: bytes) -> list[tuple[PackName, Slot]]:
        """Returns the rows in a part; DamageError when they make no sense."""
        found = []
        for identifier, code, pack, offset, stored, size, base in _ROW.iter_unpack(data[: len(data) - len(data) % _ROW.size]):
            if pack >= len(self.names) or size > MAX_RECORD_SIZE or stored > 2 * MAX_RECORD_SIZE:
                raise DamageError("a locator points to nowhere")
            found.append((self.names[pack], Slot(identifier, code, offset, stored, size, None if base == _NO_BASE else base)))
        return found


def guide_size(packs: int, rows: int) -> int:
    """Returns how many bytes stand before the rows."""
    return HEAD.size + packs * _NAME_SIZE + -(-rows // _STEP) * _FENCE


def needed(data: bytes) -> int:
    """Returns how many bytes the guide has, from a locator's first bytes; DamageError when they are none's."""
    if len(data) < HEAD.size:
        raise DamageError("a locator is cut short")
    magic, kind, version, packs, rows = HEAD.unpack_from(data)
    if magic != MAGIC or kind != Kind.LOCATOR.value or version != VERSION or rows > MAX_ROWS or packs > rows:
        raise DamageError("a locator is malformed")
    return guide_size(packs, rows)


def guide(data: bytes) -> Guide:
    """Returns the guide in a locator's first bytes, of which there are at least `needed`; DamageError when they make no sense."""
    size = needed(data)
    if len(data) < size:
        raise DamageError("a locator is cut short")
    _, _, _, packs, rows = HEAD.unpack_from(data)
    at = HEAD.size
    names = [PackName.from_wire(data[at + n * _NAME_SIZE : at + (n + 1) * _NAME_SIZE]) for n in range(packs)]
    at += packs * _NAME_SIZE
    fences = [data[at + n * _FENCE : at + (n + 1) * _FENCE] for n in range(-(-rows // _STEP))]
    return Guide(names, fences, rows)
