"""Packs: a file of many chunks or records, with a footer that says where each lies and proves the whole.

Layout (docs/format/packs.md)::

    "MLVC" "K" version:u8 class:u8 reserved:u8 name:16     header
    stored chunk | stored record ...                       body, without gaps, in writing order
    index                                                  columns, ids sorted
    index_size:u64 body_digest:32 index_digest:32 "MLVCK"  trailer

Integers are little-endian. `body_digest` is BLAKE3 of header and body, so any flipped bit is found.
"""

from __future__ import annotations

import struct
from array import array
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from enum import Enum

from msgspec import Struct

from mlvc.errors import DamageError, NewerFormatError
from mlvc.format.chunk import MAX_RECORD_SIZE
from mlvc.format.ids import ID_SIZE, NONCE_SIZE, digest
from mlvc.format.record import MAGIC, Kind

VERSION = 1
HEADER = struct.Struct("<4scBBB16s")
TRAILER = struct.Struct("<Q32s32s5s")
_END = MAGIC + Kind.PACK.value
TARGET_SIZE = 64 << 20
TARGET_SLOTS = 1 << 16
"""A data pack is closed once it has this many bytes."""

_NO_BASE = 0


class PackClass(Enum):
    """What a pack holds, so that a clone can take names and history and leave data behind."""

    META = 0
    DATA = 1

    @property
    def folder(self) -> str:
        """The part of a pack's key that tells its class."""
        return self.name.lower()


class PackName(Struct, frozen=True):
    """A pack's class and its 128-bit nonce."""

    pack_class: PackClass
    nonce: bytes

    @property
    def key(self) -> str:
        """Where it lies in a store."""
        return f"packs/{self.pack_class.folder}/{self.nonce.hex()}.pack"

    def to_wire(self) -> bytes:
        """Returns class byte and nonce, as entries list packs."""
        return bytes([self.pack_class.value]) + self.nonce

    @staticmethod
    def from_wire(data: bytes) -> PackName:
        """Returns the name that `to_wire` wrote; DamageError when it is none."""
        if len(data) != 1 + NONCE_SIZE or data[0] > 1:
            raise DamageError(f"{data.hex()} is no pack name")
        return PackName(PackClass(data[0]), bytes(data[1:]))

    @staticmethod
    def from_key(key: str) -> PackName | None:
        """Returns the name behind a store's key, or None when the key is not a pack's."""
        parts = key.split("/")
        if len(parts) != 3 or parts[0] != "packs" or not parts[2].endswith(".pack"):
            return None
        try:
            nonce = bytes.fromhex(parts[2][: -len(".pack")])
            pack_class = PackClass[parts[1].upper()]
        except (ValueError, KeyError):
            return None
        return PackName(pack_class, nonce) if len(nonce) == NONCE_SIZE else None


class Slot(Struct, frozen=True):
    """Where a pack keeps one chunk or record.

    Attributes:
        id: chunk or record id.
        code: `record.CHUNK_CODE` or a record kind's code.
        offset: of the encoding byte, from the start of the pack, in bytes.
        stored_size: encoding byte and payload, in bytes.
        size: decoded, in bytes.
        base: the chunk that this one is a difference to, or None.
    """

    id: bytes
    code: int
    offset: int
    stored_size: int
    size: int
    base: bytes | None = None


def header(name: PackName) -> bytes:
    """Returns the first bytes of a pack."""
    return HEADER.pack(MAGIC, Kind.PACK.value, VERSION, name.pack_class.value, 0, name.nonce)


def footer(slots: Sequence[Slot], body_digest: bytes) -> bytes:
    """Returns index and trailer.

    Args:
        slots: in any order, ids (with their code) distinct.
        body_digest: BLAKE3 of all bytes before the footer.
    """
    ordered = sorted(slots, key=lambda slot: (slot.id, slot.code))
    bases = sorted({slot.base for slot in ordered if slot.base is not None})
    number = {base: place + 1 for place, base in enumerate(bases)}
    columns = (
        struct.pack("<II", len(ordered), len(bases)),
        b"".join(slot.id for slot in ordered),
        _column("Q", [slot.offset for slot in ordered]),
        _column("I", [slot.stored_size for slot in ordered]),
        _column("I", [slot.size for slot in ordered]),
        _column("I", [_NO_BASE if slot.base is None else number[slot.base] for slot in ordered]),
        bytes(slot.code for slot in ordered),
        b"".join(bases),
    )
    index = b"".join(columns)
    return index + TRAILER.pack(len(index), body_digest, digest(index), _END)


