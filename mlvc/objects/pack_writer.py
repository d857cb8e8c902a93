"""Writes one pack: streamed to a temporary file, named only when whole and synced."""

from __future__ import annotations

import os

import blake3

from mlvc import atomic_file
from mlvc.backend.local import LocalBackend
from mlvc.format import pack
from mlvc.format.ids import NONCE_SIZE
from mlvc.format.pack import PackClass, PackName, Slot


class PackWriter:
    """A pack under way. Nothing is visible until `publish`; `discard` removes what was written."""

    def __init__(self, backend: LocalBackend, pack_class: PackClass) -> None:
        self.name = PackName(pack_class, os.urandom(NONCE_SIZE))
        self._path = backend.path(self.name.key)
        atomic_file.make_folder(self._path.parent)
        self._staged = atomic_file.StagedFile(self._path.parent)
        self._digest = blake3.blake3()
        self.slots: dict[tuple[bytes, int], Slot] = {}
        header = pack.header(self.name)
        self.size_bytes = len(header)
        """What the pack has once all that was placed is written, in bytes, without its footer."""
        self.write(header)

    @property
    def is_full(self) -> bool:
        """Whether the pack has reached its target size, or its slots begin to be many for memory."""
        return self.size_bytes >= pack.TARGET_SIZE or len(self.slots) >= pack.TARGET_SLOTS

    def add(self, identifier: bytes, code: int, stored: bytes, size: int, base: bytes | None = None) -> None:
        """Appends one stored chunk or record.

        Args:
            identifier: its id.
            code: `record.CHUNK_CODE` or a record kind's code.
            stored: encoding byte and payload.
            size: decoded, in bytes.
            base: the chunk it is a difference to, if any.
        """
        self.write(self.place([(identifier, code, stored, size, base)]))

    def place(self, chunks: list[tuple[bytes, int, bytes, int, bytes | None]]) -> bytes:
        """Gives chunks, each as `add` takes it, their slots; returns the bytes to `write` next, perhaps by another thread."""
        for identifier, code, stored, size, base in chunks:
            self.slots[identifier, code] = Slot(identifier, code, self.size_bytes, len(stored), size, base)
            self.size_bytes += len(stored)
        return b"".join([stored for _, _, stored, _, _ in chunks])

    def write(self, data: bytes) -> None:
        """Appends what `place` returned, in the same order; LocalFileError when the disk refuses."""
        self._staged.write(data)
        self._digest.update(data)

    def publish(self) -> PackName:
        """Writes the footer, syncs, and gives the pack its name. The caller syncs the folder."""
        self._staged.write(pack.footer(list(self.slots.values()), self._digest.digest()))
        self._staged.publish(self._path)
        return self.name

    def discard(self) -> None:
        """Removes the temporary file; harmless after `publish`."""
        self._staged.discard()
