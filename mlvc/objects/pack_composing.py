"""Composes a new pack of pieces that lie in others, as they are stored: to merge many small ones, or to leave out what is dead."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator

import blake3

from mlvc.backend.interface import Backend
from mlvc.errors import DamageError
from mlvc.format import pack
from mlvc.format.ids import NONCE_SIZE, digest
from mlvc.format.pack import PackClass, PackName, Slot


class Composition:
    """A pack to be: its name, the bytes it will have, and, once `pieces` is through, its slots."""

    def __init__(self, pack_class: PackClass, chosen: Iterable[tuple[Slot, bytes]]) -> None:
        """Prepares a pack.

        Args:
            pack_class: of all that is chosen.
            chosen: slots where they lie now, and their stored bytes; read as the pack is written.
        """
        self.name = PackName(pack_class, os.urandom(NONCE_SIZE))
        self.slots: list[Slot] = []
        self._chosen = chosen

    def pieces(self) -> Iterator[bytes]:
        """Yields the pack's bytes."""
        proof = blake3.blake3()
        header = pack.header(self.name)
        proof.update(header)
        yield header
        at = len(header)
        for slot, stored in self._chosen:
            self.slots.append(Slot(slot.id, slot.code, at, len(stored), slot.size, slot.base))
            at += len(stored)
            proof.update(stored)
            yield stored
        yield pack.footer(self.slots, proof.digest())


def chosen_from(backend: Backend, names: Iterable[PackName], wanted: set[tuple[bytes, int]]) -> Iterator[tuple[Slot, bytes]]:
    """Yields the wanted slots of packs with their stored bytes, each once; every pack is read whole and proven first.

    Raises:
        DamageError: a pack is damaged.
        KeyMissingError: a pack is gone.
    """
    done: set[tuple[bytes, int]] = set()
    for name in names:
        data = backend.read(name.key)
        trailer = pack.parse_trailer(data[-pack.TRAILER.size :], name)
        body_size = len(data) - pack.TRAILER.size - trailer.index_size
        if body_size < pack.HEADER.size or digest(data[:body_size]) != trailer.body_digest:
            raise DamageError(f"the pack {name.key} at {backend.url} is damaged", hint="'mlvc fsck --repair' heals it")
        for slot in pack.PackIndex(data[body_size : -pack.TRAILER.size], trailer, name, body_size):
            if (slot.id, slot.code) in wanted and (slot.id, slot.code) not in done:
                done.add((slot.id, slot.code))
                yield slot, data[slot.offset : slot.offset + slot.stored_size]


