"""Reads packs on any backend: the footer, single slots, and the whole for checking."""

from __future__ import annotations

from collections.abc import Callable

from mlvc.backend.interface import Backend, KeyMissingError
from mlvc.errors import DamageError, NewerFormatError
from mlvc.format import chunk, pack
from mlvc.format.pack import PackIndex, PackName, Slot

Base = Callable[[], bytes]
"""Returns the content that a difference is to."""

_MAX_INDEX = 256 << 20

_TAIL_GUESS = 64 << 10
"""The first read from a pack's end, in bytes: holds the whole footer of packs with up to some 1,200 slots."""


def read_index(backend: Backend, name: PackName, size: int | None = None) -> PackIndex:
    """Returns the index of a pack, in one or two reads.

    Raises:
        KeyMissingError: there is no such pack.
        DamageError: it is cut short or its index does not match its checksum.
    """
    size = backend.size(name.key) if size is None else size
    if size is None:
        raise KeyMissingError(name.key)
    start = max(0, size - _TAIL_GUESS)
    tail = backend.read_range(name.key, start, size - start)
    trailer = pack.parse_trailer(tail[-pack.TRAILER.size :], name)
    index_start = size - pack.TRAILER.size - trailer.index_size
    if trailer.index_size > _MAX_INDEX:
        raise DamageError(f"the pack {name.key} claims an index of {trailer.index_size:,} bytes, at most {_MAX_INDEX:,} are believed")
    if index_start < pack.HEADER.size:
        raise DamageError(f"the pack {name.key} is cut short: its index would begin before its body")
    if index_start >= start:
        data = tail[index_start - start : len(tail) - pack.TRAILER.size]
    else:
        data = backend.read_range(name.key, index_start, trailer.index_size)
    return PackIndex(data, trailer, name, index_start)


def read_slot(backend: Backend, name: PackName, slot: Slot, base: Base | None = None) -> bytes:
    """Returns the content of one slot, proven against its id; DamageError when it is not what was written.

    Args:
        backend: where the pack is.
        name: the pack.
        slot: which.
        base: returns the content that the slot is a difference to, if it is one.
    """
    return bytes(chunk.decode_verified(read_stored(backend, name, slot), slot.size, slot.id, base))


def read_stored(backend: Backend, name: PackName, slot: Slot) -> bytes:
    """Returns a slot's stored bytes, not yet proven."""
    stored = backend.read_range(name.key, slot.offset, slot.stored_size)
    if len(stored) != slot.stored_size:
        raise DamageError(f"the pack {name.key} is cut short: {len(stored):,} of {slot.stored_size:,} bytes at {slot.offset:,}")
    return stored


def check_whole(
    backend: Backend, name: PackName, base_of: Callable[[Slot], Base | None] = lambda _: None
) -> list[tuple[Slot, DamageError]]:
    """Reads a whole pack and proves every byte of it.

    Args:
        backend: where the pack is.
        name: which.
        base_of: returns what reads the base of a slot that is a difference.

    Returns:
        The slots that are damaged.

    Raises:
        DamageError: header, index or trailer are damaged, or bytes outside all slots are.
        NewerFormatError: every bit is as it was written, by a newer mlvc.
    """
    import blake3

    size = backend.size(name.key)
    if size is None:
        raise KeyMissingError(name.key)
    index = read_index(backend, name, size)
    trailer = pack.parse_trailer(backend.read_range(name.key, size - pack.TRAILER.size, pack.TRAILER.size), name)
    body_size = size - pack.TRAILER.size - trailer.index_size
    pack.parse_header(backend.read_range(name.key, 0, pack.HEADER.size), name)
    proof = blake3.blake3()
    for at in range(0, body_size, chunk.MAX_SIZE):
        proof.update(backend.read_range(name.key, at, min(chunk.MAX_SIZE, body_size - at)))
    is_proven = proof.digest() == trailer.body_digest
    damaged = []
    for slot in index:
        try:
            read_slot(backend, name, slot, base_of(slot))
        except DamageError as error:
            damaged.append((slot, error))
        except NewerFormatError as error:  # or a flipped bit of the encoding byte
            if is_proven:
                raise NewerFormatError(f"the pack {name.key}: {error.message}", hint=error.hint) from error
            damaged.append((slot, DamageError(error.message)))
    if not damaged and not is_proven:
        raise DamageError(f"the pack {name.key} is damaged between its chunks, or in how one is compressed")
    return damaged