def _column(code: str, values: list[int]) -> bytes:
    return struct.pack(f"<{len(values)}{code}", *values)


class Trailer(Struct, frozen=True):
    """The last bytes of a pack."""

    index_size: int
    body_digest: bytes
    index_digest: bytes


def parse_header(data: bytes, name: PackName) -> None:
    """Checks the first bytes of the pack `name`; DamageError or NewerFormatError when they are not its."""
    try:
        magic, kind, version, pack_class, _, nonce = HEADER.unpack(data)
    except struct.error as error:
        raise DamageError(f"the pack {name.key} is cut short inside its header") from error
    if magic != MAGIC or kind != Kind.PACK.value:
        raise DamageError(f"{name.key} is no pack: it begins with {data[:5]!r}")
    if version > VERSION:
        raise NewerFormatError(f"the pack {name.key} has format {version}, known here: {VERSION}", hint="install a newer mlvc")
    if (pack_class, nonce) != (name.pack_class.value, name.nonce):
        raise DamageError(f"the pack {name.key} says in its header that it is another")


def parse_trailer(data: bytes, name: PackName) -> Trailer:
    """Returns the trailer from the last bytes of a pack; DamageError when the pack is cut short."""
    if len(data) != TRAILER.size or data[-len(_END) :] != _END:
        raise DamageError(f"the pack {name.key} is cut short: its end mark is missing")
    index_size, body_digest, index_digest, _ = TRAILER.unpack(data)
    return Trailer(index_size, body_digest, index_digest)


class PackIndex:
    """The slots of one pack, found by id without unpacking the columns into objects."""

    def __init__(self, data: bytes, trailer: Trailer, name: PackName, body_size: int) -> None:
        """Parses an index.

        Args:
            data: the index' bytes.
            trailer: what proves them.
            name: the pack, for messages.
            body_size: where the index begins, in bytes; no slot may reach past it.

        Raises:
            DamageError: the bytes are not the index that was written.
        """
        if digest(data) != trailer.index_digest:
            raise DamageError(f"the index of the pack {name.key} is damaged")
        try:
            self.count, base_count = struct.unpack_from("<II", data)
            sizes = (ID_SIZE, 8, 4, 4, 4, 1)
            if 8 + self.count * sum(sizes) + base_count * ID_SIZE != len(data):
                raise ValueError("columns")
            at = 8
            columns = []
            for width in sizes:
                columns.append(memoryview(data)[at : at + self.count * width])
                at += self.count * width
            self._ids, offsets, stored, plain, bases, self._codes = columns
            self._offsets = _numbers("Q", offsets)
            self._stored = _numbers("I", stored)
            self._sizes = _numbers("I", plain)
            self._base_numbers = _numbers("I", bases)
            self._bases = memoryview(data)[at:]
        except (struct.error, ValueError) as error:
            raise DamageError(f"the index of the pack {name.key} is malformed") from error
        for place in range(self.count):
            end = self._offsets[place] + self._stored[place]
            if self._offsets[place] < HEADER.size or end > body_size or self._sizes[place] > MAX_RECORD_SIZE:
                raise DamageError(f"the index of the pack {name.key} points outside its body")
            if self._base_numbers[place] > base_count:
                raise DamageError(f"the index of the pack {name.key} names a base that it does not list")

    def _id(self, place: int) -> bytes:
        return bytes(self._ids[place * ID_SIZE : (place + 1) * ID_SIZE])

    def slot(self, place: int) -> Slot:
        """Returns the slot at a place (0 to count - 1) of the sorted order."""
        number = self._base_numbers[place]
        base = None if number == _NO_BASE else bytes(self._bases[(number - 1) * ID_SIZE : number * ID_SIZE])
        return Slot(
            self._id(place), self._codes[place], self._offsets[place], self._stored[place], self._sizes[place], base
        )

    def __iter__(self) -> Iterator[Slot]:
        return map(self.slot, range(self.count))

    def find(self, identifier: bytes, code: int) -> Slot | None:
        """Returns the slot of a chunk or record, or None."""
        place = bisect_left(range(self.count), identifier, key=self._id)
        while place < self.count and self._id(place) == identifier:
            if self._codes[place] == code:
                return self.slot(place)
            place += 1
        return None


def _numbers(code: str, data: memoryview) -> array[int]:
    numbers = array(code)
    numbers.frombytes(data)
    if struct.pack("=H", 1) != struct.pack("<H", 1):
        numbers.byteswap()
    return numbers
